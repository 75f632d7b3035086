"""Starting a run: the recipe as a form and as text, and what would come of it."""

"""Pages of the installation itself: how the stack is, and who did what."""

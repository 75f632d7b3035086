"""The tear sheet of a run: its figures, charts and trades, as a page and as a file."""

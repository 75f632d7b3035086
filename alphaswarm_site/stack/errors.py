class StackError(Exception):
    """The servers cannot run here; the message says why, and what to do."""

"""The Risk page: how near each run is to its limits, what is held back, what happened, and how it was stopped."""

"""A run's facts folded once more into what the run knew: for its replay, and for the session that goes on with it."""

"""The inbox: differences between ledger and venues that wait for a person, and what a person can do about each."""

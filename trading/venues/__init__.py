"""Accounts at venues: how ready each is to be traded, what the venue says is there, and what the ledger says."""

"""The ledger as a page: orders, fills and entries across all runs, with what they come to."""

"""Sweeps: one recipe over many parameters, and what the best of them is worth.

The database is the truth: a sweep plans one row per trial, workers claim rows by a conditional UPDATE and write their
figures into them. Queue messages are hints to come and help.
"""

"""Backups of the database, and what has to be true before a restored one may trade.

A restore happens beside the database that is in use: it is read into a new one, checked, made safe, and only then takes
the other's place, whole or not at all. The other is kept under a name of its own.
"""

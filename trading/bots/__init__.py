"""Bots: recipes that are kept under a name, version by version, with what came of them."""

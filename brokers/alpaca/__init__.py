"""Alpaca: wire (its client library), mapping (pure), adapter."""

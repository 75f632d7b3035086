"""Tradier: mapping (pure), adapter."""

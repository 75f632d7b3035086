"""Whole accounts as a person sees them: their limits, what is used of them, and their breakers."""

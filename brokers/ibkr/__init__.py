"""Interactive Brokers: wire (its client library in a thread of its own), mapping (pure), adapter."""

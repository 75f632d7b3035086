"""The ledger held against the venue: what explains itself is booked, the rest waits for a person in an inbox."""

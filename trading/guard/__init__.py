"""What acts from outside of the sessions: it sweeps those that do not answer, and looks after what nobody else does."""

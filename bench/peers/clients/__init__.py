"""One module per system: its ``prepare(work)`` answers the run to be timed, and what came of it afterwards."""

"""The pure core: bars, orders, portfolio, strategies and the engine that ties them together.

Nothing in this package does I/O, reads a clock or knows of Django, so a backtest and a live session can only differ
in what drives it.
"""

"""The backtester beside others, on the same bars and the same strategies: `python -m bench.peers --help`.

`workloads` makes the bars and reckons what must come out; each module in `clients` runs them by one system's public
interface, in that system's own environment (`environments`), started as `client`; `__main__` takes them in turn.
"""

"""The ledger: append, project, rebuild, verify.

Events are the truth, hash-chained per run and anchored in a global chain; the tables are their projections, written in
the same transaction.
"""

from trading.ledger.anchors import anchor_heads
from trading.ledger.appending import Append, LeaseLost, UnknownRun, append, append_now
from trading.ledger.bars import Chunk, Seen, read_bars, read_seen
from trading.ledger.curves import read_curve
from trading.ledger.events import OrderBook
from trading.ledger.verification import Difference, Report, verify, verify_in
from trading.ledger.writing import LedgerUnavailable, LedgerWriter, writer

__all__ = [
    "Append",
    "Chunk",
    "Difference",
    "LeaseLost",
    "LedgerUnavailable",
    "LedgerWriter",
    "OrderBook",
    "Report",
    "Seen",
    "UnknownRun",
    "anchor_heads",
    "append",
    "append_now",
    "read_bars",
    "read_curve",
    "read_seen",
    "verify",
    "verify_in",
    "writer",
]

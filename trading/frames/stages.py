"""The stages of frames, and how each may travel."""

from typing import Final

BAR_RECEIVED: Final = "bar.received"
BAR_PROCESSED: Final = "bar.processed"
EQUITY_UPDATE: Final = "equity.update"
SIGNAL_EMITTED: Final = "signal.emitted"
ORDER_PLACED: Final = "order.placed"
ORDER_FILLED: Final = "order.filled"
ORDER_REJECTED: Final = "order.rejected"
ORDER_CANCELLED: Final = "order.cancelled"
START: Final = "start"
RISK_HALTED: Final = "risk.halted"
KILL_ENGAGED: Final = "kill.engaged"
DONE: Final = "done"
ERROR: Final = "error"

#: Of these the latest counts, so they may be merged; every frame of the other stages is delivered.
MERGED: Final = frozenset({BAR_RECEIVED, BAR_PROCESSED, EQUITY_UPDATE})
#: What concerns whoever watches all runs.
CONTROL: Final = frozenset({START, RISK_HALTED, KILL_ENGAGED, DONE, ERROR})

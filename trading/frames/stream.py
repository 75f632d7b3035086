"""The stream of a run in Redis: its key, how frames are numbered and written, what an entry holds.

An entry's id is ``{seq}-0``; its fields are ``s`` the stage, ``f`` the frame's JSON without seq, ``b`` the batch that
wrote it. Control frames are copied to one stream of all runs, with the field ``q`` for the seq.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

KEPT: Final = 10_000
CONTROL_KEPT: Final = 1_000
#: For resuming; what happened is in the ledger. A run of ten thousand frames takes some megabytes of Redis.
KEPT_SECONDS: Final = 3 * 86_400
CONTROL_KEY: Final = "frames:control"

# Numbering and writing are one step, so that several writers of a run cannot take the same number, and a batch whose
# answer was lost can be sent again: if its mark is on the last entry, it is there already.
# ARGV: batch, floor (the last number this writer knows of), numbers used up by lost frames, kept, control kept,
# seconds kept, then stage, JSON and 1 or 0 (control) of each frame. Answers the last number.
WRITE: Final = """
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local seq = tonumber(ARGV[2])
if last then
  if last[2][6] == ARGV[1] then return tonumber(string.match(last[1], '^%d+')) end
  seq = math.max(seq, tonumber(string.match(last[1], '^%d+')))
end
seq = seq + tonumber(ARGV[3])
for i = 7, #ARGV, 3 do
  seq = seq + 1
  local id = string.format('%.0f', seq)
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], id .. '-0', 's', ARGV[i], 'f', ARGV[i + 1], 'b', ARGV[1])
  if ARGV[i + 2] == '1' then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', 's', ARGV[i], 'f', ARGV[i + 1], 'q', id)
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[6])
return seq
"""


def key_of(run_id: UUID) -> str:
    return f"frames:{run_id}"


def write_arguments(
    run_id: UUID, batch: str, floor: int, lost: int, frames: Sequence[tuple[str, bytes, bool]]
) -> list[str | bytes | int]:
    """What follows EVAL to write ``frames``, each its stage, its JSON and whether it is a control frame."""
    arguments: list[str | bytes | int] = [WRITE, 2, key_of(run_id), CONTROL_KEY]
    arguments += [batch, floor, lost, KEPT, CONTROL_KEPT, KEPT_SECONDS]
    for stage, text, control in frames:
        arguments += [stage, text, int(control)]
    return arguments

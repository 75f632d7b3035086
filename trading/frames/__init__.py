"""Frames: the progress messages of a run, for a browser or a script.

The one idea: the Redis stream of a run is the truth, the channel layer is only a doorbell. A frame gets its number as
it is written to the stream; a ring says that there is news; whoever follows a run reads the stream after the last
number that it has. So a lost ring, a reconnect and a late joiner are the same case.
"""

from trading.frames.build import FrameDraft, of_record
from trading.frames.latest import latest_equity, read_latest
from trading.frames.publishing import FramePublisher, publisher
from trading.frames.reading import Frame, follow, follow_control, number, read

__all__ = [
    "Frame",
    "FrameDraft",
    "FramePublisher",
    "follow",
    "follow_control",
    "latest_equity",
    "number",
    "of_record",
    "publisher",
    "read",
    "read_latest",
]

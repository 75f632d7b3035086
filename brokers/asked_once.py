"""The same question to a venue, asked once for all sessions of this process that trade in one account.

Each of them looks at the account's orders every second, and a venue counts the calls of all of them together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: How old an answer may be for who asks again and again, as a part of the pause between two questions.
SHARED: Final = 0.9
_FORGET_SECONDS: Final = 60.0

_answers: dict[Hashable, tuple[float, Future[Any]]] = {}
_lock = threading.Lock()


def asked_once(question: Hashable, seconds: float, ask: Callable[[], T]) -> T:
    """The answer to a question, or the error, that is at most ``seconds`` old; who asks while another one does waits
    for what comes of it. ``question`` names the account too."""
    now = time.monotonic()
    with _lock:
        for one in [one for one, (asked_at, _) in _answers.items() if now - asked_at > _FORGET_SECONDS]:
            del _answers[one]
        asked_at, before = _answers.get(question, (0.0, None))
        if before is None or now - asked_at >= seconds:
            before, answer = None, Future[Any]()
            _answers[question] = (now, answer)
    if before is not None:
        shared: T = before.result()
        return shared
    try:
        result = ask()
    except BaseException as error:
        answer.set_exception(error)
        raise
    answer.set_result(result)
    return result

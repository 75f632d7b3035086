"""What pages have said to a person, so that it can be read again after it has gone from the screen.

The last `KEPT` messages of each user are a list in Redis: they are a convenience, and the audit is the record.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import redis
from django import forms
from django.contrib.messages.constants import DEFAULT_TAGS
from django.contrib.messages.storage.fallback import FallbackStorage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from access.auth import page
from alphaswarm_site import heartbeat

log = logging.getLogger(__name__)

KEPT: Final = 50
_SECONDS: Final = 30 * 86_400


class Said(msgspec.Struct, frozen=True):
    """``level`` is one of Django's names of levels: success, info, warning, error."""

    at: datetime
    level: str
    text: str


class KeptMessages(FallbackStorage):
    """Django's messages, each of them kept for its user beside being shown."""

    def add(self, level: int, message: str, extra_tags: str = "") -> None:
        super().add(level, message, extra_tags)
        user = getattr(self.request, "user", None)
        if message and user is not None and user.is_authenticated:
            keep(user.get_username(), Said(datetime.now(UTC), DEFAULT_TAGS.get(level, "info"), str(message)))


def keep(username: str, said: Said) -> None:
    """Without Redis the message is shown all the same."""
    try:
        with heartbeat.client() as server, server.pipeline() as pipeline:
            pipeline.lpush(_key(username), msgspec.json.encode(said))
            pipeline.ltrim(_key(username), 0, KEPT - 1)
            pipeline.expire(_key(username), _SECONDS)
            pipeline.execute()
    except redis.RedisError as error:
        log.warning("a message is not kept: %s", error)


def kept(username: str) -> list[Said] | None:
    """The last messages of a user, newest first; None where Redis does not answer."""
    try:
        with heartbeat.client() as server:
            found: Any = server.lrange(_key(username), 0, KEPT - 1)
    except redis.RedisError:
        return None
    return [msgspec.json.decode(one, type=Said) for one in found]


class MissedForm(forms.Form):
    missed = forms.IntegerField(min_value=1)
    page = forms.RegexField(r"^/ui/[\w/-]*$", max_length=200)


def _key(username: str) -> str:
    return f"said:{username}"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("read")
def messages(request: HttpRequest) -> HttpResponse:
    """What pages have said; by POST a page tells how many frames it has ``missed``, which only it can know."""
    username = request.user.get_username()
    if request.method != "POST":
        return render(request, "system/messages.html", {"kept": kept(username), "most": KEPT})
    form = MissedForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=422)
    told = form.cleaned_data
    keep(username, Said(datetime.now(UTC), "warning", f"{told['missed']} frames were missed at {told['page']}."))
    return HttpResponse(status=204)

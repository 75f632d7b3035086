"""`GET /chat/stream/{task_id}`: the frames of a task as a `text/event-stream`, so that `curl -N` can follow it."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from copy import copy
from uuid import UUID

from channels.db import database_sync_to_async
from django.contrib.auth import get_user
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from access.auth import authenticate
from access.problems import Problem, invalid
from trading import frames
from trading.frames import stages
from trading.frames.build import ENDED
from trading.frames.pace import Pace
from trading.models import Run

HEARTBEAT_SECONDS = 15.0
RECHECK_SECONDS = 30.0
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


@require_safe
async def chat_stream(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """The frames after `Last-Event-ID` or `?after=`, without either from the latest 200 on, until the task is done."""
    try:
        await _admit(request)
        after = _after(request)
        run_id = await _run_of(task_id)
    except Problem as problem:
        return problem.response()
    if request.method == "HEAD":
        return HttpResponse(content_type="text/event-stream", headers=HEADERS)
    return StreamingHttpResponse(_events(request, run_id, after), content_type="text/event-stream", headers=HEADERS)


async def _admit(request: HttpRequest) -> None:
    await database_sync_to_async(authenticate)(request, "read")


def _after(request: HttpRequest) -> int | None:
    try:
        return frames.number(request.headers.get("Last-Event-ID") or request.GET.get("after"))
    except ValueError as error:
        raise invalid([{"field": "after", "message": str(error)}]) from error


async def _run_of(task_id: str) -> UUID:
    runs = Run.objects.filter(task_id=task_id).values_list("id", flat=True)
    run_id = await database_sync_to_async(runs.first)()
    if run_id is None:
        raise Problem(404, "not_found", "No such task", f"No run has the task id {task_id}.")
    return run_id


async def _events(request: HttpRequest, run_id: UUID, after: int | None) -> AsyncGenerator[bytes, None]:
    pace, quiet, over = Pace(), _Quiet(), False
    # A first byte at once, so that the client sees that it is connected.
    yield b": connected\n\n"
    async with aclosing(frames.follow(run_id, after)) as batches:
        async for batch in batches:
            for frame in batch:
                event = b"id: %d\ndata: %b\n\n" % (frame.seq, frame.json)
                await pace.spend(len(event))
                yield event
            if batch[-1].stage == stages.DONE if batch else over:
                return
            if quiet.heartbeat_due(bool(batch)):
                yield b": still here\n\n"
            if quiet.recheck_due():
                if not await _may_go_on(request):
                    return
                # An ended run is left when it has been silent for a second more: its last frames may be under way.
                over = await _has_ended(run_id)


class _Quiet:
    """What is due when, in a stream that says nothing by itself."""

    def __init__(self) -> None:
        self._spoken = time.monotonic()
        self._checked = -math.inf

    def heartbeat_due(self, spoke: bool) -> bool:
        now = time.monotonic()
        due = not spoke and now - self._spoken >= HEARTBEAT_SECONDS
        if spoke or due:
            self._spoken = now
        return due

    def recheck_due(self) -> bool:
        now = time.monotonic()
        due = now - self._checked >= RECHECK_SECONDS
        if due:
            self._checked = now
        return due


async def _may_go_on(request: HttpRequest) -> bool:
    again = copy(request)
    again.session = type(request.session)(request.session.session_key)
    again.__dict__.pop("principal", None)
    again.__dict__.pop("_cached_user", None)
    again.user = await database_sync_to_async(get_user)(again)
    try:
        await _admit(again)
    except Problem:
        return False
    return True


async def _has_ended(run_id: UUID) -> bool:
    return await database_sync_to_async(Run.objects.filter(pk=run_id, status__in=ENDED).exists)()


urlpatterns: list[URLPattern] = [path("chat/stream/<str:task_id>", chat_stream)]

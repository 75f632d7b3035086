"""`alphaswarm kill engage | release | status`. Engaging insists on nothing: not the web, not the database."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from typing import Any

from django.core.management.base import CommandParser
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, CommandFailed, ProductCommand
from alphaswarm_site.stack.running import ensure_running
from risk import actions, queries
from risk.actions import KillReport
from risk.kill_file import KillFile
from risk.kill_switch import KillState, ReasonMissing

#: libpq waits two seconds for a connection at least; whatever takes longer is told as not done.
CONNECT_SECONDS = 1
PATIENCE_SECONDS = 3.0


class Command(ProductCommand):
    help = "Stop everything at once, let orders leave again, or say which it is."
    needs_servers = False

    def add_arguments(self, parser: CommandParser) -> None:
        engage = self.verb(parser, "engage", self.engage, "Stop everything; works with web and database down.")
        engage.add_argument("--reason", required=True, help="why; kept with the switch")
        engage.add_argument("--flatten", action="store_true", help="close what is held too, after the cancels")
        release = self.verb(parser, "release", self.release, "Let orders leave again.")
        release.add_argument("--reason", required=True, help="why; kept with the switch")
        self.verb(parser, "status", self.status, "Say whether it is engaged, since when, and why.")

    def engage(self, reason: str, flatten: bool, **options: Any) -> dict[str, Any]:
        principal = cli_principal()
        if not reason.strip():
            raise BadInput(str(ReasonMissing()), field="reason")
        file = KillFile()
        pressed_at = timezone.now()
        by_file = self._close_by_file(file, reason, principal.name, flatten)
        report = self._close_by_database(reason, flatten)
        if report is None and file.mark() is None:
            # Taken over by somebody who could reach the database, or never there.
            by_file = self._close_by_file(file, reason, principal.name, flatten)
        if report is None and not by_file:
            raise CommandFailed("neither kill file nor database could be written: end the processes", "not_engaged")
        if report is None:
            state = KillState(
                engaged=True, epoch=None, flatten=flatten, reason=reason, engaged_by=principal.name, durable=False
            )
            unconfirmed = ["the database did not answer"]
            report = KillReport(state=state, pressed_at=pressed_at, flatten=flatten, unconfirmed=unconfirmed)
        return {**queries.document(report.state, report.measured()), "file": by_file, "database": report.state.durable}

    def release(self, reason: str, **options: Any) -> dict[str, Any]:
        with ensure_running(self.stderr.write):
            try:
                return queries.document(actions.release(reason, cli_principal()), None)
            except ReasonMissing as error:
                raise BadInput(str(error), field="reason") from error

    def status(self, **options: Any) -> dict[str, Any]:
        order = KillFile().read()
        if order is not None:
            # It is there only while the database could not be told, so nobody has to be asked.
            state = KillState(engaged=True, epoch=None, reason=order.reason, engaged_by=order.by, durable=False)
            told = {"gate": queries.gate_reading().verdict, "file": True, "database": False}
            return {**queries.document(state, None), **told}
        with ensure_running(self.stderr.write):
            actions.follow_up()
            view = queries.kill_view()
        return {**queries.document(view.state, view.measured), "gate": view.gate.verdict}

    def show(self, document: Mapping[str, Any]) -> None:
        epoch = "" if document["epoch"] is None else f", epoch {document['epoch']}"
        if document["engaged"]:
            self.stdout.write(f"kill switch ENGAGED{epoch}: {document['reason']}")
        else:
            self.stdout.write(f"kill switch released{epoch}: {document['release_reason'] or 'never engaged'}")
        if "database" in document:
            self.stdout.write(f"kill file: {_done(document['file'])}; database: {_done(document['database'])}")
        measured = document["measured"] or {}
        for name, value in measured.items():
            if name.endswith("_ms") and (name != "flat_ms" or measured.get("flatten")):
                figure = "not confirmed" if value is None else f"{value} ms"
                self.stdout.write(f"{name.removesuffix('_ms').replace('_', ' ')}: {figure}")
        for sentence in measured.get("unconfirmed", []):
            self.stdout.write(f"not confirmed: {sentence}")

    def _close_by_file(self, file: KillFile, reason: str, by: str, flatten: bool) -> bool:
        try:
            file.write(reason, by, flatten)
        except OSError as error:
            self.progress(f"the kill file cannot be written: {error}")
            return False
        self.progress(f"kill file written: the gate of this host closes ({file.path})")
        return True

    def _close_by_database(self, reason: str, flatten: bool) -> KillReport | None:
        """Engage the row; None where that fails or takes too long, in a thread so that nothing can hold us up."""
        answers: SimpleQueue[KillReport | Exception] = SimpleQueue()
        threading.Thread(target=_engage, args=(reason, flatten, answers), daemon=True).start()
        try:
            answer = answers.get(timeout=PATIENCE_SECONDS + actions.WAIT_SECONDS)
        except Empty:
            self.progress("the database does not answer")
            return None
        if isinstance(answer, Exception):
            self.progress(f"the database cannot be told: {' '.join(str(answer).split())}")
            return None
        if not answer.state.durable:
            self.progress("the database cannot be told; the gatekeeper tells it as soon as it answers")
        return answer


def _engage(reason: str, flatten: bool, answers: SimpleQueue[KillReport | Exception]) -> None:
    connection.settings_dict["OPTIONS"] = {**connection.settings_dict["OPTIONS"], "connect_timeout": CONNECT_SECONDS}
    try:
        answers.put(actions.kill(reason, cli_principal(), flatten=flatten))
    except (DatabaseError, InterfaceError, OSError) as error:
        answers.put(error)
    finally:
        connection.close()


def _done(value: bool) -> str:
    return "done" if value else "NOT done"

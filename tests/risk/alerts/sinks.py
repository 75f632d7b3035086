"""What alerts are sent to, on loopback: a web server and a mail server that keep what they are given."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    sink: Any


@dataclass
class WebSink:
    """Answers each call with ``answer`` (the bytes of a whole HTTP answer), once ``may_answer`` is set."""

    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    calls: list[Call] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fails_with(self, status: int, body: str = "") -> None:
        self.answer = f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


@dataclass
class MailSink:
    """Takes mail from anybody who logs in with ``password``; ``refuses`` is a code and a text for every log-in."""

    password: str = ""
    refuses: str = ""
    mails: list[str] = field(default_factory=list)
    port: int = 0


class _WebHandler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        sink: WebSink = self.server.sink
        line = self.rfile.readline().decode("latin-1").split()
        headers: dict[str, str] = {}
        while (header := self.rfile.readline().decode("latin-1").strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        sink.calls.append(Call(line[0], line[1], headers, body))
        sink.may_answer.wait(30)
        self.wfile.write(sink.answer)


class _MailHandler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        sink: MailSink = self.server.sink
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "EHLO":
                self._say("250-here")
                self._say("250 AUTH PLAIN")
            elif verb == "AUTH":
                self._say(sink.refuses or "235 welcome")
            elif verb == "DATA":
                self._say("354 go on")
                sink.mails.append(self._mail())
                self._say("250 taken")
            elif verb == "QUIT":
                return self._say("221 bye")
            else:
                self._say("250 fine")
        return None

    def _mail(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode()) != ".\r\n":
            lines.append(line)
        return "".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def web_sink() -> Iterator[WebSink]:
    sink = WebSink()
    sink.may_answer.set()
    with _served(sink, _WebHandler):
        yield sink
        sink.may_answer.set()


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    sink = MailSink()
    with _served(sink, _MailHandler):
        yield sink


@contextmanager
def _served(sink: Any, handler: type[socketserver.BaseRequestHandler]) -> Iterator[None]:
    with _Server(("127.0.0.1", 0), handler) as server:
        server.sink = sink
        sink.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()

"""`alphaswarm up`: the site's own processes on top of the servers, until it is told to stop."""

import fcntl
import http.client
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from alphaswarm_site.stack.errors import StackError
from alphaswarm_site.stack.paths import StackPaths
from alphaswarm_site.stack.programs import BIND, SITE
from alphaswarm_site.stack.running import Report
from alphaswarm_site.stack.supervisor import Supervisor
from alphaswarm_site.stack.urls import ServerUrls
from alphaswarm_site.stack.waiting import wait_until

#: A slow or busy machine takes a minute to import all that the processes need.
READY_SECONDS = 150


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @property
    def url(self) -> str:
        """The site as a browser on this machine reaches it."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    @classmethod
    def of_url(cls, url: str) -> "Address":
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or 80)

    def check_free(self) -> None:
        """Raise StackError where another program listens already."""
        try:
            with socket.create_server((self.host, self.port), family=self._family()):
                return
        except OSError as error:
            raise StackError(
                f"Port {self.port} on {self.host} cannot be used ({error.strerror}): "
                f"choose another, make run PORT={self.port + 1}"
            ) from error

    def _family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET


@dataclass(frozen=True)
class Owner:
    """The `alphaswarm up` that a stack belongs to."""

    pid: int
    url: str


@contextmanager
def owned(paths: StackPaths, address: Address) -> Iterator[None]:
    """Be the one `up` of this stack. Raises StackError, naming the other, where there is one."""
    with (paths.var / "up").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            other = Owner(**json.loads(file.read() or '{"pid": 0, "url": "(starting)"}'))
            raise StackError(
                f"AlphaSwarm is already running at {other.url} (pid {other.pid}, folder {paths.var}): "
                "use it, stop it with Ctrl-C, or set ALPHASWARM_VAR and PORT for a second one"
            ) from None
        file.truncate(0)
        file.write(json.dumps(asdict(Owner(os.getpid(), address.url))))
        file.flush()
        yield
        file.truncate(0)


@contextmanager
def running_site(paths: StackPaths, supervisor: Supervisor, address: Address, report: Report) -> Iterator[None]:
    """Have the site's processes run, with this process's environment; then stop them, the web first.

    What an `up` that was killed has left hands its sessions over to them; at the end they drain.
    """
    paths.stopping.unlink(missing_ok=True)
    if supervisor.remove_site():
        # Whatever else of it runs may be of older code too.
        supervisor.restart("gatekeeper")
    address.check_free()
    environment = {**os.environ, "ALPHASWARM_VAR": str(paths.var), BIND: f"{address.host}:{address.port}"}
    try:
        supervisor.add_site(environment)
        _write_env(paths)
        _wait_until_ready(supervisor, address, report)
        yield
    finally:
        paths.env.unlink(missing_ok=True)
        paths.stopping.touch()
        supervisor.remove_site()
        paths.stopping.unlink(missing_ok=True)


def _write_env(paths: StackPaths) -> None:
    fresh = paths.env.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(ServerUrls.find(paths).lines())
    fresh.rename(paths.env)


def _wait_until_ready(supervisor: Supervisor, address: Address, report: Report) -> None:
    """Wait for /readyz. A site that answers, but not with a yes, is left to its operator, who is told what is amiss."""
    body: dict[str, Any] = {}

    def ready() -> bool:
        nonlocal body
        supervisor.check_alive(*(program.name for program in SITE))
        body = readiness(address)
        return body.get("status") == "ready"

    if wait_until(ready, READY_SECONDS, every=0.2):
        return
    if not body:
        raise StackError(f"Nothing answers at {address.url} after {READY_SECONDS} seconds: see {supervisor.paths.log}")
    missing = [f"{name}: {part['detail']}" for name, part in body["parts"].items() if not part["ok"]]
    report(f"Not everything is ready after {READY_SECONDS} seconds: {'; '.join(missing)}")


def readiness(address: Address) -> dict[str, Any]:
    """The body of /readyz, empty where nothing answers."""
    parts = urlsplit(address.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        body: dict[str, Any] = json.load(connection.getresponse())
        return body
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()

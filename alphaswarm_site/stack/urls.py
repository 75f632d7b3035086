"""Which PostgreSQL and Redis a process talks to: those it was told, those of a stack that is up, or its own."""

import os
from dataclasses import dataclass

from alphaswarm_site.stack.paths import StackPaths


@dataclass(frozen=True)
class ServerUrls:
    database: str
    redis: str

    @classmethod
    def find(cls, paths: StackPaths) -> "ServerUrls":
        lines = paths.env.read_text().splitlines() if paths.env.exists() else []
        up = dict(line.split("=", 1) for line in lines)

        def pick(name: str, bundled: str) -> str:
            return os.environ.get(name) or up.get(name) or bundled

        return cls(pick("DATABASE_URL", paths.database_url()), pick("REDIS_URL", paths.redis_url))

    def lines(self) -> str:
        """The text of `$ALPHASWARM_VAR/env`. A URL needs no quotes in a shell."""
        return f"DATABASE_URL={self.database}\nREDIS_URL={self.redis}\n"

    def bundled_database(self, paths: StackPaths) -> bool:
        return self.database == paths.database_url()

    def bundled_redis(self, paths: StackPaths) -> bool:
        return self.redis == paths.redis_url

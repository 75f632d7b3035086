"""How long the server takes for each page, with a short history and with a long one: `python -m bench.pages`.

Starts PostgreSQL and Redis in a fresh folder, makes the history of `bench.many` there and asks for each page in this
process, ``--tries`` times after a first one that is not counted. The ratio is that of the fastest tries, which other
work disturbs least.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time

from bench import figures

VAR = tempfile.mkdtemp(prefix="as-pages-")
for name in ("DATABASE_URL", "REDIS_URL"):
    os.environ.pop(name, None)
os.environ |= {"ALPHASWARM_VAR": VAR, "PYTHON_DOTENV_DISABLED": "1"}
os.environ["DJANGO_SETTINGS_MODULE"] = "alphaswarm_site.settings"

import django  # noqa: E402

django.setup()

from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import override_settings  # noqa: E402

from access import actions  # noqa: E402
from alphaswarm_site.stack.running import ensure_running  # noqa: E402
from bench import many  # noqa: E402
from bench.routes import pages  # noqa: E402

THINGS = 40
PLAIN = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


def milliseconds(client: Client, address: str, tries: int) -> list[float] | None:
    """How long a page took each time; None for an address that has nothing to show: a verb's, or one that leads on."""
    if client.get(address).status_code != 200:
        return None
    taken = []
    for _ in range(tries):
        started = time.perf_counter()
        client.get(address)
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--fills", type=int, nargs="+", default=[1_000, 1_000_000], help="histories, rising")
    parser.add_argument("--tries", type=int, default=9)
    options = parser.parse_args()
    table = figures.Figures("pages", options.json)
    fastest: dict[str, list[float]] = {}
    try:
        with ensure_running(), override_settings(STORAGES=PLAIN, ALLOWED_HOSTS=["*"]):
            logging.disable(logging.WARNING)
            client = Client(raise_request_exception=False)
            user = actions.create_operator("bench", "correct horse battery")
            user.is_staff = True
            user.save()
            client.force_login(user)
            made = many.site(THINGS)
            for fills in sorted(options.fills):
                many.trade(made, fills)
                connection.cursor().execute("VACUUM ANALYZE")
                for name, address in pages(made).items():
                    taken = milliseconds(client, address, options.tries)
                    if taken is not None:
                        table.add(f"{name}, {fills:,} fills", "ms", taken)
                        fastest.setdefault(name, []).append(min(taken))
    finally:
        shutil.rmtree(VAR, ignore_errors=True)
    for name, found in fastest.items():
        # Where there is little, some pages have nothing to show.
        if len(found) == len(options.fills):
            table.add(f"{name}, ratio", "times", [found[-1] / found[0]])
    table.show()


if __name__ == "__main__":
    main()

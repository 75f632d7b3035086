from tests import browsers, environment, reaper  # isort: skip  (sets what the settings read)

import os
import shutil
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.core.management.commands import flush
from django.db import connection
from django.test import override_settings
from hypothesis import settings
from playwright.sync_api import Browser
from pytest_django.plugin import DjangoDbBlocker

from alphaswarm_site.stack.paths import StackPaths
from alphaswarm_site.stack.running import servers as running_servers
from tests.database import Restorer
from tests.live import LiveStack
from tests.venues import alpaca, tradier

pytest_plugins = ["tests.unbroken"]

# How long an example takes says more of the machine's other work than of the product.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# At once, and not in pytest_configure: the conftest.py of a folder that is named on the command line imports models.
django.setup()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Let each of several workers read the settings only once it has a folder of its own."""
    del os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.scheduling import Scheduler

    return Scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the whole stack is tried once more, and the summary says so: a dozen processes and a browser share the
    machine with the other tests, and what failed for want of time holds the second time."""
    for item in items:
        if "live_stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(environment.VAR, ignore_errors=True)


@pytest.fixture(scope="session")
def servers() -> Iterator[None]:
    """PostgreSQL and Redis, really running, for the whole session; settings.REDIS_URL names the latter."""
    reaper.watch(environment.VAR)
    with running_servers(StackPaths.from_environment()):
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(servers: None) -> None:
    """Have the servers before pytest-django makes its test database."""


@pytest.fixture(scope="session", autouse=True)
def fast_settings() -> Iterator[None]:
    """Cheap password hashes, and static files by their plain names."""
    storages = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(STORAGES=storages, PASSWORD_HASHERS=hashers, WHITENOISE_AUTOREFRESH=True):
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Have transactional tests empty the append-only ledger too, and keep what migrations seeded."""
    with django_db_blocker.unblock():
        restorer = Restorer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection.ops, "execute_sql_flush", restorer.flush)
        # Permissions and content types are among what is kept, and need not be looked for anew.
        patch.setattr(flush, "emit_post_migrate_signal", lambda *args, **kwargs: None)
        yield


@pytest.fixture(scope="session")
def live_stack() -> Iterator[LiveStack]:
    """A whole `alphaswarm up` on a port of its own: daphne, workers, beat, gatekeeper and servers, started once.

    It has the credentials of the stub venues.
    """
    credentials = {
        "ALPHASWARM_ALPACA_API_KEY": alpaca.KEY,
        "ALPHASWARM_ALPACA_SECRET_KEY": alpaca.SECRET,
        "ALPHASWARM_TRADIER_TOKEN": tradier.TOKEN,
        "ALPHASWARM_TRADIER_ACCOUNT_ID": tradier.ACCOUNT,
    }
    with LiveStack.started(**credentials) as stack:
        yield stack
        verified = stack.cli("ledger", "verify")
        assert verified.returncode == 0, verified.stdout


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, headless. Skips without one, unless ALPHASWARM_REQUIRE_BROWSER=1 demands it."""
    with browsers.launched() as browser:
        yield browser

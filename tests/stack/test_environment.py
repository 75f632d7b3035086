import subprocess
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from alphaswarm_site import environment
from alphaswarm_site.stack import secret_key
from alphaswarm_site.stack.paths import StackPaths
from alphaswarm_site.stack.urls import ServerUrls
from trading.lease import LEASE_SECONDS


@pytest.mark.parametrize("value", ["true", "1", "yes", "on"])
def test_a_flag_is_true_or_false_and_nothing_else(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHASWARM_HTTPS", value)
    with pytest.raises(ImproperlyConfigured, match=r"ALPHASWARM_HTTPS is .*: set it to True or False"):
        environment.flag("ALPHASWARM_HTTPS", False)
    monkeypatch.setenv("ALPHASWARM_HTTPS", "True")
    assert environment.flag("ALPHASWARM_HTTPS", False) is True


def test_a_database_url_may_name_a_host_or_a_socket() -> None:
    tcp = environment.database("postgresql://me:p%40ss@db.example:5433/trades?sslmode=require")
    assert (tcp["USER"], tcp["PASSWORD"], tcp["HOST"], tcp["PORT"]) == ("me", "p@ss", "db.example", "5433")
    assert tcp["OPTIONS"]["sslmode"] == "require"
    assert environment.database("postgresql://me@/trades?host=/run/pg")["HOST"] == "/run/pg"


def test_a_server_that_has_gone_without_a_word_is_noticed_while_a_lease_lasts() -> None:
    options = environment.database("postgresql://me@db.example/trades?tcp_user_timeout=3000")["OPTIONS"]
    silent = options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"]
    assert silent <= LEASE_SECONDS
    assert options["tcp_user_timeout"] == "3000"


@pytest.mark.parametrize("url", ["sqlite:///db", "postgresql://host/", "trades", "postgresql://host:port/trades"])
def test_any_other_database_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        environment.database(url)


def test_redis_is_spelled_as_each_library_wants_it() -> None:
    assert environment.broker(environment.redis("unix:///run/redis.sock")) == "redis+socket:///run/redis.sock"
    assert environment.broker(environment.redis("redis://host:6379/0")) == "redis://host:6379/0"
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL"):
        environment.redis("host:6379")


def test_the_environment_goes_before_a_stack_that_is_up_and_that_before_the_bundled_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    paths = StackPaths(tmp_path)
    assert ServerUrls.find(paths) == ServerUrls(paths.database_url(), paths.redis_url)
    paths.env.write_text(ServerUrls("postgresql://up/a", "redis://up").lines())
    assert ServerUrls.find(paths) == ServerUrls("postgresql://up/a", "redis://up")
    monkeypatch.setenv("DATABASE_URL", "postgresql://told/a")
    assert ServerUrls.find(paths) == ServerUrls("postgresql://told/a", "redis://up")


def test_a_shell_reads_the_env_file(tmp_path: Path) -> None:
    paths = StackPaths(tmp_path)
    urls = ServerUrls.find(paths)
    paths.env.write_text(urls.lines())
    script = f'. "{paths.env}"; printf "%s\\n%s\\n" "$DATABASE_URL" "$REDIS_URL"'
    read = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert read.stdout.splitlines() == [urls.database, urls.redis]


def test_a_generated_key_stays_and_is_the_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    key = secret_key.load_or_make(path)
    assert len(key) > 50
    assert secret_key.load_or_make(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]

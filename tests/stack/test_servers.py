"""The bundled PostgreSQL and Redis: they simply work, wherever and by whomever the stack is started."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from alphaswarm_site.stack import leftovers, postgres, redis
from alphaswarm_site.stack.errors import StackError
from alphaswarm_site.stack.paths import LONGEST_SOCKET, StackPaths
from alphaswarm_site.stack.running import servers
from tests.environment import PROJECT

ROOT = os.getuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only root can change users")


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[StackPaths]:
    paths = StackPaths(tmp_path / "var")
    yield paths
    assert leftovers.find(paths) == []


@pytest.fixture(autouse=True)
def bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


def connect(paths: StackPaths) -> psycopg.Connection:
    return psycopg.connect(paths.database_url(), autocommit=True)


def run_as_nobody(script: str) -> subprocess.CompletedProcess[str]:
    # The capability lets it reach a project, and a Python, in root's own folder.
    reach = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override", "--securebits=+no_setuid_fixup"]
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *reach]
    return subprocess.run(
        [*nobody, sys.executable, "-c", script],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_data_is_there_the_next_time(paths: StackPaths) -> None:
    with servers(paths), connect(paths) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert not postgres.answers(paths)
    assert not redis.answers(paths)
    with servers(paths), connect(paths) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_two_users_share_the_servers_and_the_last_one_stops_them(paths: StackPaths) -> None:
    with servers(paths) as first:
        pid = first.pid()
        with servers(paths) as second:
            assert second.pid() == pid
        assert postgres.answers(paths)
        assert redis.answers(paths)
    assert first.pid() is None


@pytest.mark.parametrize("name", ["with a space", "100% 'odd' \"name\" #1 ;x", "long" * 40])
def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    paths = StackPaths(tmp_path / name)
    with servers(paths), connect(paths) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert len(str(paths.postgres_sockets / ".s.PGSQL.5432")) <= LONGEST_SOCKET
    assert not paths.run.exists(), "a folder in /tmp is taken away with the last user"


def test_a_killed_supervisor_leaves_nothing_that_hinders_the_next_start(paths: StackPaths) -> None:
    with servers(paths) as supervisor:
        pid = supervisor.pid()
        assert pid
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert leftovers.find(paths)
        with servers(paths) as again:
            assert again.pid() not in (None, pid)
            assert postgres.answers(paths)


def test_lock_files_that_name_somebody_elses_process_are_stale(paths: StackPaths) -> None:
    with servers(paths):
        pass
    stranger = f"{os.getpid()}\n"
    (paths.postgres_data / "postmaster.pid").write_text(stranger)
    (paths.postgres_sockets / ".s.PGSQL.5432.lock").write_text(stranger)
    paths.supervisor_socket.touch()
    paths.redis_socket.touch()
    with servers(paths):
        assert postgres.answers(paths)


def test_a_start_that_was_cut_off_is_made_anew(paths: StackPaths) -> None:
    unfinished = paths.var / "postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    with servers(paths):
        assert postgres.answers(paths)
    assert not unfinished.exists()


def test_a_server_that_cannot_start_says_why(paths: StackPaths) -> None:
    with servers(paths):
        pass
    (paths.postgres_data / "global" / "pg_control").unlink()
    with pytest.raises(StackError, match=r"postgres ends as soon as it starts: .*pg_control"), servers(paths):
        pass


def test_another_version_s_data_is_refused_with_a_way_out(paths: StackPaths) -> None:
    with servers(paths):
        pass
    (paths.postgres_data / "PG_VERSION").write_text("16\n")
    with pytest.raises(StackError, match="made by PostgreSQL 16, this is 18"), servers(paths):
        pass


def test_servers_named_by_the_environment_are_not_started_again(
    paths: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone@elsewhere/alphaswarm")
    with servers(paths):
        assert redis.answers(paths)
        assert not paths.postgres_data.exists()


def test_servers_get_none_of_our_secrets(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHASWARM_ALPACA_SECRET_KEY", "canary")
    with servers(paths):
        postmaster = psutil.Process(int((paths.postgres_data / "postmaster.pid").read_text().split()[0]))
        assert "canary" not in postmaster.environ().values()


def test_the_folders_are_closed_to_other_users(paths: StackPaths) -> None:
    with servers(paths):
        for folder in (paths.var, paths.run, paths.log, paths.postgres_data, paths.postgres_sockets, paths.redis_data):
            assert folder.stat().st_mode & 0o066 == 0, folder


@as_root
def test_root_may_keep_the_stack_in_a_closed_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    paths = StackPaths(closed / "var")
    with servers(paths), connect(paths) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("alphaswarm",)
        postmaster = psutil.Process(int((paths.postgres_data / "postmaster.pid").read_text().split()[0]))
        assert postmaster.uids().effective != 0


@as_root
def test_another_user_of_the_machine_is_not_let_in(paths: StackPaths) -> None:
    with servers(paths):
        tried = run_as_nobody(f"import psycopg; psycopg.connect({paths.database_url()!r})")
        assert 'Peer authentication failed for user "alphaswarm"' in tried.stderr


@as_root
def test_an_ordinary_user_runs_the_stack(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    script = (
        "from pathlib import Path; import psycopg; from alphaswarm_site.stack.paths import StackPaths;"
        "from alphaswarm_site.stack.running import servers\n"
        f"paths = StackPaths(Path({str(home / 'var')!r}))\n"
        "with servers(paths): print(psycopg.connect(paths.database_url()).execute('SELECT 7').fetchone())"
    )
    done = run_as_nobody(script)
    assert done.stdout == "(7,)\n", done.stderr


@as_root
def test_a_folder_of_another_user_is_refused_with_a_way_out(tmp_path: Path) -> None:
    paths = StackPaths(tmp_path / "var")
    paths.var.mkdir()
    os.chown(paths.var, 65534, 65534)
    with pytest.raises(StackError, match="set ALPHASWARM_VAR to a folder of yours"), servers(paths):
        pass

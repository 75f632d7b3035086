"""One supervisord per stack: its configuration, and talking to it.

It is started detached, in a session of its own, so that Ctrl-C in a terminal reaches the command and not the
servers. The programs of the site belong to `alphaswarm up`, which adds them with its own environment and takes
them away again.
"""

import json
import os
import subprocess
import sys
import xmlrpc.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from supervisor.states import STOPPED_STATES, ProcessStates
from supervisor.xmlrpc import Faults, SupervisorTransport

from alphaswarm_site.stack.errors import StackError
from alphaswarm_site.stack.paths import BASE_DIR, StackPaths
from alphaswarm_site.stack.programs import BASE, SITE, SITE_ENVIRONMENT, STACK, Program
from alphaswarm_site.stack.waiting import wait_until

# Every path in it is relative to ALPHASWARM_VAR, whose name may hold what this format does not.
HEAD = """\
[unix_http_server]
file={run}/supervisor.sock
chmod=0700

[supervisord]
nodaemon=true
{user}
silent=true
logfile=log/supervisord.log
logfile_maxbytes=10MB
logfile_backups=3
pidfile={run}/supervisord.pid

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
PROGRAM = """
[program:{program.name}]
command=python -m alphaswarm_site.stack {program.name}
environment={environment}
priority={program.priority}
autostart={autostart}
autorestart=true
startsecs=5
startretries=30
stopsignal={program.stop_signal}
stopwaitsecs={program.grace}
killasgroup=true
redirect_stderr=true
stdout_logfile=log/{program.name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


class Supervisor:
    """The supervisord of the stack in `paths`, whether it runs or not."""

    def __init__(self, paths: StackPaths) -> None:
        self.paths = paths

    def pid(self) -> int | None:
        """The process that answers on the socket, None where none does."""
        try:
            return int(self._call("getPID"))
        except OSError:
            return None

    def start(self) -> None:
        self._write_configuration()
        self.paths.supervisor_socket.unlink(missing_ok=True)
        with (self.paths.log / "supervisord.err").open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._configuration)],
                cwd=self.paths.var,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        wait_until(lambda: self.pid() == process.pid or process.poll() is not None, 15)
        if process.poll() is not None or self.pid() is None:
            raise StackError(f"supervisord did not start: {self._tail('supervisord.err')}")

    def shut_down(self) -> None:
        """Stop every program in order, then supervisord itself; returns when it is gone."""
        pid = self.pid()
        if pid is None:
            return
        process = psutil.Process(pid)
        self._call("shutdown")
        patience = 10 + sum(program.grace for program in BASE + SITE)
        wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, patience)

    def run(self, name: str) -> None:
        """Start a program unless it runs."""
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.ALREADY_STARTED:
                raise StackError(f"{name} did not start ({fault.faultString}): {self._tail(f'{name}.log')}") from fault

    def restart(self, name: str) -> None:
        self.stop(name)
        self.run(name)

    def stop(self, *names: str) -> None:
        """Stop programs at the same time, and wait until all have ended."""
        for name in names:
            try:
                self._call("stopProcess", name, False)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode not in (Faults.NOT_RUNNING, Faults.BAD_NAME):
                    raise
        wait_until(lambda: all(self.states().get(name, 0) in STOPPED_STATES for name in names), 90)

    def states(self) -> dict[str, int]:
        return {row["name"]: row["state"] for row in self._call("getAllProcessInfo")}

    def program_pid(self, name: str) -> int:
        """The process that is a program now; 0 where it does not run."""
        return int(self._call("getProcessInfo", name)["pid"])

    def check_alive(self, *names: str) -> None:
        """Raise StackError, with the end of its log, for a program that keeps ending."""
        states = self.states()
        for name in names:
            if states.get(name) in (ProcessStates.BACKOFF, ProcessStates.FATAL):
                raise StackError(f"{name} ends as soon as it starts: {self._tail(f'{name}.log')}")

    def add_site(self, environment: Mapping[str, str]) -> None:
        """Start the site's programs in `environment`, which only supervisord's memory keeps."""
        self._write_configuration(environment)
        try:
            self._call("reloadConfig")
        finally:
            self._write_configuration()
        for program in SITE:
            self._call("addProcessGroup", program.name)

    def remove_site(self) -> bool:
        """Stop web, beat and the workers, in this order, and forget them; tell whether there were any."""
        present = [program for program in SITE if program.name in self.states()]
        for priority in sorted({program.priority for program in present}, reverse=True):
            names = [program.name for program in present if program.priority == priority]
            self.stop(*names)
            for name in names:
                self._call("removeProcessGroup", name)
        return bool(present)

    @property
    def _configuration(self) -> Path:
        return self.paths.var / "supervisord.conf"

    def _write_configuration(self, site_environment: Mapping[str, str] | None = None) -> None:
        user = "user=root" if os.getuid() == 0 else ""
        sections = [HEAD.format(run=self.paths.run, user=user), *(_section(program, "false", "") for program in BASE)]
        if site_environment is not None:
            encoded = json.dumps(dict(site_environment)).encode().hex()
            value = f'{SITE_ENVIRONMENT}="{encoded}"'
            sections += [_section(program, "true", value) for program in SITE]
        fresh = self._configuration.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("".join(sections))
        fresh.rename(self._configuration)

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": str(BASE_DIR),
            "PYTHONUNBUFFERED": "1",
            "ALPHASWARM_VAR": str(self.paths.var),
            STACK: str(self.paths.var),
        }

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.paths.supervisor_socket}")
        proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        finally:
            transport.close()

    def _tail(self, log: str) -> str:
        path = self.paths.log / log
        lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
        return f"{' | '.join(lines[-3:])[-600:] or 'it says nothing'} (log: {path})"


def _section(program: Program, autostart: str, environment: str) -> str:
    return PROGRAM.format(program=program, autostart=autostart, environment=environment)

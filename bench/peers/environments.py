"""The systems, and the environments that they run in: one each, below ``ALPHASWARM_PEERS`` or ``var/peers``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class System:
    """A system in one of its shapes: ``module`` runs it (see `bench.peers.clients`).

    ``requirements`` are its packages, none where it runs in ours; ``most`` is how many bars of a symbol it is given,
    for those that would take minutes; ``fills`` is where its orders trade.
    """

    name: str
    module: str
    requirements: tuple[str, ...] = ()
    variant: str = ""
    most: int = 10**9
    fills: str = "next open"


SYSTEMS = (
    System("AlphaSwarm", "ours"),
    System("bare loop", "loop"),
    System("nautilus_trader", "nautilus", ("nautilus_trader==1.221.0",), fills="same close"),
    System("backtrader", "backtrader", ("backtrader==1.9.78.123", "numpy", "pandas"), most=100_000),
    System("backtesting.py", "backtesting_py", ("backtesting==0.6.6",)),
    System("vnpy CTA", "vnpy", ("vnpy==4.5.0", "vnpy_ctastrategy==1.4.1")),
    System("vnpy CTA, lean strategy", "vnpy", ("vnpy==4.5.0", "vnpy_ctastrategy==1.4.1"), variant="lean"),
    System("zipline-reloaded", "zipline", ("zipline-reloaded==3.2.1",), most=20 * 1440, fills="next close"),
    System("bt", "bt", ("bt==1.4.1",), most=100_000, fills="same close"),
    System("vectorbt", "vectorbt", ("vectorbt==1.2.0",)),
)


def folder() -> Path:
    return Path(os.environ.get("ALPHASWARM_PEERS") or ROOT / "var" / "peers").resolve()


def home() -> Path:
    """Where systems that keep settings in the home directory may do so."""
    made = folder() / "home"
    made.mkdir(parents=True, exist_ok=True)
    return made


def python_of(system: System) -> Path:
    if not system.requirements:
        return Path(sys.executable)
    return folder() / "environments" / system.module / "bin" / "python"


def is_installed(system: System) -> bool:
    return not system.requirements or (_stamp(system).exists() and _stamp(system).read_text() == _wanted(system))


def install(system: System) -> str:
    """Make a system's environment, once; why it could not be made, empty when it was."""
    if is_installed(system):
        return ""
    environment = _stamp(system).parent
    shutil.rmtree(environment, ignore_errors=True)
    python = python_of(system)
    for command in (
        [sys.executable, "-m", "venv", str(environment)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *system.requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr.strip() or f"{command[0]} failed").splitlines()[-1]
    _stamp(system).write_text(_wanted(system))
    return ""


def _stamp(system: System) -> Path:
    return folder() / "environments" / system.module / "installed"


def _wanted(system: System) -> str:
    return f"{sys.version}\n{' '.join(system.requirements)}\n"

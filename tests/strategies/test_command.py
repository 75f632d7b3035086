"""`alphaswarm strategy`: what it writes works, and what it refuses leaves no trace."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.environment import PROJECT
from trading.engine.errors import InvalidValue
from trading.management.commands.strategy import Command
from trading.scaffolding import new_strategy
from trading.strategies import STRATEGIES

FOLDERS = ["access", "alphaswarm_site", "brokers", "configs", "metadata", "risk", "tests", "trading"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project to write to."""
    copy = tmp_path_factory.mktemp("project")
    for folder in FOLDERS:
        shutil.copytree(PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("manage.py", "pyproject.toml"):
        shutil.copy(PROJECT / file, copy / file)
    return copy


def run(project, *words):
    """A command in the copy, as a process of its own with a folder of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALPHASWARM_")}
    environment = {**kept, "ALPHASWARM_VAR": str(project / "var"), "PYTHONPATH": str(project)}
    return subprocess.run(
        [sys.executable, *words], cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def tree(project):
    return {file: file.read_bytes() for file in project.rglob("*.*") if file.is_file() and file.suffix != ".pyc"}


def test_a_new_strategy_is_registered_and_its_test_passes(project):
    made = run(project, "manage.py", "strategy", "new", "drawn_name", "--json")
    assert made.returncode == 0, made.stderr
    document = json.loads(made.stdout)
    assert document["class"] == "DrawnNameStrategy"
    assert document["files"] == [
        "trading/strategies/drawn_name.py",
        "tests/strategies/test_drawn_name.py",
        "configs/paper/drawn_name.yaml",
        "trading/strategies/__init__.py",
    ]
    files = ["tests/strategies/test_drawn_name.py", "tests/recipes/test_shipped.py"]
    tests = run(project, "-m", "pytest", "-q", *files, "-k", "drawn_name or average or period")
    assert tests.returncode == 0, tests.stdout
    assert "4 passed" in tests.stdout
    written = [file for file in document["files"] if file.endswith(".py")]
    for check in (["check"], ["format", "--check"]):
        lint = run(project, "-m", "ruff", *check, *written)
        assert lint.returncode == 0, lint.stdout
    with pytest.raises(InvalidValue, match=r"drawn_name\.py exists"):
        new_strategy(project, "drawn_name")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("OpeningRange", "lower-case"),
        ("opening range", "lower-case"),
        ("../evil", "lower-case"),
        ("class", "lower-case"),
        ("", "lower-case"),
        ("1st", "lower-case"),
        ("sma_cross", "exists"),
        ("sma_cross_strategy", "exists"),
    ],
)
def test_a_bad_or_taken_name_is_refused_and_changes_nothing(project, name, why):
    before = tree(project)
    with pytest.raises(InvalidValue, match=why):
        new_strategy(project, name)
    assert tree(project) == before


def test_every_strategy_is_listed_with_a_sentence_and_its_settings(capsys):
    Command().run_from_argv(["alphaswarm", "strategy", "list", "--json"])
    items = json.loads(capsys.readouterr().out)["items"]
    assert [item["class"] for item in items] == list(STRATEGIES)
    assert all(item["summary"].endswith(".") and item["settings"] for item in items)
    Command().run_from_argv(["alphaswarm", "strategy", "list"])
    assert "SmaCrossStrategy(fast=10, slow=30, quantity=100)" in capsys.readouterr().out


def test_a_refusal_names_the_field_and_exits_with_2(capsys):
    with pytest.raises(SystemExit) as stop:
        Command().run_from_argv(["alphaswarm", "strategy", "new", "sma_cross", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (stop.value.code, document["field"]) == (2, "name")

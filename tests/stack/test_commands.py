import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandParser

from alphaswarm_site.commands import BadInput, CommandFailed, Document, ProductCommand, Refused
from tests.environment import PROJECT


class Sample(ProductCommand):
    needs_servers = False

    def add_arguments(self, parser: CommandParser) -> None:
        count = self.verb(parser, "count", self.count, "Count.")
        count.add_argument("--to", type=int, required=True)
        self.verb(parser, "refuse", self.refuse, "Refuse.")

    def count(self, to: int, **options: Any) -> Document:
        self.progress("counting")
        return {"items": list(range(to)), "next": None}

    def refuse(self, **options: Any) -> Document:
        raise Refused("the kill switch is engaged", "kill_engaged", epoch=7)


def run(*words: str) -> int:
    try:
        Sample().run_from_argv(["alphaswarm", "sample", *words])
    except SystemExit as stop:
        return int(str(stop.code))
    return 0


def test_json_is_one_document_and_progress_is_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("count", "--to", "2", "--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"items": [0, 1], "next": None}
    assert printed.err == "counting\n"


def test_a_person_reads_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("count", "--to", "2") == 0
    assert capsys.readouterr().out == "counting\nitems: [0, 1]\nnext: None\n"


def test_a_refusal_exits_with_3_and_says_why_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("refuse", "--json") == 3
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"code": "kill_engaged", "detail": "the kill switch is engaged", "epoch": 7}
    assert printed.err == "sample: the kill switch is engaged\n"


@pytest.mark.parametrize("words", [("count",), ("count", "--to", "many"), ("dance",), ()])
def test_bad_input_exits_with_2_even_before_anything_runs(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words, "--json") == 2
    assert json.loads(capsys.readouterr().out)["code"] == "bad_input"


def test_each_kind_of_failure_has_its_exit_code() -> None:
    assert [kind("why").returncode for kind in (CommandFailed, BadInput, Refused)] == [1, 2, 3]


def test_what_lies_in_the_current_folder_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "brokers.py").write_text("raise SystemExit('the wrong brokers')")
    done = subprocess.run(
        [sys.executable, PROJECT / "manage.py", "help"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_setting_that_cannot_be_read_is_told_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "paper", "status"],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": "sqlite:///db"},
        capture_output=True,
        text=True,
        check=False,
    )
    expected = "manage.py: DATABASE_URL: write postgresql://USER:PASSWORD@HOST:PORT/NAME\n"
    assert (done.returncode, done.stderr) == (2, expected)

"""The backtester beside others: the same bars and strategies come to the same fills and the same equity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.peers.clients import loop, ours
from bench.peers.workloads import CASES, QTY, Outcome, Work, signals, walk

BARS = 2_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "one.npy", walk(BARS, 7)[np.newaxis])
    np.save(tmp_path / "many.npy", np.stack([walk(BARS, seed) for seed in range(50)]))
    return tmp_path


@pytest.mark.parametrize("system", [ours, loop], ids=["ours", "bare loop"])
@pytest.mark.parametrize("case", ["w1", "w2", "w3"])
def test_fills_and_equity_are_those_reckoned_from_the_signals(folder: Path, case: str, system: object) -> None:
    work = Work(folder, CASES[case], BARS)
    run, outcome = system.prepare(work)
    run()
    expected = work.expected()["next open"]
    assert outcome() == expected
    assert expected.fills > 20


def test_an_average_that_is_equal_changes_nothing() -> None:
    closes = [100.0] * 40 + [101.0] + [100.0] * 40
    # Long while the rise is in the fast average, flat once it has left it and is still in the slow one.
    assert list(signals(closes, z_score=False)) == [(40, QTY), (50, -QTY)]


def test_what_is_bought_last_is_marked_at_the_last_close(tmp_path: Path) -> None:
    closes = [100.0] * 40 + [101.0, 102.0, 103.0]
    opens = [99.0] * 41 + [101.5, 102.5]
    bars = np.array([[opens, closes, closes, closes, closes]]).transpose(0, 2, 1)
    np.save(tmp_path / "one.npy", bars)
    work = Work(tmp_path, CASES["w1"], len(closes))
    assert work.expected()["next open"] == Outcome(1, 1e6 + QTY * (103.0 - 101.5))
    assert work.expected()["next close"] == Outcome(1, 1e6 + QTY * (103.0 - 102.0))

"""One run of one system, in its own environment and process: started by `bench.peers`, answers a line of JSON.

The timed part is the loop over the bars alone: importing the system and making its bars come before.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from bench.peers.workloads import CASES, Outcome, Work

#: What comes before the answer in the output, which the system may write into too.
MARK = "RESULT "

#: The run to be timed, and what came of it.
Prepared = tuple[Callable[[], object], Callable[[], Outcome]]


def peak_mb() -> float:
    """The most memory that this process has had resident so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module")
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--bars", type=int, required=True)
    parser.add_argument("--variant", default="")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    work = Work(options.folder, CASES[options.case], options.bars, options.variant)
    module = import_module(f"bench.peers.clients.{options.module}")
    run, outcome = module.prepare(work)
    before = peak_mb()
    started = time.perf_counter()
    run()
    seconds = time.perf_counter() - started
    after = peak_mb()
    fills, equity = outcome()
    result = {
        "version": module.VERSION,
        "bars": work.bars,
        "count": work.count,
        "seconds": seconds,
        "fills": fills,
        "equity": float(equity),
        "peak_mb": after,
        "run_mb": after - before,
    }
    sys.stdout.flush()
    print(MARK + json.dumps(result), flush=True)


if __name__ == "__main__":
    main()

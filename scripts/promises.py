"""Write into docs/reliability.md when each promise was last seen to hold: `python -m scripts.promises junit.xml`.

A promise holds where every test with its number in the name has passed in one run of them all; a test that was skipped
or left out says nothing. What the file says of promises that were not tested stays.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reliability.md"
#: A row of the table: the number, what is done and what holds, its tests, and when it last held.
ROW = re.compile(r"^\| (?P<number>\d+) \|(?P<words>.*\|.*\|.*)\| (?P<held>[^|]*) \|$")
NOT_YET = "not yet"


def outcomes(report: Path) -> dict[int, set[str]]:
    """What became of the tests of each promise: any of passed, failed, skipped."""
    found: dict[int, set[str]] = defaultdict(set)
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "")
        numbers = re.match(r"test((?:_\d\d)+)", name)
        if numbers is None:
            continue
        one = re.search(r"\[(\d\d)\b", name)
        outcome = {"failure": "failed", "error": "failed", "skipped": "skipped"}
        became = next((outcome[child.tag] for child in case if child.tag in outcome), "passed")
        for number in [one.group(1)] if one else numbers.group(1).strip("_").split("_"):
            found[int(number)].add(became)
    return found


def updated(page: str, found: dict[int, set[str]], day: str) -> str:
    """The page with the day in the rows of what held, and `NOT_YET` in those of what did not."""
    lines = []
    for line in page.split("\n"):
        row = ROW.match(line)
        became = found.get(int(row["number"]), set()) if row else set()
        if row and "failed" in became:
            line = f"| {row['number']} |{row['words']}| {NOT_YET} |"
        elif row and "passed" in became:
            line = f"| {row['number']} |{row['words']}| {day} |"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    found = outcomes(Path(sys.argv[1]))
    PAGE.write_text(updated(PAGE.read_text(), found, datetime.now(UTC).date().isoformat()))
    broken = sorted(number for number, became in found.items() if "failed" in became)
    print(f"{len(found) - len(broken)} promises hold; not yet: {', '.join(map(str, broken)) or 'none'}")


if __name__ == "__main__":
    main()

"""Write into docs/reliability.md when each promise was last seen to hold: `python -m scripts.promises junit.xml`.

A promise holds where every test with its number in the name has passed, in each of the files that its row names. What
the page says of a promise stays where that was not all of it: a test that was skipped or left out says nothing.
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
ROW = re.compile(r"^\| (?P<number>\d+) \|(?P<words>.*\|.*\|(?P<files>.*))\| (?P<held>[^|]*) \|$")
NOT_YET = "not yet"


#: What became of the tests of a promise in each file: any of passed, failed, skipped.
Outcomes = dict[int, dict[str, set[str]]]


def outcomes(report: Path) -> Outcomes:
    found: Outcomes = defaultdict(lambda: defaultdict(set))
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "")
        numbers = re.match(r"test((?:_\d\d)+)", name)
        if numbers is None:
            continue
        one = re.search(r"\[(\d\d)\b", name)
        outcome = {"failure": "failed", "error": "failed", "skipped": "skipped"}
        became = next((outcome[child.tag] for child in case if child.tag in outcome), "passed")
        file = case.get("classname", "").rpartition(".")[2]
        for number in [one.group(1)] if one else numbers.group(1).strip("_").split("_"):
            found[int(number)][file].add(became)
    return found


def _failed(files: dict[str, set[str]]) -> bool:
    return any("failed" in became for became in files.values())


def updated(page: str, found: Outcomes, day: str) -> str:
    """The page with the day in the rows of what held, and `NOT_YET` in those of what did not."""
    lines = []
    for line in page.split("\n"):
        row = ROW.match(line)
        became = found.get(int(row["number"]), {}) if row else {}
        if row and _failed(became):
            line = f"| {row['number']} |{row['words']}| {NOT_YET} |"
        elif row and all("passed" in became.get(file, ()) for file in re.findall(r"\w+", row["files"])):
            line = f"| {row['number']} |{row['words']}| {day} |"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    found = outcomes(Path(sys.argv[1]))
    PAGE.write_text(updated(PAGE.read_text(), found, datetime.now(UTC).date().isoformat()))
    broken = sorted(number for number, files in found.items() if _failed(files))
    print(f"{len(found) - len(broken)} promises hold; not yet: {', '.join(map(str, broken)) or 'none'}")


if __name__ == "__main__":
    main()

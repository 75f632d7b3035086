"""The program's version is that of its code."""

from __future__ import annotations

from pathlib import Path

from alphaswarm_site.version import program_version


def test_it_is_the_same_for_the_same_code_wherever_that_lies(tmp_path: Path) -> None:
    for home in ("a", "b"):
        (tmp_path / home / "trading").mkdir(parents=True)
        (tmp_path / home / "trading" / "x.py").write_text("1\n")
    assert program_version(tmp_path / "a") == program_version(tmp_path / "b")


def test_it_is_another_for_other_code_and_for_a_file_of_another_name(tmp_path: Path) -> None:
    folder = tmp_path / "trading"
    folder.mkdir()
    seen = {program_version(tmp_path)}
    (folder / "x.py").write_text("1\n")
    seen.add(program_version(tmp_path))
    (folder / "x.py").write_text("2\n")
    seen.add(program_version(tmp_path))
    (folder / "x.py").rename(folder / "y.py")
    seen.add(program_version(tmp_path))
    assert len(seen) == 4

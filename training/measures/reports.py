"""Where figures go: files that can be written, and tables in the documentation that commands fill in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def fill(page: Path, name: str, text: str) -> None:
    """Put the text between the marks `<!-- name -->` and `<!-- end of name -->` of a page, where there is such a page.

    Raises ValueError where the page has no such marks.
    """
    if not page.exists():
        return
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    old = page.read_text(encoding="utf-8")
    if old.count(start) != 1 or old.count(end) != 1:
        raise ValueError(f"{page} must hold the marks {start} and {end} once each")
    before, rest = old.split(start)
    page.write_text(f"{before}{start}\n{text}\n{end}{rest.split(end)[1]}", encoding="utf-8")


def make_place(file: Path) -> None:
    """Make the folder of a file to be written later. Raises OSError where the file could not be written.

    To be called before the work: what takes an hour to measure should not be lost to a slip of the pen.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    there = file.exists()
    with file.open("ab"):
        pass
    if not there:
        file.unlink()

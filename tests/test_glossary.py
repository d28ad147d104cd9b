"""The glossary: complete rows, both languages, and links to headings under which the term really stands."""

import re
from pathlib import Path

import pytest

LESSONS = Path(__file__).resolve().parents[1] / "sources" / "lessons"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def rows():
    lines = (LESSONS / "glossary.py").read_text(encoding="utf-8").splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("# |")]
    return [[cell.strip() for cell in row] for row in cells if row[0].strip() not in ("English", "---")]


ROWS = rows()
each = pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])


def sections(lesson):
    """The text under each heading of a lesson, the heading included, by the heading's anchor in JupyterLab."""
    text = (LESSONS / f"{lesson}.py").read_text(encoding="utf-8")
    parts = re.split(r"^# #+ (.+)$", text, flags=re.MULTILINE)
    return {heading.replace(" ", "-"): heading + body for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def test_there_are_seventy_terms_and_each_once():
    assert len(ROWS) >= 70
    assert len({row[0] for row in ROWS}) == len(ROWS)


@each
def test_a_row_is_complete(row):
    english, chinese, _, line, _ = row
    assert english
    assert CHINESE.search(chinese)
    assert line.endswith(".")
    assert len(line) <= 130


@each
def test_it_is_taught_where_the_row_says(row):
    english, chinese, symbol, _, link = row
    number, place, lesson, anchor = re.fullmatch(r"\[(\d\d), ([\d.]+)\]\((.+)\.ipynb#(.+)\)", link).groups()
    assert lesson.startswith(f"{number}_")
    assert anchor.startswith(place)
    text = sections(lesson)[anchor].lower()
    stems = [word[:5] for word in re.findall(r"[a-z0-9:]{3,}", english.lower())]
    names = [*stems, *re.findall(f"{CHINESE.pattern}+", chinese), *re.findall(r"`(\w+)`", symbol.lower())]
    assert any(name in text for name in names), f"{link} does not speak of it"

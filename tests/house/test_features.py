"""docs/features.md keeps its word: every row is there once, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]
PAGE = HOUSE / "docs" / "features.md"
NODE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)(?:\[([^\]]+)\])?`")
NUMBERS = (*(str(number) for number in range(1, 66)), *(f"B{number}" for number in range(1, 16)))


def rows() -> Iterator[list[str]]:
    """The cells of every numbered row."""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and re.fullmatch(r"B?\d+", cells[0]):
            yield cells


@cache
def names(path: str) -> frozenset[str]:
    """Whatever a file defines at its top: functions, classes, and names that are given a value."""
    found = set[str]()
    for node in ast.parse((HOUSE / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(found)


def nodes() -> list[tuple[str, str, str]]:
    """(file, test, the case of it or nothing) of everything that the page names."""
    return [(path, test, case or "") for path, test, case in NODE.findall(PAGE.read_text())]


def test_every_feature_and_every_lesson_has_its_row_once_and_in_order() -> None:
    assert tuple(cells[0] for cells in rows()) == NUMBERS


def test_a_feature_is_ours_or_does_not_apply_and_says_how_or_why() -> None:
    for number, _, ours, how, proof in (cells for cells in rows() if not cells[0].startswith("B")):
        assert ours in ("yes", "does not apply"), number
        assert how, f"{number} says neither how nor why not"
        assert proof or ours == "does not apply", f"{number} names no test"


def test_every_lesson_names_the_test_that_guards_us() -> None:
    assert all(NODE.search(cells[-1]) for cells in rows() if cells[0].startswith("B"))


def test_what_looks_like_a_test_on_the_page_is_read_as_one() -> None:
    assert PAGE.read_text().count(".py::") == len(nodes())


@pytest.mark.parametrize(("path", "test", "case"), sorted(set(nodes())))
def test_a_test_that_the_page_names_exists(path: str, test: str, case: str) -> None:
    """A case is a story: a function of the same file."""
    assert (HOUSE / path).is_file(), f"there is no {path}"
    assert test.lower().startswith("test"), f"pytest does not run {test}"
    assert test in names(path), f"{path} has no {test}"
    assert not case or case in names(path), f"{path} has no story {case}"

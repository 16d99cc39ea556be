"""The request table of the facts and the tests that make its calls name the same rows."""

from __future__ import annotations

import re

from tests.localcloud import test_sdk_table, test_sdk_table_assets, test_sdk_table_batch, test_sdk_table_jobs
from tests.localcloud.beside import SHARED, require
from tests.localcloud.sdk_rows import rows

FACTS = SHARED / "facts" / "azureml-wire.md"


def first_cells(text: str) -> list[str]:
    """The first cell of each row of the table in section 2, without the header."""
    section = text.partition("\n## 2. ")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)
    assert cells[0] == "SDK call", "the facts file has its table elsewhere now"
    return cells[1:]


def test_every_row_of_the_facts_table_is_named_by_a_test_and_no_test_names_another() -> None:
    require(FACTS, "the facts lie beside the checkout, in ../shared/facts")

    assert sorted(rows) == sorted(first_cells(FACTS.read_text()))


def test_the_tests_that_name_a_row_are_there() -> None:
    modules = (test_sdk_table, test_sdk_table_assets, test_sdk_table_batch, test_sdk_table_jobs)
    assert not [name for name in rows.values() if not any(hasattr(module, name) for module in modules)]

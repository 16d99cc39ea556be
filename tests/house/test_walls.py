"""What the import linter cannot say: rules about names, clocks, lazy imports and Azure's top-level package."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]
ROOMS = ("cloud", "policy", "rollout", "export", "drift", "pages")
TOP_LEVEL = (*ROOMS, "localcloud", "demo", "function_app")

BELOW_THE_DOORS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("time", "time"),
    ("time", "sleep"),
    ("uuid", "uuid4"),
    ("random", "random"),
}


OF_ONE_MACHINE = re.compile(
    r"localcloud|localhost|127\.0\.0\.1|azurite|devstoreaccount|//[^\s/\"']+:\d+", re.IGNORECASE
)
"""Names, hosts and ports that only a stand-in has: the app gets its endpoints from settings."""


def files(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((HOUSE / room).rglob("*.py"))]


def texts_of_the_app() -> list[Path]:
    """What the app is made of on Azure: code, queries, pages, host.json."""
    kept = (".py", ".kql", ".html", ".css", ".js", ".svg", ".json")
    inside = [path for room in ROOMS for path in sorted((HOUSE / room).rglob("*")) if path.suffix in kept]
    return [*inside, HOUSE / "function_app.py", HOUSE / "host.json"]


def shown(path: Path) -> str:
    return str(path.relative_to(HOUSE))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, whether it is imported when the file is) of every import."""
    tree = ast.parse(path.read_text())
    inside = {
        node
        for owner in ast.walk(tree)
        if isinstance(owner, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(owner, ast.If) and "TYPE_CHECKING" in ast.unparse(owner.test))
        for node in ast.walk(owner)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node not in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node not in inside


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_no_installed_package_has_one_of_our_top_level_names(name: str) -> None:
    assert packages_distributions().get(name) is None, f"an installed package would hide (or be hidden by) our {name}"


@pytest.mark.parametrize("path", files("policy", "rollout", "export", "drift", "pages"), ids=shown)
def test_only_cloud_imports_azure(path: Path) -> None:
    assert not [module for module, _ in imports(path) if module.split(".")[0] == "azure"]


@pytest.mark.parametrize("path", files(*ROOMS), ids=shown)
def test_heavy_packages_are_imported_when_they_are_used(path: Path) -> None:
    heavy = ("azure.ai", "azure.monitor", "azure.identity", "azure.storage", "evidently", "pandas", "pyarrow", "jinja2")
    assert not [module for module, at_once in imports(path) if at_once and module.startswith(heavy)]


@pytest.mark.parametrize("path", [one for one in files(*ROOMS) if one.name != "__main__.py"], ids=shown)
def test_clock_sleep_and_ids_are_injected_below_the_doors(path: Path) -> None:
    calls = [
        (ast.unparse(node.func.value).split(".")[-1], node.func.attr)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    assert not BELOW_THE_DOORS.intersection(calls)


@pytest.mark.parametrize("path", texts_of_the_app(), ids=shown)
def test_the_app_does_not_know_that_a_local_cloud_exists(path: Path) -> None:
    assert not OF_ONE_MACHINE.findall(path.read_text())


@pytest.mark.parametrize("text", [
    "import localcloud", "LOCALCLOUD_URL", "https://localhost/api", "127.0.0.1", "http://some.host:8080/x", "Azurite",
])  # fmt: skip
def test_what_belongs_to_one_machine_is_known(text: str) -> None:
    assert OF_ONE_MACHINE.search(text)


@pytest.mark.parametrize("path", files("localcloud"), ids=shown)
def test_the_local_cloud_imports_nothing_of_the_app(path: Path) -> None:
    app = {*ROOMS, "function_app", "demo"}
    assert not [module for module, _ in imports(path) if module.split(".")[0] in app]


def loaded_after(statements: str, role: str = "all") -> set[str]:
    """The top-level modules that a new interpreter has after these statements."""
    code = f"{statements}\nimport sys; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=HOUSE,
        env={"PATH": "/usr/bin:/bin", "UNDERSTUDY_ROLE": role},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_function_app_loads_nothing_heavy() -> None:
    loaded = loaded_after("import function_app")
    assert not {"azure.ai.ml", "evidently", "pandas", "pyarrow", "numpy", "azure.identity", "pydantic"} & loaded


LEAN = "from cloud.storage_package import without_aiohttp\nwith without_aiohttp():\n    import azure.storage.blob\n"


def test_the_clients_of_storage_load_no_transport_that_the_app_never_uses() -> None:
    assert "aiohttp" not in loaded_after(LEAN)


def test_whoever_needs_that_transport_can_load_it_afterwards() -> None:
    assert "aiohttp.client" in loaded_after(f"{LEAN}import aiohttp")


def test_the_control_role_never_loads_what_only_the_analysis_needs() -> None:
    rooms = [".".join(path.relative_to(HOUSE).with_suffix("").parts) for path in files("rollout", "pages", "policy")]
    statements = "import function_app, drift.store\n" + "\n".join(
        f"import {room}" for room in rooms if not room.endswith(("__init__", "__main__"))
    )
    assert not {"evidently", "pandas", "pyarrow"} & loaded_after(statements, "control")


@pytest.mark.parametrize(("role", "there", "absent"), [
    ("control", {"reconcile", "on_alert", "health"}, {"export_window", "drift_endpoint", "measure_drift"}),
    ("analysis", {"export_window", "drift_endpoint", "health"}, {"reconcile", "on_alert", "dashboard"}),
    ("all", {"reconcile", "on_alert", "health", "export_window", "drift_endpoint"}, set()),
])  # fmt: skip
def test_a_role_has_its_own_functions(role: str, there: set[str], absent: set[str]) -> None:
    code = "import function_app; print(' '.join(f.get_function_name() for f in function_app.app.get_functions()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=HOUSE,
        env={"PATH": "/usr/bin:/bin", "UNDERSTUDY_ROLE": role},
        capture_output=True,
        text=True,
        check=True,
    )
    functions = set(done.stdout.split())
    assert there <= functions
    assert not absent & functions

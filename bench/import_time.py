"""How long a cold worker waits for `import function_app`, beside what it cannot do without.

    python -m bench.import_time

Budget: at most 3 x `import azure.functions, azure.core`. Whole processes, interleaved, so that both meet the same
machine; the ratio is of medians.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 15
BUDGET = 3.0
BASE = "import azure.functions, azure.core"
CASES = {
    "python alone": "pass",
    BASE: BASE,
    "import function_app": "import function_app",
}


def seconds(statement: str) -> float:
    """One new interpreter that runs the statement, start to exit."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment, cwd=Path(__file__).parents[1])
    return time.perf_counter() - started


def main() -> int:
    """Print the table; 1 when the budget is missed."""
    for statement in CASES.values():
        seconds(statement)  # writes the bytecode and warms the page cache
    taken: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(RUNS):
        for name, statement in CASES.items():
            taken[name].append(seconds(statement))
    base = statistics.median(taken[BASE])
    print(f"{'':36} {'median ms':>10} {'fastest ms':>11} {'ratio':>6}   ({RUNS} runs each)")
    for name, values in taken.items():
        middle = statistics.median(values)
        print(f"{name:36} {middle * 1000:10.0f} {min(values) * 1000:11.0f} {middle / base:6.2f}")
    ratio = statistics.median(taken["import function_app"]) / base
    print(f"budget: at most {BUDGET:g} x `{BASE}`: {'kept' if ratio <= BUDGET else 'MISSED'} ({ratio:.2f} x)")
    return 0 if ratio <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())

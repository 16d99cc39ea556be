"""What a whole rollout asks of Azure, call by call, and how long a look takes.

    python -m bench.arm_calls

One rollout with the default times of a policy (shadow 1 h, canaries of 30 min, bake 1 h, a day until the old deployment
is deleted) at 1/600 of their length, and the app's two intervals (looks 30 s, memory of the endpoint 10 min) at the
same scale. Azure's buckets are small: 250 reads refilled with 25 a second, about 25 PUTs of deployments.
Budget (issue 4): under 120 reads and 12 writes beside what long-running operations poll. Exit status 1 beyond it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from tests.sweep.lane import Told, lane
from tests.sweep.stories import Story

SCALE = 600
MOST_READS, MOST_WRITES = 120, 12
INTERVALS = {"UNDERSTUDY_LOOK_SECONDS": f"{30 / SCALE}", "UNDERSTUDY_REREAD_SECONDS": f"{600 / SCALE}"}
STEPS = (
    f"shadow: {{mirror_percent: 50, at_least: {3600 // SCALE}s, at_most: 10m}}",
    f"canary: {{traffic_percent: 20, at_least: {1800 // SCALE}s, at_most: 10m}}",
    f"canary: {{traffic_percent: 50, at_least: {1800 // SCALE}s, at_most: 10m}}",
    f"full: {{bake: {3600 // SCALE}s}}",
    f"retire: {{after: {86400 // SCALE}s}}",
)
A_ROLLOUT = Story("a whole rollout", STEPS, ("2", "done"), {"2": 100}, ("2",), seconds=600)
BATCH = Story(
    "a batch rollout",
    (
        "smoke: {}",
        f"shadow: {{mirror_percent: 1, at_least: {3600 // SCALE}s, at_most: 10m}}",
        f"full: {{bake: {3600 // SCALE}s}}",
        f"retire: {{after: {86400 // SCALE}s}}",
    ),
    ("2", "done"),
    {"2": 100},
    ("2",),
    seconds=600,
    batch=True,
)
PHASES = ("none", "deploying", "testing", "shadow", "canary", "full", "retiring", "done")
KINDS = ("reads", "polling", "writes", "evidence", "discovery", "storage")


def main() -> int:
    """Tell the story once and print the tables; 1 when the budget is missed."""
    print(f"about {sum((3600, 1800, 1800, 3600, 86400, 3600, 3600, 86400)) // SCALE} s", file=sys.stderr)
    quiet = StringIO()  # the SDK's progress bars
    with (
        tempfile.TemporaryDirectory() as folder,
        redirect_stdout(quiet),
        redirect_stderr(quiet),
        lane(Path(folder), INTERVALS) as one,
    ):
        all_told = [one.tell(story) for story in (A_ROLLOUT, BATCH)]
    problems = [problem for told in all_told for problem in told.problems]
    if problems:
        print("\n".join(problems))
        return 1
    return max(_print(told) for told in all_told)


def kind_of(call: str) -> str:
    """The column of a call such as `~canary: GET endpoint`."""
    method, what = call.split(": ", 1)[1].split(" ", 1)
    if what.startswith(("blob", "queue")):
        return "storage"
    if what in ("log query", "deployment jobs", "models"):
        return "discovery" if what == "models" else "evidence"
    if method == "GET":
        return "polling" if call.startswith("~") else "reads"
    return "evidence" if what == "metrics" else "writes"


def _print(told: Told) -> int:
    counts = Counter((call.split(":")[0].removeprefix("~"), kind_of(call)) for call in told.calls)
    looks: dict[str, list[float]] = {}
    for line in told.looks:
        phase, seconds = line.split()
        looks.setdefault(phase, []).append(float(seconds) * 1000)
    print(f"\n{told.story}")
    print(f"{'phase':<12}" + "".join(f"{kind:>13}" for kind in KINDS) + f"{'looks':>8}{'median ms':>11}{'p95 ms':>9}")
    for phase in PHASES:
        row = "".join(f"{counts[phase, kind]:>13}" for kind in KINDS)
        print(f"{phase:<12}{row}{_times(looks.get(phase, []))}")
    total = {kind: sum(counts[phase, kind] for phase in PHASES) for kind in KINDS}
    every = [ms for of in looks.values() for ms in of]
    print(f"{'together':<12}" + "".join(f"{total[kind]:>13}" for kind in KINDS) + _times(every))
    within = total["reads"] < MOST_READS and total["writes"] < MOST_WRITES
    print(f"budget: under {MOST_READS} reads and {MOST_WRITES} writes beside polling: {'kept' if within else 'MISSED'}")
    return 0 if within else 1


def _times(ms: list[float]) -> str:
    if not ms:
        return f"{0:>8}{'-':>11}{'-':>9}"
    return f"{len(ms):>8}{statistics.median(ms):>11.0f}{sorted(ms)[int(len(ms) * 0.95)]:>9.0f}"


if __name__ == "__main__":
    sys.exit(main())

"""What is left at the end: how each story ended, what clients saw, and where to read more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.client import LiveTraffic
from demo.referee import Reading, wrong_answers
from demo.stories import STORIES


@dataclass(frozen=True)
class Outcome:
    """How one story ended."""

    letter: str
    title: str
    succeeded: bool
    seconds: float
    text: str


@dataclass(frozen=True)
class ClientsSaw:
    """All requests of the run, judged."""

    sent: int
    failed: int
    failures: Mapping[str, int]
    wrong: int
    by_version: Mapping[str, int]

    @property
    def is_good(self) -> bool:
        """Nobody was failed, nobody was answered by a version that was not allowed to."""
        return self.sent > 0 and not self.failed and not self.wrong


def judge(traffic: LiveTraffic | None, readings: Sequence[Reading], versions: Mapping[str, str]) -> ClientsSaw:
    """Count what clients saw against what Azure said of the split."""
    answers = traffic.answers() if traffic else []
    served: dict[str, int] = {}
    for answer in answers:
        if answer.deployment is not None:
            name = versions.get(answer.deployment, answer.deployment)
            served[name] = served.get(name, 0) + 1
    failures = traffic.failures() if traffic else {}
    return ClientsSaw(
        len(answers),
        sum(failures.values()),
        failures,
        len(wrong_answers(answers, readings)),
        dict(sorted(served.items())),
    )


def text(
    outcomes: Sequence[Outcome], saw: ClientsSaw, notes: Mapping[str, str], places: Mapping[str, Path], origin: str
) -> str:
    """The whole summary."""
    lines = ["", "Summary", "=======", f"rows: {origin}", ""]
    told = {outcome.letter: outcome for outcome in outcomes}
    for story in STORIES:
        outcome = told.get(story.letter)
        mark, took = ("not played", "") if outcome is None else _mark(outcome)
        lines.append(f"  {story.letter}  {mark:<10} {took:>7}  {story.title}")
        if outcome is not None and outcome.text:
            lines.append(f"{'':24}{outcome.text}")
    served = ", ".join(f"version {version}: {count:,}" for version, count in saw.by_version.items())
    figures = {
        "client requests sent": f"{saw.sent:,} ({served})",
        "failed": f"{saw.failed}" + "".join(f"; {count} x {kind}" for kind, count in saw.failures.items()),
        "wrong version answers": str(saw.wrong),
        **notes,
    }
    lines += ["", *(f"  {name:<46}{value}" for name, value in figures.items())]
    lines += ["", *(f"  {name:<46}{path}" for name, path in places.items())]
    return "\n".join(lines)


def _mark(outcome: Outcome) -> tuple[str, str]:
    return ("as it should" if outcome.succeeded else "OTHERWISE"), f"{outcome.seconds:.1f} s"

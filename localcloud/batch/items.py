"""Files in mini batches through one scorer, with retries and a time limit each, and a count of what failed.

As on Azure: what `run` returns is one element per successful input, so fewer elements than files are failures; a mini
batch that raises or overruns its time is tried again, and then all of its files have failed; a job whose failures
exceed the error threshold ends (-1: never). How many mini batches run at once is `workers`' affair.
"""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from localcloud.batch.workers import run_all


class Scorer(Protocol):
    """How one mini batch is scored."""

    def run(self, files: list[str]) -> tuple[int, list[str]]:
        """(how many of the files succeeded, the lines that they add to the output)."""

    def rows_of(self, file: str) -> int:
        """How many rows a file holds that failed as a whole; 0 where rows are not counted."""


class TooManyFailures(Exception):
    """The error threshold is exceeded."""


@dataclass(frozen=True)
class Limits:
    """How patient a deployment is."""

    mini_batch_size: int
    max_retries: int
    timeout_seconds: float
    error_threshold: int
    at_once: int = 1


@dataclass
class Count:
    """What became of the files."""

    items: int = 0
    failed_items: int = 0
    failed_rows: int = 0


def score_files(
    make_scorer: Callable[[], Scorer], files: Sequence[Path], limits: Limits, output: Path | None, count: Count
) -> None:
    """Score them all, appending lines to `output` (None: the script writes its own files); fills `count` as it goes."""
    size = limits.mini_batch_size
    batches = [[str(file) for file in files[start : start + size]] for start in range(0, len(files), size)]
    results = run_all(make_scorer, lambda scorer, batch: _score(scorer, batch, limits), batches, limits.at_once)
    for batch, (succeeded, lines, failed_rows) in zip(batches, results, strict=True):
        count.items += len(batch)
        count.failed_items += max(0, len(batch) - succeeded)
        count.failed_rows += failed_rows
        if output is not None:
            with output.open("a", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in lines)
        if 0 <= limits.error_threshold < count.failed_items:
            results.close()
            raise TooManyFailures(
                f"{count.failed_items} of {count.items} files failed so far; the error threshold is "
                f"{limits.error_threshold}."
            )


def _score(scorer: Scorer, batch: Sequence[str], limits: Limits) -> tuple[int, list[str], int]:
    """(files that succeeded, lines, rows of a mini batch that failed as a whole)."""
    succeeded, lines = _with_retries(scorer, list(batch), limits)
    return succeeded, lines, 0 if succeeded else sum(scorer.rows_of(file) for file in batch)


def _with_retries(scorer: Scorer, batch: list[str], limits: Limits) -> tuple[int, list[str]]:
    for attempt in range(limits.max_retries + 1):
        try:
            with _time_limit(limits.timeout_seconds):
                return scorer.run(batch)
        except Exception:
            print(f"Mini batch of {len(batch)} files failed, attempt {attempt + 1}:", flush=True)
            traceback.print_exc()
    return 0, []


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """TimeoutError in the middle of whatever runs; of the main thread only, where signals arrive."""

    def overrun(*_: Any) -> None:
        raise TimeoutError(f"the mini batch took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, overrun)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

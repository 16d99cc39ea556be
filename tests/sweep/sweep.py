"""The whole sweep: each story once for every external call that it makes, killed before it and after it.

    python -m tests.sweep                        hours on two cores: thousands of rollouts
    python -m tests.sweep --every 20 --lanes 2   every 20th of the points

Prints a line for each point that ended otherwise than the story must, and a table of the points tried. Exit status 1
when there was one. `make test` runs a shorter form: in one rollout of each story, a death at every kind of write.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from tests.sweep.calls import Point
from tests.sweep.lane import Told, lane
from tests.sweep.stories import STORIES


def main() -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--story", choices=sorted(STORIES), action="append", help="only this story (may be repeated)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth point of each story (1)")
    parser.add_argument("--lanes", type=int, default=2, metavar="N", help="local clouds at work side by side (2)")
    chosen = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    orders: Any = context.Queue()
    answers: Any = context.Queue()
    workers = [context.Process(target=_work, args=(orders, answers), daemon=True) for _ in range(chosen.lanes)]
    for worker in workers:
        worker.start()
    names = chosen.story or list(STORIES)
    for name in names:
        orders.put((name, None))
    undisturbed = {told.story: told for told in _answers(answers, len(names), workers)}
    points = [
        (name, Point(call, after))
        for name in names
        for call in range(1, len(undisturbed[name].calls) + 1)
        for after in (False, True)
        if (2 * call + after) % chosen.every == 0
    ]
    for one in points:
        orders.put(one)
    results = [*undisturbed.values(), *_answers(answers, len(points), workers)]
    for _ in workers:
        orders.put(None)
    for worker in workers:
        worker.join()
    _print(names, undisturbed, results)
    return 1 if any(told.problems for told in results) else 0


def _work(orders: Any, answers: Any) -> None:
    """One lane's process: a stack of its own, one story after the other. The SDK's progress bars go nowhere."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
        lane(Path(folder)) as one,
    ):
        while (order := orders.get()) is not None:
            name, point = order
            answers.put((point, one.tell(STORIES[name], point)))


def _answers(answers: Any, count: int, workers: list[Any]) -> list[Told]:
    """So many answers, with a line for each that is wrong."""
    found: list[Told] = []
    started = time.monotonic()
    while len(found) < count:
        try:
            point, told = answers.get(timeout=5)
        except queue.Empty:
            if not any(worker.is_alive() for worker in workers):
                raise SystemExit("every lane has ended; see its error above") from None
            continue
        found.append(told)
        for problem in told.problems:
            print(f"WRONG {told.story}, killed {point or 'never'} ({'; '.join(told.deaths)}): {problem}", flush=True)
        if sys.stderr.isatty() or len(found) % 25 == 0:
            print(
                f"\r{len(found)} of {count} in {time.monotonic() - started:.0f} s", end="", file=sys.stderr, flush=True
            )
    print(file=sys.stderr)
    return found


def _print(names: list[str], undisturbed: dict[str, Told], results: list[Told]) -> None:
    print(f"{'story':<12}{'calls':>8}{'points tried':>14}{'died':>8}{'wrong':>8}{'seconds each':>14}")
    for name in names:
        of = [told for told in results if told.story == name]
        died, wrong = sum(bool(told.deaths) for told in of), sum(bool(told.problems) for told in of)
        each = sum(told.seconds for told in of) / len(of)
        print(f"{name:<12}{len(undisturbed[name].calls):>8}{len(of) - 1:>14}{died:>8}{wrong:>8}{each:>14.1f}")

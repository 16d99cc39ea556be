"""The whole sweep: in each story, the process killed before and after every external call.

    python -m tests.sweep                        all five stories
    python -m tests.sweep --story promote --stage canary --from 12 --to 12   the same point again, by itself

A story is told again and again. In the nth pair of tellings the process dies before, and after, the nth call of each
stage (a phase before or after its split is read back, and the runs that send events); the next life comes to the next
stage by itself and dies there: one death at a time, several points in a telling. The end is where no stage has an nth
call.

Prints a line for each telling that ended otherwise than the story must, and a table of the points tried. Exit status 1
when there was one. `make test` runs a shorter form: in one telling of each story, a death at every kind of write.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from tests.sweep.calls import Point
from tests.sweep.lane import Told, lane
from tests.sweep.stories import STORIES

MOST = 10_000
"""Calls of a stage; none has nearly as many."""


def main() -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--story", choices=sorted(STORIES), action="append", help="only this story (may be repeated)")
    parser.add_argument("--stage", default="", help="die only in this stage: one death in a telling")
    parser.add_argument("--from", type=int, default=1, metavar="N", dest="first", help="begin with the Nth call (1)")
    parser.add_argument("--to", type=int, default=MOST, metavar="N", dest="last", help="end with the Nth call")
    parser.add_argument("--lanes", type=int, default=2, metavar="N", help="local clouds at work side by side (2)")
    chosen = parser.parse_args()
    lanes = _Lanes(chosen.lanes)
    results = dict[str, list[Told]]()
    print(f"{'story':<12}{'tellings':>10}{'points tried':>14}{'wrong':>8}{'minutes':>9}", flush=True)
    for name in chosen.story or list(STORIES):
        began = time.monotonic()
        results[name] = told = lanes.swept(name, chosen.stage, chosen.first, chosen.last)
        tried, wrong = sum(len(one.deaths) for one in told), sum(bool(one.problems) for one in told)
        print(f"{name:<12}{len(told):>10}{tried:>14}{wrong:>8}{(time.monotonic() - began) / 60:>9.1f}", flush=True)
    lanes.end()
    print(f"{'together':<12}{'':>10}{sum(len(one.deaths) for told in results.values() for one in told):>14}")
    return 1 if any(one.problems for told in results.values() for one in told) else 0


class _Lanes:
    """Processes that tell stories side by side."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._orders: Any = context.Queue()
        self._answers: Any = context.Queue()
        self._processes = [
            context.Process(target=_work, args=(self._orders, self._answers), daemon=True) for _ in range(count)
        ]
        for process in self._processes:
            process.start()

    def swept(self, name: str, stage: str, first: int, last: int) -> list[Told]:
        """What was told of a story until no stage had another call."""
        points = iter([Point(call, after, stage) for call in range(first, last + 1) for after in (False, True)])
        found, under_way, deathless = list[Told](), 0, 0
        while True:
            while under_way <= len(self._processes) and deathless < 2 and (point := next(points, None)):
                self._orders.put((name, point))
                under_way += 1
            if not under_way:
                return found
            point, told = self._answer()
            under_way -= 1
            deathless += not told.deaths
            found.append(told)
            print(f"{name} {point}: {len(told.deaths)} deaths in {told.seconds:.1f} s", file=sys.stderr, flush=True)
            for problem in told.problems:
                print(f"WRONG {told.story}, killed {point} ({'; '.join(told.deaths)}): {problem}", flush=True)

    def end(self) -> None:
        """Let every process end its local cloud."""
        for _ in self._processes:
            self._orders.put(None)
        for process in self._processes:
            process.join()

    def _answer(self) -> tuple[Point, Told]:
        while True:
            with suppress(queue.Empty):
                answer: tuple[Point, Told] = self._answers.get(timeout=5)
                return answer
            if not any(process.is_alive() for process in self._processes):
                raise SystemExit("every lane has ended; see its error above")


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

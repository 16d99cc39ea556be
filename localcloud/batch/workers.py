"""Mini batches on several processes at once, each with a scorer of its own, as on Azure's instances.

`max_concurrency_per_instance` times the instances says how many; a machine here takes at most MOST. One of them needs
no process of its own. Results come in the order of the mini batches, so an output reads the same whatever ran beside
what. A worker that dies ends the job, with the mini batches that it had.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

MOST = 8
Batch = Sequence[str]
Worker = TypeVar("Worker")
Result = TypeVar("Result")

_worker: list[object] = []
"""The one that this process has."""


def run_all(
    make: Callable[[], Worker], run: Callable[[Worker, Batch], Result], batches: Sequence[Batch], at_once: int
) -> Generator[Result]:
    """`run` of each batch, in order, on as many workers as `at_once` says. Closing the iterator ends them."""
    workers = min(at_once, len(batches), MOST)
    if workers <= 1:
        worker = make()
        yield from (run(worker, batch) for batch in batches)
        return
    # Forked before anything else runs here: what `make` and `run` refer to need not be pickled.
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(make, run))
    futures = [pool.submit(_run, batch) for batch in batches]
    try:
        for future in futures:
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()


def _start(make: Callable[[], Worker], run: Callable[[Worker, Batch], Result]) -> None:
    worker = make()
    _worker[:] = [lambda batch: run(worker, batch)]


def _run(batch: Batch) -> Any:
    (run,) = _worker
    assert callable(run)
    return run(batch)

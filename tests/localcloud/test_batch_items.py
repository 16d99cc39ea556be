"""Mini batches: several at once, in order, tried again, and what a failure of some of them means for all."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from localcloud.batch.items import Count, Limits, TooManyFailures, score_files
from localcloud.batch.workers import run_all


class Named:
    """Says each file's name and the process that scored it; some names have a meaning."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, files: list[str]) -> tuple[int, list[str]]:
        names = [Path(file).name for file in files]
        if "broken" in names:
            raise ValueError("broken on purpose")
        if "once" in names and not (self._folder / "tried").exists():
            (self._folder / "tried").touch()
            raise ValueError("the first time only")
        if "endless" in names:
            time.sleep(60)
        return len(files), [f"{name} {os.getpid()}" for name in names]

    def rows_of(self, file: str) -> int:
        return 7 if file else 0


def scored(folder: Path, names: Sequence[str], **limits: float) -> tuple[list[str], Count]:
    """(lines, counts) of scoring files of these names."""
    values = {"mini_batch_size": 1, "max_retries": 1, "timeout_seconds": 20, "error_threshold": -1, **limits}
    output, count = folder / "output", Count()
    files = [folder / name for name in names]
    score_files(lambda: Named(folder), files, Limits(**values), output, count)  # type: ignore[arg-type]
    return output.read_text().splitlines(), count


def meet(folder: Path, batch: Sequence[str]) -> int:
    """Come, and wait until four have come: only possible for four at once."""
    (folder / batch[0]).touch()
    deadline = time.monotonic() + 20
    while len(list(folder.iterdir())) < 4:
        assert time.monotonic() < deadline, "the others never came"
        time.sleep(0.01)
    return os.getpid()


def test_as_many_mini_batches_run_at_once_as_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "met"
    folder.mkdir()

    processes = list(run_all(lambda: folder, meet, [["a"], ["b"], ["c"], ["d"]], 4))

    assert len(set(processes)) == 4


def test_the_output_is_in_the_order_of_the_files_however_many_run_at_once(tmp_path: Path) -> None:
    names = [f"{number:02}" for number in range(20)]

    lines, count = scored(tmp_path, names, at_once=3)

    assert [line.split()[0] for line in lines] == names
    assert (count.items, count.failed_items) == (20, 0)


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_mini_batch_that_fails_for_good_is_counted_and_the_others_go_on(tmp_path: Path, at_once: int) -> None:
    lines, count = scored(tmp_path, ["a", "broken", "b", "once"], at_once=at_once, error_threshold=1)

    assert [line.split()[0] for line in lines] == ["a", "b", "once"]
    assert (count.items, count.failed_items, count.failed_rows) == (4, 1, 7)


def test_more_failures_than_the_threshold_end_the_job_without_waiting_for_what_still_runs(tmp_path: Path) -> None:
    began = time.monotonic()

    with pytest.raises(TooManyFailures, match="1 of 1 files failed so far; the error threshold is 0"):
        scored(tmp_path, ["broken", "endless"], at_once=2, error_threshold=0)

    assert time.monotonic() - began < 20


def test_a_worker_that_dies_ends_the_job(tmp_path: Path) -> None:
    def die(_: Path, batch: Sequence[str]) -> int:
        os._exit(3) if batch == ["b"] else None
        return 1

    with pytest.raises(Exception, match="terminated abruptly"):
        list(run_all(lambda: tmp_path, die, [["a"], ["b"], ["c"]], 2))

"""The journal in storage: appended once, whatever died or was lost between the append and the record's write."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cloud.blobs import Blobs
from cloud.errors import Conflict
from rollout.looks import archived, block_of, flushed, lines_of
from rollout.phases import Phase
from rollout.record import Journal, Record, from_json, to_json
from rollout.store import Store
from tests.analysis_cloud import AnalysisCloud
from tests.rollout.world import standing


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """A rollout of the test's own, whose first two lines wait in it."""
    lines: tuple[dict[str, Any], ...] = ({"look": 1, "seen": {}}, {"look": 2, "changed": {}})
    return standing(Phase.DONE, endpoint=request.node.name.lower(), journal=Journal(2, 0, lines))


def with_line(record: Record, number: int) -> Record:
    pending = (*record.journal.pending, {"look": number, "seen": {}})
    return replace(record, journal=replace(record.journal, looks=number, pending=pending))


def looks_of(blobs: Blobs, record: Record) -> list[int]:
    stored = blobs.read("history", f"credit/production/{record.endpoint}/2.looks.jsonl.gz")
    return [line["look"] for line in lines_of(stored.data)] if stored else []


def test_lines_move_to_the_history_block_after_block(cloud: AnalysisCloud, record: Record) -> None:
    first = flushed(cloud.blobs, record)
    assert first.journal.pending == ()
    second = flushed(cloud.blobs, with_line(first, 3))

    assert looks_of(cloud.blobs, record) == [1, 2, 3]
    assert second.journal.size == cloud.blobs.size("history", f"credit/production/{record.endpoint}/2.looks.jsonl.gz")
    assert flushed(cloud.blobs, second) == second


def test_a_worker_that_died_after_the_append_and_before_the_records_write_appends_nothing_twice(
    cloud: AnalysisCloud, record: Record
) -> None:
    lost = flushed(cloud.blobs, record)
    again = flushed(cloud.blobs, record)
    assert again == lost
    died = flushed(cloud.blobs, with_line(lost, 3))
    assert flushed(cloud.blobs, with_line(lost, 3)) == died

    assert looks_of(cloud.blobs, record) == [1, 2, 3]


def test_after_an_append_that_is_not_ours_the_lines_go_to_the_end(cloud: AnalysisCloud, record: Record) -> None:
    one = flushed(cloud.blobs, record)
    name = f"credit/production/{record.endpoint}/2.looks.jsonl.gz"
    stray = block_of(({"look": 2, "changed": {}},))
    cloud.blobs.append("history", name, stray, position=one.journal.size)
    flushed(cloud.blobs, with_line(one, 3))

    assert looks_of(cloud.blobs, record) == [1, 2, 2, 3]


def test_a_deleted_journal_begins_again(cloud: AnalysisCloud, record: Record) -> None:
    one = flushed(cloud.blobs, record)
    cloud.blobs.delete("history", f"credit/production/{record.endpoint}/2.looks.jsonl.gz")
    flushed(cloud.blobs, with_line(one, 3))

    assert looks_of(cloud.blobs, record) == [3]


def test_what_cannot_be_appended_stays_in_the_record(cloud: AnalysisCloud, record: Record) -> None:
    name = f"credit/production/{record.endpoint}/2.looks.jsonl.gz"
    cloud.blobs.write("history", name, b"a block blob has its place")

    assert flushed(cloud.blobs, record) == record


def test_an_append_at_another_place_is_a_conflict(cloud: AnalysisCloud, record: Record) -> None:
    assert cloud.blobs.append("history", record.endpoint, b"one", position=0) == 3
    for position in (0, 2, 4):
        with pytest.raises(Conflict):
            cloud.blobs.append("history", record.endpoint, b"two", position=position)
    assert cloud.blobs.append("history", record.endpoint, b"two", position=3) == 6


def test_the_finished_rollouts_of_an_endpoint_are_listed_newest_first_without_the_present_one(
    cloud: AnalysisCloud, record: Record
) -> None:
    store = Store(cloud.blobs)
    for number in (1, 2, 9, 10, 11):
        store.archive(replace(record, number=number, version=str(number)))
        store.archive_log(replace(record, number=number), "gone", "its log")
    found = store.earlier(replace(record, number=11), 3)

    assert [one["number"] for one in found] == [10, 9, 2]
    assert (found[0]["version"], found[0]["phase"], found[0]["kind"]) == ("10", "done", "rollout")
    assert found[0]["blob"] == f"history/credit/production/{record.endpoint}/10.json"
    assert found[0]["ended"] == "2026-05-04T11:50:00.000000Z"


def test_the_log_of_a_deployment_that_is_deleted_later_is_kept_beside_the_rollout_that_made_it(
    cloud: AnalysisCloud, record: Record
) -> None:
    store = Store(cloud.blobs)
    store.archive(replace(record, number=3, candidate="mine"))
    store.archive(replace(record, number=4, candidate="theirs"))
    later = replace(record, number=5, phase=Phase.ROLLED_BACK, candidate="newest")

    store.archive_log(later, "mine", "rollout 3's")
    store.archive_log(replace(later, phase=Phase.DEPLOYING, candidate="theirs", since=None), "theirs", "rollout 4's")
    store.archive_log(replace(later, phase=Phase.DEPLOYING, candidate="theirs"), "theirs", "its own")

    place = f"history/credit/production/{record.endpoint}"
    assert [(one["number"], one["logs"]) for one in store.earlier(later, 9)] == [
        (4, [f"{place}/4.theirs.log"]),
        (3, [f"{place}/3.mine.log"]),
    ]
    own = cloud.blobs.read("history", f"credit/production/{record.endpoint}/5.theirs.log")
    assert own is not None
    assert own.data == b"its own"


def test_a_finished_rollouts_file_has_the_record_and_every_look_and_is_made_once(
    cloud: AnalysisCloud, record: Record
) -> None:
    store = Store(cloud.blobs)
    done = with_line(flushed(cloud.blobs, record), 3)
    store.archive(done)
    store.archive(replace(done, reasons=("something else",)))

    stored = cloud.blobs.read("history", f"credit/production/{record.endpoint}/2.json")
    assert stored is not None
    file = json.loads(stored.data)
    assert [line["look"] for line in file.pop("looks")] == [1, 2, 3]
    assert from_json(file) == replace(done, journal=Journal())
    assert json.loads(archived(cloud.blobs, done)) == json.loads(stored.data)
    assert {"journal"} == set(to_json(done)) - set(file)


def test_a_damaged_journal_does_not_keep_a_finished_rollout_from_the_history(
    cloud: AnalysisCloud, record: Record
) -> None:
    one = flushed(cloud.blobs, record)
    name = f"credit/production/{record.endpoint}/2.looks.jsonl.gz"
    cloud.blobs.append("history", name, b"no gzip", position=one.journal.size)

    file = json.loads(archived(cloud.blobs, with_line(one, 3)))

    assert [line["look"] for line in file["looks"]] == [3]

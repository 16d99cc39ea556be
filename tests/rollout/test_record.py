"""The record and its JSON form."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.codec import moment, stamp
from rollout.phases import Flag, Phase
from rollout.record import Entry, Leftover, Measured, Record, Tried, from_json, to_json
from tests.rollout.world import NOW, standing

SETTINGS = settings(max_examples=100, derandomize=True, deadline=None, database=None)
texts = st.text(max_size=12)
FIRST = NOW.replace(year=1970, tzinfo=None)  # the first hours of the year 1 have no time in UTC
times = st.datetimes(FIRST, timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))
splits = st.dictionaries(texts, st.integers(0, 100), max_size=3)
records = st.builds(
    Record,
    model_created=times,
    started=times,
    entered=times,
    phase=st.sampled_from(Phase),
    outcome=st.sampled_from(Phase),
    since=st.none() | times,
    next_look=st.none() | times,
    harm_seen=st.none() | times,
    back_asked=st.none() | times,
    live=st.none() | texts,
    traffic=splits,
    mirror=splits,
    asked=st.none() | st.tuples(splits, splits),
    flags=st.frozensets(st.sampled_from(Flag)),
    holds=st.frozensets(texts, max_size=2),
    reasons=st.lists(texts, max_size=2).map(tuple),
    handled=st.lists(texts, max_size=2).map(tuple),
    entries=st.lists(st.builds(Entry, times, st.sampled_from(Phase), texts, texts), max_size=2).map(tuple),
    evidence=st.lists(st.builds(Measured, texts, texts, texts), max_size=2).map(tuple),
    tried=st.lists(st.builds(Tried, texts, times), max_size=2).map(tuple),
    leftovers=st.lists(st.builds(Leftover, texts, times), max_size=2).map(tuple),
    passed=st.booleans(),
    list_versions=st.booleans(),
    refused=texts,
    kind=texts,
    released=st.frozensets(texts, max_size=2),
    evidence_at=st.none() | times,
    retired=st.booleans(),
    blocked_since=st.none() | times,
    blocked_seconds=st.floats(0, 1e6),
    step=st.integers(-1, 20),
    writes=st.integers(0),
)


@SETTINGS
@given(records)
def test_a_record_comes_back_from_its_blob_as_it_was_written(record: Record) -> None:
    assert from_json(json.loads(json.dumps(to_json(record)))) == record


def test_every_field_of_the_record_is_written() -> None:
    """Two have other names on the outside: the contract calls them so."""
    outside = {"writes": "record", "entries": "history"}

    assert set(to_json(standing(Phase.CANARY))) == {outside.get(field.name, field.name) for field in fields(Record)}


def test_a_record_of_an_older_build_is_read() -> None:
    record = standing(Phase.CANARY)
    later = ("released", "evidence_at", "retired", "blocked_since", "blocked_seconds")

    assert from_json({key: value for key, value in to_json(record).items() if key not in later}) == record


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-04T12:00:00Z", NOW),
        ("2026-05-04T14:00:00+02:00", NOW),
        ("2026-05-04T12:00:00.1234567Z", NOW.replace(microsecond=123456)),
        ("2026-05-04T12:00:00.12+00:00", NOW.replace(microsecond=120000)),
        ("2026-05-04T17:30:00.5+05:30", NOW.replace(microsecond=500000)),
    ],
)
def test_a_moment_is_read_in_every_form_that_azure_writes(text: str, expected: datetime) -> None:
    assert moment(text) == expected


@SETTINGS
@given(times)
def test_a_stamp_is_utc_with_z_and_loses_nothing(at: datetime) -> None:
    assert stamp(at).endswith("Z")
    assert moment(stamp(at)) == at


def test_the_same_line_is_not_noted_twice_in_a_row() -> None:
    record = standing(Phase.CANARY).noted(NOW, "write", "asked")

    assert record.noted(NOW + timedelta(hours=1), "write", "asked") == record
    assert len(record.noted(NOW, "alert", "fired").noted(NOW, "write", "asked").entries) == 3
    assert len(record.noted(NOW, "alert", "asked").entries) == 2


def test_a_trouble_is_noted_again_only_when_twenty_other_lines_came_between() -> None:
    record = standing(Phase.CANARY).noted(NOW, "trouble", "429").noted(NOW, "trouble", "500")
    assert record.noted(NOW, "trouble", "429") == record

    for number in range(19):
        record = record.noted(NOW, "write", f"split {number}")

    assert record.noted(NOW, "trouble", "500") == record
    assert len(record.noted(NOW, "trouble", "429").entries) == len(record.entries) + 1


def test_a_history_that_grows_too_long_loses_its_oldest_troubles_and_nothing_else() -> None:
    record = standing(Phase.CANARY)
    for number in range(300):
        record = record.noted(NOW, "trouble", f"trouble {number}").noted(NOW, "decision", f"decision {number}")

    causes = [entry.cause for entry in record.entries]
    assert (causes.count("decision"), causes.count("trouble")) == (300, 100)
    assert record.entries[-2].text == "trouble 299"

    for number in range(300):
        record = record.noted(NOW, "alert", f"alert {number}")
    assert [entry.cause for entry in record.entries] == ["decision"] * 300 + ["alert"] * 300


def test_a_line_of_the_history_says_in_which_phase_it_was_written() -> None:
    (entry,) = standing(Phase.CANARY).noted(NOW, "alert", "fired").entries

    assert entry == Entry(NOW, Phase.CANARY, "alert", "fired")

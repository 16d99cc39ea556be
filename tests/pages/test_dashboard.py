"""What a reader of the dashboard can rely on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pages.dashboard import (
    PHASES,
    AlertView,
    DashboardView,
    DriftView,
    EvidenceView,
    FreezeView,
    HistoryView,
    RolloutView,
    render,
)

CANARY = RolloutView(
    policy="credit-default",
    target="production",
    endpoint="credit",
    kind="rollout",
    model="credit-card-default",
    version="4",
    phase="canary",
    step="canary 20 %",
    flags=(),
    live="credit-3-a1b2c3",
    candidate="credit-4-0f9e8d",
    traffic={"credit-4-0f9e8d": 20, "credit-3-a1b2c3": 80},
    mirror={},
    reasons=("at least 5m 12s more",),
    evidence=(EvidenceView("latency_p95", "unknown", "1.15 times live"),),
    since="2026-11-21T03:59:01.123Z",
    next_look="2026-11-21T03:59:59Z",
    history=tuple(HistoryView(f"2026-11-21T03:0{n}:00Z", "canary", f"line {n}") for n in range(6)),
)
NOTHING = DashboardView(rollouts=(), policy_errors=(), unmatched_alerts=(), drift=(), generated="2026-11-21T04:00:00Z")


class Page(HTMLParser):
    """A parsed page: its tags with attributes and its text; says when tags do not match."""

    VOID = frozenset({"meta", "br", "hr", "img", "input", "link"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == [], f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str, attribute: str) -> list[str]:
        return [str(attributes[attribute]) for name, attributes in self.tags if name == tag and attribute in attributes]


def page(*rollouts: RolloutView, view: DashboardView = NOTHING) -> Page:
    return Page(render(replace(view, rollouts=rollouts)))


def test_an_empty_dashboard_says_what_to_do_next() -> None:
    text = page().text
    assert "No rollouts yet" in text
    assert "policies/<name>.yaml" in text
    assert "Register a version" in text


def test_a_dashboard_where_all_is_over_does_not_look_empty() -> None:
    assert "Nothing is moving" in page(replace(CANARY, phase="done")).text


def test_a_rollout_shows_what_where_why_and_when() -> None:
    text = page(CANARY).text
    for part in ("credit", "credit-default · production", "version 4", "canary 20 %", "at least 5m 12s more"):
        assert part in text
    assert "since 2026-11-21 03:59:01" in text
    assert "next look 2026-11-21 03:59:59" in text


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_is_told_in_words_and_not_only_in_colour(phase: str) -> None:
    assert PHASES[phase][0] in page(replace(CANARY, phase=phase)).text


def test_a_phase_that_the_page_does_not_know_is_shown_as_it_is() -> None:
    assert "some new phase" in page(replace(CANARY, phase="some_new_phase")).text


def test_a_verdict_is_told_in_words_and_not_only_in_colour() -> None:
    text = page(CANARY).text
    assert "? not enough evidence" in text
    assert "1.15 times live" in text


def test_what_the_table_of_the_evidence_tells_is_not_told_again_above_it() -> None:
    text = page(replace(CANARY, reasons=("latency_p95: 1.15 times live", "at least 5m more"))).text
    assert text.count("1.15 times live") == 1
    assert "at least 5m more" in text


def test_the_counts_in_one_line_tell_which_are_part_of_which() -> None:
    rollouts = (
        CANARY,
        replace(CANARY, flags=("paused",)),
        replace(CANARY, phase="done"),
        replace(CANARY, phase="failed"),
    )
    assert replace(NOTHING, rollouts=rollouts).counts == (
        ("in flight", 2),
        ("of them waiting for somebody", 1),
        ("finished", 2),
        ("of them went back or failed", 1),
        ("with drifted traffic", 0),
    )


def test_the_traffic_bar_can_be_read_aloud_with_live_traffic_first() -> None:
    (label,) = page(CANARY).all("div", "aria-label")
    assert label == "Live traffic: 80 % credit-3-a1b2c3, 20 % credit-4-0f9e8d."


def test_a_shadow_is_told_apart_from_live_traffic() -> None:
    shadow = replace(CANARY, phase="shadow", traffic={"credit-3-a1b2c3": 100}, mirror={"credit-4-0f9e8d": 50})
    (label,) = page(shadow).all("div", "aria-label")
    assert label == "Live traffic: 100 % credit-3-a1b2c3. Mirrored: 50 % to credit-4-0f9e8d."


def test_an_endpoint_without_traffic_says_so() -> None:
    assert "no live traffic" in page(replace(CANARY, phase="deploying", traffic={}, live=None)).text


def test_what_waits_for_somebody_comes_first_and_what_is_over_last() -> None:
    shown = page(
        replace(CANARY, endpoint="moving"),
        replace(CANARY, endpoint="over", phase="done"),
        replace(CANARY, endpoint="back", phase="rolling_back"),
        replace(CANARY, endpoint="held", flags=("held",)),
        replace(CANARY, endpoint="failed", phase="failed"),
    )
    assert [label.rsplit("/", 1)[1] for label in shown.all("article", "aria-label")] == [
        "held",
        "back",
        "moving",
        "failed",
        "over",
    ]


@pytest.mark.parametrize(
    ("changes", "offered"),
    [
        ({"phase": "awaiting_approval"}, ["approve", "reject", "pause", "rollback"]),
        ({"flags": ("paused",)}, ["resume", "rollback"]),
        ({"flags": ("held",), "holds": ("alert-1",)}, ["resume", "rollback"]),
        ({"flags": ("held",)}, ["retry", "rollback"]),
        ({"flags": ("frozen",)}, ["pause", "rollback"]),
        ({}, ["pause", "rollback"]),
        ({"phase": "rolling_back"}, []),
        ({"phase": "failed"}, ["retry"]),
        ({"phase": "done"}, ["rollback"]),
    ],
)
def test_the_commands_that_fit_the_moment_are_written_out(changes: dict[str, object], offered: list[str]) -> None:
    text = page(replace(CANARY, **changes)).text  # type: ignore[arg-type]
    commands = [word.rsplit("/", 1)[1] for word in text.split() if word.startswith("/api/rollouts/credit-default/")]
    assert commands == offered


def test_the_latest_history_is_shown_and_all_of_it_one_link_away() -> None:
    shown = page(CANARY)
    assert shown.text.index("line 5") < shown.text.index("line 2")
    (target,) = [place for place in shown.all("a", "href") if len(place) > 1]
    assert target.removeprefix("#") in shown.all("div", "id")


def test_policy_errors_stand_line_by_line_at_the_top() -> None:
    broken = replace(NOTHING, policy_errors=(("sales", "sales.yaml:1:1: a\nsales.yaml:2:1: b"),))
    text = page(CANARY, view=broken).text
    assert text.index("sales.yaml:2:1: b") < text.index("In flight")


def test_alerts_that_found_no_endpoint_are_shown_with_the_way_to_mend_it() -> None:
    lost = replace(NOTHING, unmatched_alerts=(AlertView("2026-11-21T03:59:01Z", "cpu-high", "names no endpoint"),))
    text = page(view=lost).text
    assert "cpu-high" in text
    assert "understudy.policy" in text


def test_drift_is_told_with_its_numbers_and_a_link_only_where_there_is_an_address() -> None:
    drifted = DriftView(
        "p", "t", "credit", "2026-11-21T03:00:00Z", 0.61, True, 14, 23, "drift/p/t/credit/reports/x.html"
    )
    linked = replace(drifted, endpoint="other", drifted=False, report="https://a.blob.core.windows.net/drift/x.html")
    evil = replace(drifted, endpoint="evil", report="javascript:alert(1)")
    shown = page(view=replace(NOTHING, drift=(drifted, linked, evil)))
    assert "✗ drifted 14 of 23 (61 %)" in shown.text
    assert "✓ stable" in shown.text
    assert shown.all("a", "href") == ["https://a.blob.core.windows.net/drift/x.html"]


def test_text_from_outside_stays_text() -> None:
    evil = '<script>alert(1)</script>"><img src=x>'
    hostile = replace(
        CANARY,
        endpoint=evil,
        version=evil,
        phase=evil,
        flags=(evil,),
        reasons=(evil,),
        traffic={evil: 100},
        history=(HistoryView(evil, evil, evil),) * 6,
    )
    view = replace(NOTHING, policy_errors=((evil, evil),), unmatched_alerts=(AlertView(evil, evil, evil),))
    shown = page(hostile, view=view)
    assert "alert(1)" in shown.text
    assert not {"script", "img"} & {tag for tag, _ in shown.tags}


def test_the_page_loads_nothing_from_anywhere_and_renews_itself() -> None:
    shown = page(CANARY)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in shown.tags}
    assert "@import" not in render(NOTHING)
    assert "url(" not in render(NOTHING)
    assert ("meta", {"http-equiv": "refresh", "content": "5"}) in shown.tags


def test_tables_have_headers_that_a_screen_reader_can_use() -> None:
    drift = DriftView("p", "t", "credit", "2026-11-21T03:00:00Z", 0.1, False, 1, 23, "")
    shown = page(CANARY, view=replace(NOTHING, drift=(drift,)))
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in shown.tags if tag == "th")


def test_importing_the_page_does_not_load_the_template_engine() -> None:
    script = "import sys, pages.dashboard; print('jinja2' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_what_is_frozen_stands_at_the_top_with_who_why_until_when_and_how_to_end_it() -> None:
    freeze = FreezeView("year-end", "credit/production", "ann", "year-end close", "2026-12-27T08:00:00Z")
    text = page(CANARY, view=replace(NOTHING, freezes=(freeze,))).text
    for words in ("Frozen: credit/production", "ann", "2026-12-27 08:00:00", "year-end close", "unfreeze year-end"):
        assert words in text
        assert text.index(words) < text.index("In flight")

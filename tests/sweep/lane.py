"""One lane of the sweep: a local Azure of its own, a worker to be killed, and one story after the other on it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud.environment import for_child
from localcloud.settings import Settings
from localcloud.supervisor import Stack
from tests.localcloud.hook import Hook
from tests.loop.alerts import metric_alert
from tests.loop.announcements import subscribed
from tests.loop.batch_site import JOBS, BatchSite, batch_sites
from tests.loop.site import TARGET, Site, told
from tests.loop.waiting import wait_until
from tests.loop.world import World
from tests.sweep.calls import KILLED, Novelty, Point
from tests.sweep.stories import Story

QUICK = Settings(
    endpoint_seconds=0.1,
    traffic_seconds=0.15,
    deployment_seconds=0.2,
    delete_seconds=0.1,
    job_seconds=0.1,
    ingestion_seconds=0.1,
    throttling=False,
)
"""Azure's waits as short as they still are waits."""
IMPATIENT = {"UNDERSTUDY_LOOK_SECONDS": "0.3", "UNDERSTUDY_REREAD_SECONDS": "1"}
"""The app's own settings: looks as often as they can be, memory for a few of them."""
EVENT_SECONDS = 10.0
"""Longest that an event on its way to its subscriber is waited for."""


@dataclass(frozen=True)
class Told:
    """How one story went: where its process died, the calls of its last life, and what was wrong with its end."""

    story: str
    deaths: tuple[str, ...]
    calls: tuple[str, ...]
    """`phase: call`, with `~` before it while an operation was waited for."""
    looks: tuple[str, ...]
    """`phase seconds` of the last life's looks."""
    problems: tuple[str, ...]
    seconds: float


class Worker:
    """The app's process, forked for each life."""

    def __init__(self, env: dict[str, str], folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "tests.sweep.worker", str(folder)]
        own = {**for_child(env), **settings, "PYTHONPATH": str(Path(__file__).parents[2])}
        self._log = (folder / "worker.log").open("ab")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=own, text=True
        )
        self._answer()

    def live(self, order: dict[str, Any]) -> int:
        """One life; its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._answer()["status"])

    def stop(self) -> None:
        """End it."""
        with self._process:  # closes its pipes
            self._process.kill()
        self._log.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker ended, see {self.folder}/worker.log")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Lane:
    """Tells stories, one at a time."""

    def __init__(self, world: World, worker: Worker, told: Hook) -> None:
        self.world, self.worker, self.told = world, worker, told

    def tell(
        self, story: Story, kill_at: Point | None = None, *, everywhere: bool = False, but: frozenset[str] = frozenset()
    ) -> Told:
        """The story with the worker killed at `kill_at`, once in each phase, and started again each time.

        `everywhere`: killed again and again, at each write that it was not killed at before, until none is left. `but`:
        not at these.
        """
        started, problems, deaths = time.monotonic(), list[str](), list[str]()
        calls, looks = tuple[str, ...](), tuple[str, ...]()
        self.told.deliveries.clear()
        [site] = batch_sites(self.world, 1) if story.batch else self.world.bare_sites(1)
        try:
            site.deploy_by_hand()
            site.write_policy(steps=story.steps)
            asking = nullcontext() if story.batch else site.clients()
            with asking as clients, _newer_version(story, site):
                site.register("2")
                while True:
                    how = Novelty(but | frozenset(deaths)) if everywhere else kill_at and kill_at.past(deaths)
                    status, words, looks = self._live(story, site, how)
                    if status != KILLED:
                        break
                    deaths += words
                    # A dead process's lease runs out after a minute; it is broken instead: the same, but shorter.
                    self.world.break_leases()
                calls = tuple(words)
                if status != 0:
                    problems.append(f"the worker ended with status {status}: {told(site.record())}")
                if clients is not None:
                    clients.wait_for_answers(2, by=next(iter(story.live)))
            problems += _wrong(story, site, dict(clients.failures) if clients is not None else {})
            problems += self._untold(site)
        except AssertionError as wrong:
            problems.append(str(wrong))
        finally:
            self.world.tidy()
        return Told(story.name, tuple(deaths), calls, looks, tuple(problems), time.monotonic() - started)

    def _live(self, story: Story, site: Site, kill: Point | Novelty | None) -> tuple[int, list[str], tuple[str, ...]]:
        """One life: its exit status, its calls or where it died, and its looks."""
        life = uuid.uuid4().hex
        order = {
            "life": life,
            "place": [site.policy, TARGET, site.endpoint],
            "endpoint_id": site.endpoint_id.lower(),
            "kill": kill and _in_json(vars(kill)),
            "alert": json.dumps(metric_alert(site.endpoint_id)) if story.alert else "",
            "approve": story.ends[0] if story.newer else "",
            "ends": list(story.ends),
            "seconds": story.seconds,
        }
        status = self.worker.live(order)
        seen = self.worker.folder / f"{life}.looks"
        looks = tuple(seen.read_text().splitlines()) if seen.exists() else ()
        left = self.worker.folder / f"{life}.{'died' if status == KILLED else 'calls'}"
        return status, left.read_text().splitlines() if left.exists() else [], looks

    def _untold(self, site: Site) -> list[str]:
        """Events of the rollouts that the topic's subscriber was not told of, and ids that nobody gave."""
        record = site.record_now()
        rollouts = [*(site.finished(number) for number in range(1, record["number"])), record]
        wanted = {
            f"{site.policy}/{TARGET}/{site.endpoint}/{one['number']}/{event + 1}"
            for one in rollouts
            for event in range(one["outbox"]["sequence"])
        }
        with suppress(AssertionError):
            wait_until(lambda: wanted <= set(self.told.ids), seconds=EVENT_SECONDS, told=str)
        heard = {one for one in self.told.ids if f"/{site.endpoint}/" in one}
        return [] if heard == wanted else [f"events told: {sorted(heard)} instead of {sorted(wanted)}"]


def _in_json(fields: dict[str, Any]) -> dict[str, Any]:
    """A set is a list there."""
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in fields.items()}


@contextmanager
def _newer_version(story: Story, site: Site) -> Iterator[None]:
    """Where the story has it, version 3 is registered once version 2 waits for approval."""
    ended = threading.Event()

    def register() -> None:
        while not ended.wait(0.05):
            record = site.record()
            if record is not None and record["phase"] == "awaiting_approval":
                site.register("3")
                return

    thread = threading.Thread(target=register, daemon=True)
    if story.newer:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if story.newer:
            thread.join()


def _wrong(story: Story, site: Site, failures: dict[str, int]) -> list[str]:
    """What is not as the story must end."""
    record, split, deployments = site.record_now(), site.split(), site.deployments()
    before = [site.finished(number) for number in range(1, record["number"])]
    versions = {"1", *(one["version"] for one in [*before, record])}
    checks: dict[str, tuple[object, object]] = {
        "the last rollout": ((record["version"], record["phase"]), story.ends),
        "rollouts before it": (tuple((one["version"], one["phase"]) for one in before), story.history),
        "split": (split, (dict(story.live), {})),
        "deployed versions": (tuple(sorted(deployments.values())), story.deployed),
        "failed client requests": (failures, {}),
        "deployments ever made": (
            len(site.ever_deployed()),
            len(versions),
        ),
    }
    if isinstance(site, BatchSite):
        checks["jobs on the sample"] = (list(site.jobs().values()), ["Completed"] * JOBS)
    return [f"{what}: {is_} instead of {wanted}" for what, (is_, wanted) in checks.items() if is_ != wanted]


@contextmanager
def lane(folder: Path, settings: dict[str, str] = IMPATIENT) -> Iterator[Lane]:
    """A lane on a new stack in `folder`. The stack's environment is this process's while it lasts."""
    with Stack(folder / ".local", app=None, settings=QUICK) as stack, pytest.MonkeyPatch.context() as environment:
        for name, value in stack.env.items():
            environment.setenv(name, value)
        worker = Worker(stack.env, folder, settings)
        world = World(stack, folder / "models")
        try:
            with subscribed(world) as told:
                yield Lane(world, worker, told)
        finally:
            worker.stop()

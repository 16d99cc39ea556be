"""One run of the demo: prepare what a team would have, play the stories, keep the reports, sum up.

Everything that is started is ended in reverse order, also on Ctrl-C. A story that ends otherwise ends the play, since
the next ones stand on it; the summary is given all the same.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError

from demo import data, summary
from demo.client import LiveTraffic
from demo.models.versions import train_all
from demo.monitoring import Monitoring, SetupFailed
from demo.pager import Pager
from demo.stack import LocalStack
from demo.stories import STORIES, Stage, Story
from demo.summary import Outcome
from demo.timeline import Timeline
from demo.watch import StoryFailed, Watch
from demo.web import NotReached, Web
from demo.workspace import ENDPOINT, Workspace

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

POLICY = "credit-default"
POLICY_SECONDS = 30.0
PLACE = f"{POLICY}/local/{ENDPOINT}"
"""policy/target/endpoint, as URLs and blob names have it."""
SETTINGS = {"minute_seconds": "5"}
"""A minute of Azure's metrics and alert rules takes five seconds; all else is localcloud's default."""
LOG_WORKSPACE = "logs-local"
KEPT_REPORTS = 3
"""Each is about five megabytes."""


class Run:
    """Usable as a context manager: leaving it ends everything that it started."""

    def __init__(self, csv: Path | None, folder: Path, timeline: Timeline) -> None:
        self._csv, self._folder, self._timeline = csv, folder, timeline
        self._ending = contextlib.ExitStack()
        self._stack = LocalStack(folder, SETTINGS)
        self._outcomes: list[Outcome] = []
        self._stage: Stage | None = None
        self._app: Web | None = None
        self._origin = ""
        self._began = time.monotonic()

    @property
    def logs(self) -> Path:
        """Where to look when something ends otherwise."""
        return self._stack.logs

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def prepare(self) -> None:
        """Data, models, the stack, and what a team sets up in it once."""
        self._timeline.story("preparing")
        # Importing azure-ai-ml takes seconds: it goes on beside the rest.
        threading.Thread(target=_import_sdk, daemon=True).start()
        rows = data.load(self._csv)
        self._origin = rows.origin
        self._timeline.say(f"  {rows.origin}")
        self._ending.callback(self._stack.stop)
        self._timeline.say("  starting a local Azure with Understudy on it")
        self._stack.start()
        trained = train_all(rows, self._folder / "models")
        skills = ", ".join(f"v{version} {model.skill:.3f}" for version, model in trained.items())
        self._timeline.say(f"  trained four versions; AUC on rows nobody has seen: {skills}")
        env, tls = self._stack.env, self._stack.tls()
        credential = _credential()
        arm = Web(env["LOCALCLOUD_URL"], tls=tls, headers=lambda: _bearer(credential))
        self._app = Web(env["FUNCTIONS_URL"], headers=lambda: {"x-functions-key": env["FUNCTIONS_KEY"]})
        workspace = Workspace(env, arm, credential, self._stack.logs / "sdk.log")
        watch = Watch(self._app, arm, f"/api/rollouts/{PLACE}", workspace.endpoint_id, failure=self._stack.failure)
        pager = Pager()
        self._stage = Stage(workspace, watch, pager, trained, rows, self._start_clients, self._timeline.say)
        self._set_up(workspace, pager, arm, rows)
        watch.start()
        self._ending.callback(watch.stop)
        self._timeline.show(watch)

    def play(self) -> bool:
        """All stories in order; False as soon as one ends otherwise."""
        return all(self._play(story) for story in STORIES)

    def sum_up(self) -> tuple[str, bool]:
        """The summary, and whether all is well."""
        stage = self._stage
        if stage is None or self._app is None:
            return "The demo ended before its first story.", False
        if stage.traffic is not None:
            stage.traffic.stop()
        stage.watch.stop()
        stage.notes["the whole demo so far"] = f"{time.monotonic() - self._began:.0f} s"
        saw = summary.judge(stage.traffic, stage.watch.readings, stage.watch.versions)
        told = summary.text(self._outcomes, saw, stage.notes, self._keep_reports(stage, self._app), self._origin)
        succeeded = len(self._outcomes) == len(STORIES) and all(outcome.succeeded for outcome in self._outcomes)
        return told, succeeded and saw.is_good

    def _set_up(self, workspace: Workspace, pager: Pager, arm: Web, rows: data.Data) -> None:
        env = self._stack.env
        self._timeline.say("  endpoint, environment, scoring code, training component, data: by azure-ai-ml")
        workspace.create_endpoint()
        workspace.register_scoring()
        workspace.upload_data({"reference": rows.reference, "training": rows.training}, self._folder / "data")
        workspace.register_training()
        self._timeline.say("  two alert rules and an action group: Understudy's webhook and a pager")
        pager.start()
        self._ending.callback(pager.stop)
        monitoring = Monitoring(arm, env["SUBSCRIPTION_ID"], env["RESOURCE_GROUP"])
        webhook = f"{env['FUNCTIONS_URL']}/api/alerts?code={env['FUNCTIONS_KEY']}"
        monitoring.notify({"understudy": webhook, "pager": pager.url})
        monitoring.watch_latency(workspace.endpoint_id)
        monitoring.watch_drift(monitoring.log_workspace_id(LOG_WORKSPACE), env["REGION"])
        workspace.upload_policy()
        self._wait_for_policy()
        self._timeline.say("  the policy is in force; from here on nobody tells Understudy anything")

    def _wait_for_policy(self) -> None:
        """Until then an event about a new version means nothing to the app (it would find the version later)."""
        assert self._app is not None
        deadline = time.monotonic() + POLICY_SECONDS
        while time.monotonic() < deadline:
            health = self._app.call("GET", "/api/health").body
            if isinstance(health, dict):
                if errors := health.get("policy_errors"):
                    raise SetupFailed(f"the app refuses the demo's policy: {errors}")
                if POLICY in health.get("policies", ()):
                    return
            time.sleep(0.2)
        raise SetupFailed(f"the policy was not in force {POLICY_SECONDS:g} s after it was uploaded")

    def _start_clients(self) -> LiveTraffic:
        assert self._stage is not None
        url, key = self._stage.workspace.scoring()
        traffic = LiveTraffic(url, key, data.rows(self._stage.data.traffic), tls=self._stack.tls())
        traffic.start()
        self._ending.callback(traffic.stop)
        self._timeline.show_clients(traffic)
        return traffic

    def _play(self, story: Story) -> bool:
        assert self._stage is not None
        self._timeline.story(f"{story.letter}. {story.title}")
        begun = time.monotonic()
        try:
            told, succeeded = story.play(self._stage), True
        except (StoryFailed, NotReached, AzureError) as error:
            told, succeeded = self._stack.failure() or str(error), False
        outcome = Outcome(story.letter, story.title, succeeded, time.monotonic() - begun, told)
        self._outcomes.append(outcome)
        self._timeline.tell_changes()
        mark = "✔" if succeeded else "✘"
        self._timeline.say(f"{mark} {story.letter} after {outcome.seconds:.1f} s: {told}")
        return succeeded

    def _keep_reports(self, stage: Stage, app: Web) -> dict[str, Path]:
        """Copies of what people read, because the stack ends with the demo."""
        folder = self._folder / "reports"
        folder.mkdir(parents=True, exist_ok=True)
        places = {"logs of every part": self._stack.logs}
        try:
            kept = stage.workspace.download_newest(
                "drift", f"{PLACE}/reports/", folder / "drift", ".html", count=KEPT_REPORTS
            )
            if kept:
                places["the last drift reports (HTML, by Evidently)"] = kept[-1].parent
            places["rollouts (JSON)"] = _write(folder / "rollouts.json", app.call("GET", "/api/rollouts").body)
            places["the last rollout with its history (JSON)"] = _write(
                folder / "rollout.json", app.call("GET", f"/api/rollouts/{PLACE}").body
            )
            places["health (JSON)"] = _write(folder / "health.json", app.call("GET", "/api/health").body)
            places["dashboard (HTML)"] = _write(folder / "dashboard.html", app.call("GET", "/api/dashboard").body)
        except Exception as error:  # reports are a courtesy: their loss must not hide how the stories ended
            self._timeline.say(f"  some reports could not be kept: {error}")
        return places


def _import_sdk() -> None:
    import azure.ai.ml  # noqa: F401


def _credential() -> TokenCredential:
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential()


def _bearer(credential: TokenCredential) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential.get_token('https://management.azure.com/.default').token}"}


def _write(path: Path, body: object) -> Path:
    path.write_text(body if isinstance(body, str) else json.dumps(body, indent=2))
    return path

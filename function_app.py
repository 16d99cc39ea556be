"""The doors of Understudy: one short function for each trigger. It parses, calls a room, and answers.

Everything behind a door is imported when the door is first used: a worker indexes this file on every cold start, and
a rollback must not wait for what it does not need. No value is read from the environment here but schedules and the
role, which decide which functions there are.
"""

import json
import logging
import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import azure.functions as func

from cloud.settings import Settings

if TYPE_CHECKING:
    from rollout.context import Context
    from rollout.intake import Answer

logger = logging.getLogger("understudy")
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

STORAGE = "AzureWebJobsStorage"
TRY_AGAIN = {"Retry-After": "30"}
ROLE = Settings.value(os.environ, "role")
CONTROL = ROLE in ("all", "control")
ANALYSIS = ROLE in ("all", "analysis")


def schedule(name: str) -> str:
    """The NCRONTAB schedule of a timer."""
    return Settings.value(os.environ, f"{name}_schedule")


# --- wiring -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The app's settings; a wrong one is told when the first door is used."""
    return Settings.from_env(os.environ)


@lru_cache(maxsize=1)
def context() -> "Context":
    """The rollout wing's clients, clock and ids, built once per worker."""
    from datetime import UTC, datetime
    from time import sleep
    from uuid import uuid4

    from cloud.identity import credential
    from rollout.wiring import wired

    of = settings()
    identity = credential(of.client_id)
    return wired(of, identity, clock=lambda: datetime.now(UTC), new_id=lambda: uuid4().hex, wait=sleep)


def timed(name: str, run: Callable[[], Any]) -> None:
    """Run a timer's work and remember how it went; a fault is logged and shown, since Azure repeats no timer.

    Work that answers a text tells with it what went wrong.
    """
    from cloud.errors import CloudError
    from rollout.health import ran

    problem = ""
    try:
        answer = run()
        problem = answer if isinstance(answer, str) else ""
    except CloudError as error:
        problem = str(error)
    except Exception as error:
        logger.exception("%s failed", name)
        problem = f"unexpected error: {error!r}"
    if problem:
        logger.warning("%s: %s", name, problem)
    try:
        ran(context(), name, problem)
    except CloudError as error:
        logger.warning("%s: its run could not be noted: %s", name, error)


def answered(call: "Callable[[], Answer]") -> func.HttpResponse:
    """The answer of an HTTP door. What failed for now is 503, which action groups and clients try again; never 500."""
    from cloud.errors import CloudError
    from rollout.intake import Answer

    try:
        answer = call()
    except CloudError as error:
        logger.warning("answered 503: %s", error)
        answer = Answer(503, {"error": str(error)})
    except Exception:
        logger.exception("answered 503 after an unexpected error")
        answer = Answer(503, {"error": "unexpected error; it is in the app's log"})
    headers = TRY_AGAIN if answer.status == 503 else {}
    text = json.dumps(answer.body, ensure_ascii=False)
    return func.HttpResponse(text, status_code=answer.status, mimetype="application/json", headers=headers)


# --- moving traffic ---------------------------------------------------------------------------------------------

if CONTROL:

    @app.function_name("on_model_registered")
    @app.event_grid_trigger(arg_name="event")
    def on_model_registered(event: str) -> None:
        """Queue the endpoints whose policy names the registered model."""
        from rollout.intake import take_event

        for place in take_event(context(), event.encode()):
            logger.info("a version was registered for %s/%s/%s", place.policy, place.target, place.endpoint)

    @app.function_name("discover_versions")
    @app.timer_trigger(arg_name="timer", schedule=schedule("discover"))
    def discover_versions(timer: func.TimerRequest) -> None:
        """List versions and tags of watched models and queue what changed."""
        from rollout.discover import discover

        timed("discover_versions", lambda: "; ".join(discover(context())))

    @app.function_name("advance_rollouts")
    @app.timer_trigger(arg_name="timer", schedule=schedule("advance"))
    def advance_rollouts(timer: func.TimerRequest) -> None:
        """Read changed policies and queue every rollout in flight that is due."""
        from rollout.intake import queue_due

        def run() -> None:
            context().policies.refresh()
            queue_due(context())

        timed("advance_rollouts", run)

    @app.function_name("reconcile")
    @app.queue_trigger(arg_name="message", queue_name="rollout-work", connection=STORAGE)
    def reconcile(message: func.QueueMessage) -> None:
        """One look at one endpoint."""
        from rollout.reconcile import look

        work = json.loads(message.get_body())
        looked = look(context(), work["policy"], work["target"], work["endpoint"])
        logger.info("%s/%s/%s: %s", work["policy"], work["target"], work["endpoint"], looked.text)

    @app.function_name("publish_events")
    @app.queue_trigger(arg_name="message", queue_name="event-work", connection=STORAGE)
    def publish_events(message: func.QueueMessage) -> None:
        """Send an endpoint's events to the sinks."""
        from rollout.publish import publish

        work = json.loads(message.get_body())
        told = publish(context(), work)
        logger.info("events of %s/%s/%s: %s", work["policy"], work["target"], work["endpoint"], told)

    @app.function_name("on_alert")
    @app.route("alerts", methods=["POST"])
    def on_alert(req: func.HttpRequest) -> func.HttpResponse:
        """Azure Monitor's action group calls here: store, act by policy, answer within seconds."""
        from rollout.intake import take_alert

        return answered(lambda: take_alert(context(), req.get_body()))

    @app.function_name("list_rollouts")
    @app.route("rollouts", methods=["GET"])
    def list_rollouts(req: func.HttpRequest) -> func.HttpResponse:
        """Every rollout, as an array."""
        from rollout.intake import Answer, all_records
        from rollout.view import summary

        return answered(lambda: Answer(200, [summary(record) for record in all_records(context())]))

    @app.function_name("get_rollout")
    @app.route("rollouts/{policy}/{target}/{endpoint}", methods=["GET"])
    def get_rollout(req: func.HttpRequest) -> func.HttpResponse:
        """One rollout, with its history."""
        from rollout.intake import one_record

        return answered(lambda: one_record(context(), **req.route_params))

    @app.function_name("command_rollout")
    @app.route("rollouts/{policy}/{target}/{endpoint}/{action}", methods=["POST"])
    def command_rollout(req: func.HttpRequest) -> func.HttpResponse:
        """A person's command: accepted, or refused with the reason."""
        from rollout.caller import caller
        from rollout.intake import take_command

        who = caller(req.headers, os.environ)
        return answered(lambda: take_command(context(), **req.route_params, raw=req.get_body(), who=who))

    @app.function_name("dashboard")
    @app.route("dashboard", methods=["GET"])
    def dashboard(req: func.HttpRequest) -> func.HttpResponse:
        """The page people look at."""
        from cloud.errors import CloudError

        try:
            return func.HttpResponse(page(), mimetype="text/html", charset="utf-8")
        except CloudError as error:
            logger.warning("answered 503: %s", error)
            text = f"The app's storage does not answer: {error}"
        except Exception:
            logger.exception("answered 503 after an unexpected error")
            text = "Unexpected error; it is in the app's log."
        return func.HttpResponse(text, status_code=503, headers=TRY_AGAIN)

    def page() -> str:
        """The dashboard, from what the API's doors answer and the newest drift results."""
        from drift.store import Place, latest_result
        from pages.dashboard import render
        from pages.from_json import dashboard_view
        from rollout.codec import stamp
        from rollout.intake import all_records, unmatched
        from rollout.view import detail

        of = context()
        records = all_records(of)
        drift = [latest_result(of.blobs, Place(one.policy, one.target, one.endpoint)) for one in records]
        return render(
            dashboard_view(
                [detail(record) for record in records],
                policy_errors=of.policies.current().errors,
                unmatched=unmatched(of),
                drift=[result for result in drift if result is not None],
                generated=stamp(of.clock()),
                freezes=of.freezes.active(),
            )
        )


@app.function_name("health")
@app.route("health", methods=["GET"])
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Dependencies, policy errors and last runs."""
    from rollout.health import health as checked
    from rollout.intake import Answer

    def call() -> "Answer":
        well, body = checked(context())
        return Answer(200 if well else 503, body)

    return answered(call)


# --- logs and drift ---------------------------------------------------------------------------------------------

if ANALYSIS:

    def export_context() -> Any:
        """The export wing's clients and the endpoints that are known now."""
        from export.doors import Context
        from rollout.known import known_endpoints

        of = context()
        return Context(of.blobs, of.logs, of.queues, known_endpoints(of))

    def drift_context() -> Any:
        """The drift wing's clients and the endpoints that are known now."""
        from cloud.insights import Insights
        from cloud.jobs import Jobs
        from drift.context import Context
        from rollout.known import known_endpoints

        of, values = context(), settings()
        return Context(
            blobs=of.blobs,
            queues=of.queues,
            datastores=of.datastores,
            jobs=Jobs(of.models),
            insights=Insights(values.app_insights) if values.app_insights else None,
            endpoints=known_endpoints(of),
        )

    def work_of(message: func.QueueMessage) -> dict[str, Any]:
        """The JSON of a work item; one that cannot be read raises, and ends in the poison queue."""
        work: dict[str, Any] = json.loads(message.get_body())
        return work

    @app.function_name("export_logs")
    @app.timer_trigger(arg_name="timer", schedule=schedule("export"))
    def export_logs(timer: func.TimerRequest) -> None:
        """Queue the windows of inference logs that are closed."""
        from export.doors import queue_due

        timed("export_logs", lambda: queue_due(export_context(), context().clock()))

    @app.function_name("export_window")
    @app.queue_trigger(arg_name="message", queue_name="export-work", connection=STORAGE)
    def export_window(message: func.QueueMessage) -> None:
        """Export one window."""
        from export.doors import run

        run(export_context(), work_of(message), context().clock())

    @app.function_name("measure_drift")
    @app.timer_trigger(arg_name="timer", schedule=schedule("drift"))
    def measure_drift(timer: func.TimerRequest) -> None:
        """Queue the endpoints whose drift is due."""
        from drift.doors import queue_due

        timed("measure_drift", lambda: queue_due(drift_context(), context().clock()))

    @app.function_name("drift_endpoint")
    @app.queue_trigger(arg_name="message", queue_name="drift-work", connection=STORAGE)
    def drift_endpoint(message: func.QueueMessage) -> None:
        """Measure one endpoint's drift, or start its retraining."""
        from drift.doors import run

        run(drift_context(), work_of(message), context().clock())

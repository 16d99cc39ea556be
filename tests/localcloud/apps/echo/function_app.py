"""An app with each kind of trigger. What a function saw, it appends to the file that ECHO_FILE names."""

import asyncio
import json
import os
import time
from datetime import UTC, datetime

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


def seen(kind: str, **what: object) -> None:
    line = json.dumps({"kind": kind, "at": datetime.now(UTC).timestamp(), "pid": os.getpid(), **what})
    with open(os.environ["ECHO_FILE"], "a", encoding="utf-8") as file:
        file.write(line + "\n")


@app.route(route="echo/{name}", methods=["GET", "POST"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    body = {
        "method": req.method,
        "params": dict(req.params),
        "route": dict(req.route_params),
        "headers": dict(req.headers),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(json.dumps(body), status_code=200, mimetype="application/json", headers={"x-echo": "1"})


@app.route(route="echo/literal", methods=["GET"])
def literal(req: func.HttpRequest) -> str:
    return "literal"


@app.route(route="open", auth_level=func.AuthLevel.ANONYMOUS)
async def anonymous(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    await asyncio.sleep(0)
    return func.HttpResponse(context.function_name)


@app.route(route="operators", auth_level=func.AuthLevel.ADMIN)
def operators(req: func.HttpRequest) -> str:
    return "operators"


@app.route(route="fails")
def fails(req: func.HttpRequest) -> str:
    raise RuntimeError("boom")


@app.route(route="returns-none")
def returns_none(req: func.HttpRequest) -> str:
    return None  # type: ignore[return-value]


@app.route(route="administration")
def reserved(req: func.HttpRequest) -> str:
    return "never"


@app.timer_trigger(schedule="%ECHO_SCHEDULE%", arg_name="timer")
def tick(timer: func.TimerRequest) -> None:
    seen("tick", past_due=timer.past_due)


@app.timer_trigger(schedule="* * * * * *", arg_name="timer")
def slow_tick(timer: func.TimerRequest) -> None:
    seen("slow_tick begins")
    time.sleep(1.5)
    seen("slow_tick ends")


@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer")
def yearly(timer: func.TimerRequest) -> None:
    seen("yearly", past_due=timer.past_due)


@app.timer_trigger(schedule="%ECHO_NO_SUCH_SETTING%", arg_name="timer")
def unset(timer: func.TimerRequest) -> None:
    seen("unset")


@app.timer_trigger(schedule="61 * * * * *", arg_name="timer")
def bad_schedule(timer: func.TimerRequest) -> None:
    seen("bad_schedule")


@app.queue_trigger(arg_name="message", queue_name="echo-work", connection="AzureWebJobsStorage")
def work(message: func.QueueMessage) -> None:
    given = json.loads(message.get_body())
    seen("work", id=message.id, count=message.dequeue_count, inserted=str(message.insertion_time), **given)
    time.sleep(given.get("sleep", 0))
    if given.get("fail"):
        raise RuntimeError("this message always fails")
    seen("work done", **given)


@app.event_grid_trigger(arg_name="event")
def on_event(event: func.EventGridEvent) -> None:
    data = event.get_json()
    seen("event", id=event.id, subject=event.subject, data=data)
    if data.get("fail"):
        raise RuntimeError("this event always fails")


@app.event_grid_trigger(arg_name="event")
def on_raw_event(event: str) -> None:
    seen("raw event", event=json.loads(event))

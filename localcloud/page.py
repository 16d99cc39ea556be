"""`GET /localcloud`: everything that runs on one page, in plain HTML: no script, nothing from outside."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from localcloud.seams import Cloud, Json, utc_now

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #777; --bad: #c33; }
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1.5rem; max-width: 76rem; }
h1 { font-size: 1.4rem; margin: 0 0 .2rem; }
h2 { font-size: 1rem; margin: 2rem 0 .4rem; }
p, .none { color: var(--quiet); margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top; }
th { color: var(--quiet); font-weight: 500; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.bad { color: var(--bad); font-weight: 600; }
"""
_SHOWN = 50
_BAD = ("Failed", "Canceled", "Unhealthy")


def render(cloud: Cloud) -> str:
    """The whole page, with every value escaped."""
    settings = cloud.settings
    sections = [
        *((title, look()) for title, look in cloud.inspections.items()),
        ("Faults", [_fault(fault) for fault in reversed(cloud.faults.list())]),
        ("Steps", [_wait(kind, count) for kind, count in cloud.pace.status().items()]),
        ("Recent requests", _requests(cloud)),
    ]
    where = f"{settings.workspace} in {settings.resource_group}, subscription {settings.subscription_id}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Local Azure</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>Local Azure</h1>"
        f"<p>Workspace {_text(where)}. As of {utc_now():%Y-%m-%d %H:%M:%S} UTC; reload for news.</p>"
        + "".join(_section(title, rows) for title, rows in sections)
        + "</body></html>"
    )


def _section(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    heading = f"<section><h2>{_text(title)}</h2>"
    if not rows:
        return f'{heading}<p class="none">None.</p></section>'
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in rows[0])
    body = "".join(f"<tr>{''.join(_cell(value) for value in row.values())}</tr>" for row in rows[:_SHOWN])
    more = f"<p>{len(rows) - _SHOWN} more are not shown.</p>" if len(rows) > _SHOWN else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'{heading}<div class="wide">{table}</div>{more}</section>'


def _cell(value: Any) -> str:
    bad = ' class="bad"' if str(value) in _BAD or (isinstance(value, int) and 400 <= value < 600) else ""
    return f"<td{bad}>{_text(value)}</td>"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{name} {one}" for name, one in value.items())
    elif isinstance(value, Iterable) and not isinstance(value, str):
        value = ", ".join(str(one) for one in value)
    return html.escape(str(value))


def _fault(fault: Json) -> Json:
    return {
        "id": str(fault["id"]),
        "kind": fault["kind"],
        "match": fault["match"],
        "left": str(fault["left"]),
        "parameters": fault["parameters"],
        "struck": fault["struck"],
    }


def _wait(kind: str, count: int | None) -> Json:
    return {"kind": kind, "waiting": "by the clock" if count is None else f"{count} for POST /localcloud/step"}


def _requests(cloud: Cloud) -> list[Json]:
    return [
        {
            "time": f"{entry.time:%H:%M:%S}",
            "method": entry.method,
            "path": entry.path,
            "status": entry.status or "cut",
            "ms": f"{entry.seconds * 1000:.1f}",
        }
        for entry in cloud.journal.newest_first()
    ]

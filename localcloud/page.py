"""`GET /localcloud`: everything that runs on one page, in plain HTML: no script, nothing from outside.

Resource ids lose the workspace's part, which is the same for all of them; hovering shows them whole. Requests that were
repeated without another one between are one line, since pollers would hide everything else.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from localcloud.journal import Entry
from localcloud.seams import Cloud, Json, utc_now

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: light-dark(#666, #999); --bad: light-dark(#b3261e, #ff8a80);
  --busy: light-dark(#8a5a00, #ffc266); }
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1.5rem; max-width: 80rem; }
h1 { font-size: 1.4rem; margin: 0 0 .2rem; }
h2 { font-size: 1rem; margin: 2rem 0 .4rem; }
p { color: var(--quiet); margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem 1.2rem .25rem 0; text-align: left; vertical-align: top; }
th { color: var(--quiet); font-weight: 500; white-space: nowrap; }
td { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.long { min-width: 18rem; overflow-wrap: anywhere; white-space: normal; }
.bad { color: var(--bad); font-weight: 600; }
.busy { color: var(--busy); }
"""
_FIRST = ("Endpoints", "Deployments", "Scoring requests", "Batch deployments", "Operations")
_SHOWN = 50
_LONG = 48
_BAD = ("Failed", "Canceled", "Unhealthy", "cut")
_BUSY = ("Creating", "Updating", "Deleting", "Running", "NotStarted")
_SCOPE = re.compile(
    r"/subscriptions/[^/\s]+(/resourceGroups/[^/\s]+)?/providers/Microsoft\.MachineLearningServices/"
    r"(workspaces/[^/\s]+/|locations/[^/\s]+/)",
    re.IGNORECASE,
)
_API_VERSION = re.compile(r"\?api-version=[\w.-]+(?![&\w])")


def render(cloud: Cloud) -> str:
    """The whole page, with every value escaped."""
    settings = cloud.settings
    sections = [
        *((title, cloud.inspections[title]()) for title in sorted(cloud.inspections, key=_place)),
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


def _place(title: str) -> int:
    return _FIRST.index(title) if title in _FIRST else len(_FIRST)


def _section(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    heading = f"<section><h2>{_text(title)}</h2>"
    if not rows:
        return f"{heading}<p>None.</p></section>"
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in rows[0])
    body = "".join(f"<tr>{''.join(_cell(name, value) for name, value in row.items())}</tr>" for row in rows[:_SHOWN])
    more = f"<p>{len(rows) - _SHOWN} more are not shown.</p>" if len(rows) > _SHOWN else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'{heading}<div class="wide">{table}</div>{more}</section>'


def _cell(name: str, value: Any) -> str:
    whole = _plain(value)
    short = _API_VERSION.sub("", _SCOPE.sub("…/", whole))
    classes = []
    if whole in _BAD or (name == "status" and isinstance(value, int) and value >= 400):
        classes.append("bad")
    if whole in _BUSY:
        classes.append("busy")
    if len(short) > _LONG:
        classes.append("long")
    named = f' class="{" ".join(classes)}"' if classes else ""
    hover = f' title="{html.escape(whole)}"' if short != whole else ""
    return f"<td{named}{hover}>{html.escape(short)}</td>"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_plain(one) for one in value)
    return str(value)


def _text(value: Any) -> str:
    return html.escape(_plain(value))


def _fault(fault: Json) -> Json:
    counted = [f"{victim} ({times} times)" if times > 1 else victim for victim, times in _counted(fault["struck"])]
    return {
        "id": str(fault["id"]),
        "kind": fault["kind"],
        "match": fault["match"],
        "left": str(fault["left"]),
        "parameters": fault["parameters"],
        "struck": counted,
    }


def _wait(kind: str, count: int | None) -> Json:
    return {"kind": kind, "waiting": "by the clock" if count is None else f"{count} for POST /localcloud/step"}


def _requests(cloud: Cloud) -> list[Json]:
    def same(entry: Entry) -> tuple[str, str, int]:
        return entry.method, entry.path, entry.status

    rows = []
    for (method, path, status), entries in groupby(cloud.journal.newest_first(), same):
        run = list(entries)
        rows.append(
            {
                "time": f"{run[0].time:%H:%M:%S}",
                "method": method,
                "path": path,
                "status": status or "cut",
                "times": str(len(run)),
                "ms": f"{run[0].seconds * 1000:.1f}",
            }
        )
    return rows


def _counted(victims: Sequence[str]) -> list[tuple[str, int]]:
    return [(victim, len(list(run))) for victim, run in groupby(victims)]

"""Events as people read them in a chat: an adaptive card for Teams, blocks for Slack. Pure.

Sources: learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors (a message with one adaptive card),
api.slack.com/reference/block-kit (header 150 characters, section text 3,000).
"""

from __future__ import annotations

from typing import Any

from rollout.record import Event
from rollout.traffic import split_words
from rollout.transitions import ERROR, PREFIX, WARNING

Json = dict[str, Any]

TITLES = {
    "Started": "Rollout started",
    "PhaseChanged": "Went on",
    "ApprovalNeeded": "Waiting for approval",
    "Held": "Stopped, waiting for somebody",
    "Resumed": "Going on again",
    "RollbackBegun": "Going back",
    "RolledBack": "Rolled back",
    "Done": "Done",
    "Superseded": "Superseded by a newer version",
    "Failed": "Failed",
}
STYLES = {WARNING: "warning", ERROR: "attention"}
SIGNS = {WARNING: ":warning:", ERROR: ":rotating_light:"}


def title(event: Event) -> str:
    """One line: what happened, to which version, where."""
    kind = event.type.removeprefix(PREFIX)
    data = event.data
    return f"{TITLES.get(kind, kind)}: {data['model']} {data['version']} on {data['endpoint']} ({data['target']})"


def facts(event: Event) -> list[tuple[str, str]]:
    """What belongs to it, in words."""
    data = event.data
    found = [("Policy", data["policy"]), ("Phase", data["phase"].replace("_", " "))]
    if data.get("flags"):
        found.append(("Stopped by", ", ".join(data["flags"])))
    found.append(("Live traffic", split_words(data.get("traffic", {}))))
    if data.get("mirror"):
        found.append(("Mirrored", split_words(data["mirror"])))
    if "rollback" in data:
        found.append(("Time to go back", f"{data['rollback']['seconds']:.1f} s"))
    return [*found, ("Time", f"{event.at:%Y-%m-%d %H:%M:%S} UTC")]


def teams(event: Event) -> Json:
    """The body for a Teams webhook (a workflow that posts a card)."""
    reasons = [{"type": "TextBlock", "text": text, "wrap": True} for text in event.data.get("reasons", ())[:5]]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {
                "type": "Container",
                "style": STYLES.get(event.severity, "default"),
                "items": [{"type": "TextBlock", "text": title(event), "weight": "Bolder", "wrap": True}],
            },
            *reasons,
            {"type": "FactSet", "facts": [{"title": name, "value": value} for name, value in facts(event)]},
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def slack(event: Event) -> Json:
    """The body for a Slack incoming webhook. `text` is what notifications show."""
    head = f"{SIGNS.get(event.severity, '')} {title(event)}".strip()
    reasons = "\n".join(f"• {_escaped(text)}" for text in event.data.get("reasons", ())[:5])
    fields = [{"type": "mrkdwn", "text": f"*{name}*\n{_escaped(value)}"} for name, value in facts(event)]
    blocks: list[Json] = [{"type": "header", "text": {"type": "plain_text", "text": head[:150], "emoji": True}}]
    if reasons:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": reasons[:3000]}})
    return {"text": _escaped(head), "blocks": [*blocks, {"type": "section", "fields": fields}]}


def _escaped(text: str) -> str:
    """Slack's three characters: what somebody wrote as a reason must not become a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

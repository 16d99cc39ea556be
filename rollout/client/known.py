"""What to say when the app does not know a name: the names that it does know, the nearest first."""

from __future__ import annotations

from difflib import get_close_matches

from rollout.client.app import App, NotAsked, Reply
from rollout.client.text import printable

SHOWN = 10


def unknown(app: App, reply: Reply, asked: str) -> str:
    """The app's words, and the rollouts that it has. `asked` is `POLICY TARGET ENDPOINT`."""
    try:
        listed = app.call("GET", ("rollouts",))
    except NotAsked:
        return printable(reply.error)
    rollouts = listed.body if listed.status == 200 else []
    names = sorted(f"{one['policy']} {one['target']} {one['endpoint']}" for one in rollouts)
    if not names:
        return f"{printable(reply.error)}; it has no rollouts yet"
    near = get_close_matches(asked, names, n=SHOWN, cutoff=0.5)
    chosen = (near + [name for name in names if name not in near])[:SHOWN]
    more = f"\n  and {len(names) - len(chosen)} others: python -m rollout list" if len(names) > len(chosen) else ""
    return f"{printable(reply.error)}. The app has:" + "".join(f"\n  {printable(one)}" for one in chosen) + more

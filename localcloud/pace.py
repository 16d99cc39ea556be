"""How Azure's own waits pass: by the clock, or one by one when a test says so (`POST /localcloud/step`).

Three kinds can be stepped, chosen per run by `Settings.stepped`: the end of operations, the ingestion of log rows, and
the evaluation of alert rules. A step lets everything go that waits at that moment and nothing that comes later, so a
test decides what happens between two observations. No clock is ever changed: only the waiting is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

STEPPABLE = ("operations", "ingestion", "alerts")


class Pace:
    """The waits of one local cloud."""

    def __init__(self, stepped: str = "") -> None:
        """`stepped`: kinds with commas between them, or `all`. ValueError names a kind that does not exist."""
        names = [name.strip() for name in stepped.split(",") if name.strip()]
        if unknown := [name for name in names if name not in (*STEPPABLE, "all")]:
            raise ValueError(f"{unknown[0]!r} is not one of {', '.join(STEPPABLE)}, all")
        self._stepped = frozenset(STEPPABLE if "all" in names else names)
        self._waiting: dict[str, list[asyncio.Future[None]]] = {kind: [] for kind in STEPPABLE}
        self._on_step: dict[str, list[Callable[[], int]]] = {kind: [] for kind in STEPPABLE}

    def stepped(self, kind: str) -> bool:
        """Whether this kind waits for steps."""
        return kind in self._stepped

    async def wait(self, kind: str, seconds: float) -> None:
        """Wait so many seconds, or for the next step of this kind."""
        if kind not in self._stepped:
            await asyncio.sleep(seconds)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[kind].append(future)
        try:
            await future
        finally:
            if future in self._waiting[kind]:
                self._waiting[kind].remove(future)

    def on_step(self, kind: str, release: Callable[[], int]) -> None:
        """Call `release` at each step of this kind; it says how much it let go."""
        self._on_step[kind].append(release)

    def step(self, kind: str) -> int:
        """Let go what waits now; how much that was. ValueError when this kind passes by the clock."""
        if kind not in self._stepped:
            chosen = ", ".join(sorted(self._stepped)) or "nothing"
            raise ValueError(f"{kind} passes by the clock in this run; {chosen} is stepped (setting `stepped`)")
        waiting, self._waiting[kind] = self._waiting[kind], []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        return len(waiting) + sum(release() for release in self._on_step[kind])

    def status(self) -> dict[str, int | None]:
        """Per kind how many waits there are; None where it passes by the clock."""
        return {kind: len(self._waiting[kind]) if self.stepped(kind) else None for kind in STEPPABLE}

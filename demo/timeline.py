"""The live timeline. On a terminal: events scroll above a few lines that are redrawn in place. Elsewhere: plain lines.

The stream is the one that was stdout when the demo began, because the SDK's own chatter is sent elsewhere meanwhile.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import TextIO

from demo.client import LiveTraffic
from demo.watch import Now, Watch

BAR = 40
REDRAW_SECONDS = 0.25
HEARTBEAT_SECONDS = 5.0
_GLYPHS = "█▓▒░"
_LINE = 150


class Timeline:
    """Says what happens, from start() to stop()."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb" and "CI" not in os.environ
        self._began = time.monotonic()
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="timeline")
        self._drawn = 0
        self._story, self._story_began = "", self._began
        self._watch: Watch | None = None
        self._traffic: LiveTraffic | None = None
        self._said: tuple[object, ...] = ()
        self._spoke = self._began

    def start(self) -> None:
        """Begin to draw."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the terminal clean."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(2)
        with self._lock:
            self._erase()
            self._stream.flush()

    def show(self, watch: Watch) -> None:
        """Whose rollout is drawn."""
        self._watch = watch

    def show_clients(self, traffic: LiveTraffic) -> None:
        """Whose counts are drawn."""
        self._traffic = traffic

    def story(self, text: str) -> None:
        """A story, or a part of the preparation, begins."""
        self._story, self._story_began = text, time.monotonic()
        self.say(f"▶ {text}")

    def say(self, text: str) -> None:
        """One line that stays."""
        with self._lock:
            self._erase()
            self._stream.write(f"{self._clock()}  {text}\n")
            self._spoke = time.monotonic()
            self._draw()
            self._stream.flush()

    def _run(self) -> None:
        while not self._ended.wait(REDRAW_SECONDS):
            with self._lock:
                self.tell_changes()
                if self._live:
                    self._erase()
                    self._draw()
                elif time.monotonic() - self._spoke > HEARTBEAT_SECONDS:
                    self._stream.write(f"{self._clock()}    · {self._heartbeat()}\n")
                    self._spoke = time.monotonic()
                self._stream.flush()

    def tell_changes(self) -> None:
        """Say what the last look shows that was not said yet."""
        if self._watch is None:
            return
        now, versions = self._watch.now, self._watch.versions
        seen = now.rollout
        state = (seen.version, seen.phase, seen.flags, _shares(now.traffic), _shares(now.mirror))
        if not seen.phase or state == self._said:
            return
        moved, split = self._said[:3] != state[:3], self._said[3:] != state[3:]
        self._said = state
        if split:
            self.say(f"  {bar(now, versions)}")
        if moved:
            flags = f" [{', '.join(seen.flags)}]" if seen.flags else ""
            reason = f": {'; '.join(seen.reasons)}" if seen.reasons else ""
            self.say(_cut(f"  version {seen.version} {seen.phase}{flags}{reason}"))

    def _status(self) -> list[str]:
        lines = [f"{self._story} ({time.monotonic() - self._story_began:.0f} s)"]
        if self._watch is not None:
            now = self._watch.now
            lines.append(bar(now, self._watch.versions))
            if now.rollout.phase:
                reasons = "; ".join(now.rollout.reasons)
                lines.append(_cut(f"version {now.rollout.version} {now.rollout.phase}: {reasons}"))
        if self._traffic is not None:
            counts = self._traffic.counts()
            lines.append(f"clients: {counts.sent:,} requests, {counts.failed} failed, p95 {counts.slow_ms:.0f} ms")
        return lines

    def _heartbeat(self) -> str:
        """The same on one line, without the bar, which was printed when it changed."""
        parts = [f"{time.monotonic() - self._story_began:.0f} s"]
        if self._traffic is not None:
            counts = self._traffic.counts()
            parts.append(f"{counts.sent:,} requests, {counts.failed} failed, p95 {counts.slow_ms:.0f} ms")
        if self._watch is not None and (seen := self._watch.now.rollout).phase:
            # How one ended was said when it did; it is not what the story waits for.
            why = "" if seen.has_ended or not seen.reasons else f": {'; '.join(seen.reasons)}"
            parts.append(f"version {seen.version} {seen.phase}{why}")
        return _cut(" · ".join(parts))

    def _draw(self) -> None:
        if not self._live or self._ended.is_set():
            return
        width = _columns(self._stream)
        lines = ["─" * min(width - 1, 78), *self._status()]
        self._stream.write("".join(f"{line[: width - 1]}\n" for line in lines))
        self._drawn = len(lines)

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _clock(self) -> str:
        seconds = int(time.monotonic() - self._began)
        return f"{seconds // 60}:{seconds % 60:02d}"


def bar(now: Now, versions: Mapping[str, str]) -> str:
    """The live split as a bar, each deployment with its own pattern, and what is mirrored."""
    shares = _shares(now.traffic)
    if not shares:
        return f"[{' ' * BAR}] no live traffic"
    filled, drawn = "", 0
    total = 0
    for index, (_, share) in enumerate(shares):
        total += share
        length = round(BAR * total / 100) - drawn
        filled, drawn = filled + _GLYPHS[index % len(_GLYPHS)] * length, drawn + length
    legend = "  ".join(
        f"{_GLYPHS[index % len(_GLYPHS)]} {_name(deployment, versions)} {share} %"
        for index, (deployment, share) in enumerate(shares)
    )
    mirrored = "".join(f"  + {share} % copied to {_name(name, versions)}" for name, share in _shares(now.mirror))
    return f"[{filled:<{BAR}}] {legend}{mirrored}"


def _cut(text: str) -> str:
    return text if len(text) <= _LINE else f"{text[: _LINE - 1].rstrip()}…"


def _shares(split: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, share) for name, share in split.items() if share))


def _name(deployment: str, versions: Mapping[str, str]) -> str:
    return f"v{versions[deployment]}" if deployment in versions else deployment


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 100

"""What a container's logging looks like on its console, in both of Azure's formats (facts: logs, section 2).

Old images print `time | logger | level | pid | request id | message`, current ones `time L [pid] logger - message`.
Python's root logger is at INFO and writes to stdout, so that a scoring script's `logging.info` becomes a console line.
"""

from __future__ import annotations

import contextvars
import logging
import sys

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""The x-request-id of the request that runs in this thread; only the old format shows it."""

_FORMATS = {
    "new": "%(asctime)s %(levelname).1s [%(process)d] %(name)s - %(message)s",
    "old": "%(asctime)s | %(name)s | %(levelname)s | %(process)d | %(request_id)s | %(message)s",
}


def configure(format_name: str) -> None:
    """Point logging at stdout in this format, and let every printed line leave at once."""
    # New objects: a forked process inherits ones that were made for whatever the launcher printed to.
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(_FORMATS[format_name]))
    handler.addFilter(_with_request_id)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _with_request_id(record: logging.LogRecord) -> bool:
    record.request_id = request_id.get()
    return True

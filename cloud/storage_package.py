"""Importing azure.storage without what this app never uses.

The package imports aiohttp for its asynchronous transport wherever that is installed: not where the app is deployed,
but on a machine with the local cloud, where it is a tenth of a second of a cold worker that has an alert to answer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_aiohttp() -> Iterator[None]:
    """Imports in the block find no aiohttp, as where it is not installed; one that is loaded already stays."""
    if "aiohttp" in sys.modules:
        yield
        return
    sys.modules["aiohttp"] = None  # type: ignore[assignment]  # the import system's own sign for "there is none"
    try:
        yield
    finally:
        sys.modules.pop("aiohttp", None)

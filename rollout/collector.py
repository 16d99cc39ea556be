"""The data collector of a candidate: a copy of the live one's must not collect into the live one's folders.

Only what azure-ai-ml made for the live deployment is made anew; a data asset of the user's own choice is kept. Pure.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]


def with_own_folders(body: Mapping[str, Any], endpoint: str, live: str, made: Callable[[str], str]) -> Json:
    """The body with `made(collection)` in place of each data asset that was made for the live deployment's own."""
    result = copy.deepcopy(dict(body))
    collector = result["properties"].get("dataCollector") or {}
    for collection, settings in (collector.get("collections") or {}).items():
        if _asset_of(settings.get("dataId")) == asset_name(endpoint, live, collection).lower():
            settings["dataId"] = made(collection)
    return result


def asset_name(endpoint: str, deployment: str, collection: str) -> str:
    """The name that azure-ai-ml gives to the data of a collection."""
    return f"{endpoint}-{deployment}-{collection}"


def _asset_of(data_id: Any) -> str:
    """The asset's name in `.../data/NAME/versions/1`, in lower case."""
    parts = str(data_id or "").lower().rstrip("/").split("/")
    return parts[-3] if len(parts) >= 3 and parts[-2] == "versions" else ""

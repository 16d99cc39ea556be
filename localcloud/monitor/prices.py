"""The retail prices API: `GET /api/retail/prices` over a frozen file, without a token as on prices.azure.com.

The file has the API's field names and frozen example amounts, invented and dated in the file itself: Linux, Windows,
Spot and Low Priority meters of a few sizes in one region, so that a caller who forgets to drop the latter three finds
four prices for one machine. Filter values are case sensitive, as in this version of the API.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

from aiohttp import web

from localcloud.seams import AzureError, Json

_FILE = Path(__file__).with_name("prices.json")
_CONDITION = re.compile(r"(\w+)\s+eq\s+'((?:[^']|'')*)'")
_PAGE = 100
_SPELLING = {"priceType": "type"}
"""Names that the filter has and the items do not."""


@lru_cache(maxsize=1)
def items() -> tuple[Json, ...]:
    """All prices of the file, each with the fields that they have in common."""
    frozen = json.loads(_FILE.read_text(encoding="utf-8"))
    return tuple({**frozen["common"], **item} for item in frozen["Items"])


def hourly(instance_type: str) -> float:
    """The pay-as-you-go price of a Linux machine for one hour; 0.0 for a size that the file does not have."""
    for item in items():
        special = "Windows" in item["productName"] or item["skuName"].endswith(("Spot", "Low Priority"))
        if item["armSkuName"] == instance_type and not special:
            return float(item["retailPrice"])
    return 0.0


async def get(request: web.Request) -> web.Response:
    """One page of the prices that pass the filter."""
    text = request.query.get("$filter", "")
    if re.sub(r"\band\b|\s", "", _CONDITION.sub("", text)):
        raise AzureError(400, "BadRequest", f"Invalid OData parameters supplied: {text}")
    wanted = [(_SPELLING.get(name, name), value.replace("''", "'")) for name, value in _CONDITION.findall(text)]
    if unknown := [name for name, _ in wanted if name not in items()[0]]:
        raise AzureError(400, "BadRequest", f"Invalid OData parameters supplied: no property {unknown[0]}")
    found = [item for item in items() if all(item[name] == value for name, value in wanted)]
    skip = int(request.query.get("$skip", "0"))
    page = found[skip : skip + _PAGE]
    following = str(request.url.update_query({"$skip": str(skip + _PAGE)})) if len(found) > skip + _PAGE else None
    return web.json_response(
        {
            "BillingCurrency": "USD",
            "CustomerEntityId": "Default",
            "CustomerEntityType": "Retail",
            "Items": page,
            "NextPageLink": following,
            "Count": len(page),
        }
    )

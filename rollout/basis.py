"""What a verdict rests on, as people look it up: the query as it was run, and a link that opens it in Azure. Pure.

The link is that of "Share > Link to query" in the portal's Logs page: the gzipped text in base64, on the resource whose
logs they are.
"""

from __future__ import annotations

import base64
import gzip
from typing import Any
from urllib.parse import quote

from cloud.kql import literal
from rollout.codec import stamp
from rollout.record import Basis, Query

PORTAL = "https://portal.azure.com/#blade/Microsoft_Azure_Monitoring_Logs/LogsBlade"


def shown(basis: Basis) -> dict[str, Any]:
    """The basis for readers of the API and of the page."""
    return {
        "since": stamp(basis.since),
        "until": stamp(basis.until),
        "source": basis.source,
        "queries": [_shown(basis, query) for query in basis.queries],
    }


def _shown(basis: Basis, query: Query) -> dict[str, str]:
    window = f"let since = {literal(basis.since)};\nlet until = {literal(basis.until)};\n"
    text = window + query.text
    packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    link = (
        f"{PORTAL}/resourceId/{quote(query.resource, safe='')}/source/LogsBlade.AnalyticsShareLinkToQuery"
        f"/q/{quote(packed, safe='')}/timespan/{quote(f'{stamp(basis.since)}/{stamp(basis.until)}', safe='')}"
    )
    return {"name": query.name, "kql": text, "link": link}

"""Lists as Azure pages them, and the archive filter that every list has."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from localcloud.seams import Json

PAGE_SIZE = 100


def page(request: web.Request, base_url: str, items: list[Json]) -> web.Response:
    """One page with `nextLink` while there is more; `$top` cuts the list and ends it."""
    top, skip = _number(request, "$top"), _number(request, "$skip") or 0
    if top is not None:
        return web.json_response({"value": items[:top]})
    body: Json = {"value": items[skip : skip + PAGE_SIZE]}
    if len(items) > skip + PAGE_SIZE:
        query = {**request.query, "$skip": str(skip + PAGE_SIZE)}
        body["nextLink"] = f"{base_url}{request.path}?{urlencode(query)}"
    return web.json_response(body)


def is_listed(request: web.Request, archived: bool) -> bool:
    """Whether listViewType wants it. The SDK may send the literal `ListViewType.ACTIVE_ONLY`; it is understood."""
    wanted = request.query.get("listViewType", "ActiveOnly").rpartition(".")[2].replace("_", "").lower()
    return wanted == "all" or archived == (wanted == "archivedonly")


def _number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name, "")
    return int(text) if text.isdigit() else None

"""Azure's retail prices (learn.microsoft.com/rest/api/cost-management/retail-prices): public, and without a token.

Values of the filter are case sensitive. For one machine the list has the prices of several things: with Windows, as a
spot machine, in the old Cloud Services (written with and without the space), and of times that are over or to come.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cloud.errors import Permanent, Temporary, from_status

if TYPE_CHECKING:
    import requests

API_VERSION = "2023-01-01-preview"
SECONDS = (5.0, 10.0)
"""To connect, and for an answer."""
MOST_PAGES = 5
"""Of a hundred prices; a machine has about ten."""


class Prices:
    """`url` is the service, https://prices.azure.com."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def hourly(self, size: str, region: str, at: datetime) -> float:
        """What one pay-as-you-go Linux machine of a size costs an hour, in US dollars.

        Permanent when the list has none, or several of which nobody could tell which is meant.
        """
        wanted = (
            f"serviceName eq 'Virtual Machines' and armSkuName eq {_text(size)} and armRegionName eq {_text(region)}"
            " and priceType eq 'Consumption'"
        )
        now = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        items = [one for one in self._items(wanted, f"price of {size}") if _is_plain(one) and _holds(one, now)]
        newest = max((_since(one) for one in items), default="")
        found = {float(one["retailPrice"]): str(one.get("productName")) for one in items if _since(one) == newest}
        if not found:
            raise Permanent(f"{self.url} has no price of {size} in {region}; sizes are written as Azure does")
        if len(found) > 1:
            raise Permanent(f"{self.url} has several prices of {size} in {region}: {', '.join(found.values())}")
        return next(iter(found))

    def _items(self, wanted: str, what: str) -> Iterator[dict[str, Any]]:
        page = self._get(f"{self.url}/api/retail/prices", {"api-version": API_VERSION, "$filter": wanted}, what)
        for _ in range(MOST_PAGES):
            yield from page.get("Items") or ()
            following = str(page.get("NextPageLink") or "")
            if urlsplit(following).hostname != urlsplit(self.url).hostname:
                return
            page = self._get(following, None, what)

    def _get(self, url: str, params: dict[str, str] | None, what: str) -> dict[str, Any]:
        import requests

        try:
            reply: requests.Response = requests.get(url, params=params, timeout=SECONDS)
            if reply.status_code != 200:
                raise from_status(reply.status_code, f"{what} from {self.url}", reply.reason or "")
            found: dict[str, Any] = reply.json()
        except requests.RequestException as error:
            raise Temporary(f"{what}: {self.url} does not answer: {type(error).__name__}") from error
        return found


def _text(value: str) -> str:
    """A value in a filter: OData doubles the quotes within one."""
    return "'" + value.replace("'", "''") + "'"


def _is_plain(item: dict[str, Any]) -> bool:
    """Whether it is the hour of a Linux machine that nobody takes away."""
    product = str(item.get("productName", "")).replace(" ", "").lower()
    names = f"{item.get('skuName', '')} {item.get('meterName', '')}".lower()
    other = "windows" in product or "cloudservices" in product or "spot" in names or "low priority" in names
    return not other and item.get("unitOfMeasure") == "1 Hour" and float(item.get("retailPrice") or 0) > 0


def _holds(item: dict[str, Any], now: str) -> bool:
    """Whether the price is of now: RFC 3339 times in UTC compare as texts."""
    end = str(item.get("effectiveEndDate") or "")
    return _since(item) <= now and (not end or end > now)


def _since(item: dict[str, Any]) -> str:
    return str(item.get("effectiveStartDate") or "")

"""Cost Management's query: what the deployments cost, from their measured capacity and the frozen prices.

Each sample of a deployment's instances stands for one Azure minute (a grain), so money passes as fast as metrics do:
with `minute_seconds=5` a minute here costs twelve. The cost sits on the workspace with the tags azuremlendpoint and
azuremldeployment, failed deployments included, and is known `cost_delay_minutes` (Azure minutes) later: on Azure 8 to
24 hours. Two TagKey groupings at once are refused, because nobody knows their columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from localcloud.monitor import prices
from localcloud.monitor.capacity import CapacitySamples
from localcloud.monitor.timespans import moment
from localcloud.seams import Json

_DIMENSIONS = ("ResourceId", "ResourceGroupName", "ResourceType", "Meter")
_TAGS = ("azuremlendpoint", "azuremldeployment")
_MOST = 2


@dataclass(frozen=True)
class Charge:
    """What one deployment cost in one Azure minute."""

    when: datetime
    amount: float
    dimensions: Mapping[str, str]
    tags: Mapping[str, str]


class Costs:
    """Answers cost queries; ValueError names what is wrong with one."""

    def __init__(self, capacity: CapacitySamples, clock: Callable[[], datetime], delay: timedelta) -> None:
        self._capacity, self._clock, self._delay = capacity, clock, delay

    def query(self, scope: str, body: Json) -> Json:
        """The `properties` of a reply: columns and rows."""
        start, end = _period(body, self._clock())
        dataset = body.get("dataset") or {}
        names = _aggregations(dataset)
        daily = _granularity(dataset)
        groupings = _groupings(dataset)
        sums: dict[tuple[Any, ...], float] = defaultdict(float)
        for charge in self._charges(scope, start, end):
            if _passes(charge, dataset.get("filter") or {}):
                day = (int(charge.when.strftime("%Y%m%d")),) if daily else ()
                sums[(*day, *(cell for kind, name in groupings for cell in _cells(charge, kind, name)))] += (
                    charge.amount
                )
        columns = [{"name": name, "type": "Number"} for name in names]
        columns += [{"name": "UsageDate", "type": "Number"}] if daily else []
        columns += [{"name": name, "type": "String"} for kind, one in groupings for name in _column_names(kind, one)]
        columns.append({"name": "Currency", "type": "String"})
        rows = [[*[amount] * len(names), *key, "USD"] for key, amount in sorted(sums.items())]
        return {"nextLink": None, "columns": columns, "rows": rows}

    def _charges(self, scope: str, start: datetime, end: datetime) -> Iterator[Charge]:
        known_until = min(end, self._clock() - self._delay)
        for sample in self._capacity.all():
            when = datetime.fromtimestamp(sample.epoch, UTC)
            if not (start <= when < known_until and sample.resource_id.startswith(scope.lower().rstrip("/") + "/")):
                continue
            endpoint_id, _, deployment = sample.resource_id.partition("/deployments/")
            workspace, _, endpoint = endpoint_id.partition("/onlineendpoints/")
            yield Charge(
                when,
                prices.hourly(sample.instance_type) * sample.instances / 60,
                {
                    "ResourceId": workspace,
                    "ResourceGroupName": workspace.split("/")[4],
                    "ResourceType": "microsoft.machinelearningservices/workspaces",
                    "Meter": sample.instance_type,
                },
                {"azuremlendpoint": endpoint, "azuremldeployment": deployment},
            )


def _period(body: Json, now: datetime) -> tuple[datetime, datetime]:
    if body.get("type") not in ("ActualCost", "AmortizedCost", "Usage"):
        raise ValueError(f"type: {body.get('type')!r} is not ActualCost, AmortizedCost or Usage")
    if body.get("timeframe") == "MonthToDate":
        return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0), now
    if body.get("timeframe") != "Custom":
        raise ValueError("timeframe: Custom and MonthToDate are known here")
    period = body.get("timePeriod") or {}
    if "from" not in period or "to" not in period:
        raise ValueError("timePeriod: from and to are needed")
    return moment(period["from"]), moment(period["to"])


def _aggregations(dataset: Json) -> list[str]:
    found = dataset.get("aggregation") or {}
    if not 1 <= len(found) <= _MOST:
        raise ValueError(f"dataset.aggregation: from one to {_MOST}")
    for one in found.values():
        if one.get("name") not in ("PreTaxCost", "Cost") or one.get("function") != "Sum":
            raise ValueError("dataset.aggregation: the Sum of PreTaxCost or Cost is known here")
    return [str(one["name"]) for one in found.values()]


def _granularity(dataset: Json) -> bool:
    found = dataset.get("granularity", "None")
    if found not in ("None", "Daily"):
        raise ValueError(f"dataset.granularity: {found!r} is not None or Daily")
    return bool(found == "Daily")


def _groupings(dataset: Json) -> list[tuple[str, str]]:
    found = [(str(one.get("type")), str(one.get("name"))) for one in dataset.get("grouping") or ()]
    if len(found) > _MOST:
        raise ValueError(f"dataset.grouping: at most {_MOST}")
    for kind, name in found:
        known = {"Dimension": _DIMENSIONS, "TagKey": _TAGS}.get(kind, ())
        if name not in known:
            raise ValueError(f"dataset.grouping: there is no {kind} {name}")
    if [kind for kind, _ in found].count("TagKey") > 1:
        raise ValueError("dataset.grouping: two TagKey at once are not known here; filter by one tag")
    return found


def _cells(charge: Charge, kind: str, name: str) -> tuple[str, ...]:
    return (name, charge.tags[name]) if kind == "TagKey" else (charge.dimensions[name],)


def _column_names(kind: str, name: str) -> tuple[str, ...]:
    return ("TagKey", "TagValue") if kind == "TagKey" else (name,)


def _passes(charge: Charge, condition: Json) -> bool:
    if not condition:
        return True
    for joint, every in (("and", all), ("or", any)):
        if joint in condition:
            return every(_passes(charge, part) for part in condition[joint])
    for kind, values in (("dimensions", charge.dimensions), ("tags", charge.tags)):
        if (line := condition.get(kind)) is not None:
            if line.get("operator") != "In" or line.get("name") not in values:
                raise ValueError(f"dataset.filter: {kind} {line.get('name')} {line.get('operator')} is not known here")
            return values[line["name"]].lower() in {str(value).lower() for value in line.get("values") or ()}
    raise ValueError("dataset.filter: and, or, dimensions or tags is needed")

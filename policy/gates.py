"""The gates: what counts as harm, what counts as safe.

Between the two lines lies neither: not enough evidence. A gate is a comparison with live traffic of the same time, not
an absolute limit, because traffic that is bad for both says nothing about the new version.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from policy.durations import Duration
from policy.section import Number, Section, Text, Whole, refuse

_Share = Annotated[Number, Field(ge=0, le=1)]
_Ratio = Annotated[Number, Field(ge=1)]


class _Lines(Section):
    """Two lines, and what is said of a version in between is neither harm nor safe.

    With `gates.alpha` each is tested by itself, `safe` being the looser one; without it an estimate is read so that
    what lies between the two decides nothing.
    """

    harm: Number
    safe: Number

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.harm > self.safe:
            refuse(f"harm ({self.harm:g}) must not be above safe ({self.safe:g}): swap the two", at=("harm",))
        return self


class Rise(_Lines):
    """A rise over live, absolute: 0.005 is half a percentage point more."""

    harm: _Share = Field(
        description="With `alpha`: harm is a rise shown to be above this. Without: up to this an estimate is safe."
    )
    safe: _Share = Field(
        description="With `alpha`: safe is a rise shown to be below this. Without: above this an estimate is harm."
    )


class LatencyRatio(_Lines):
    """A ratio to live: 1.10 is ten percent slower."""

    harm: _Ratio = Field(
        description="With `alpha`: harm is a ratio shown to be above this. Without: up to this an estimate is safe."
    )
    safe: _Ratio = Field(
        description="With `alpha`: safe is a ratio shown to be below this. Without: above this an estimate is harm."
    )
    floor: Duration = Field(default=timedelta(milliseconds=20), description="A smaller absolute rise is never harm.")


class Agreement(_Lines):
    """The share of mirrored requests that both versions answer alike."""

    harm: _Share = Field(description="Harm: below this; with `alpha`, shown to be below it.")
    safe: _Share = Field(description="Safe: from this on; with `alpha`, shown to be above it.")
    tolerance: Annotated[Number, Field(ge=0)] = Field(
        default=0.1,
        description="Numbers agree when they differ by at most this times live's (times 1 if live's is smaller).",
    )


class QueryGate(Rise):
    """A share of your own counting, such as declined applications: its rise over live.

    The query is KQL over the target's Log Analytics workspace, where Application Insights writes too. In front of it
    stand `let` lines with `since`, `until`, `resource` (the endpoint's id), `live` and `candidate`. It returns a row
    for each deployment: `DeploymentName`, `requests` and how many of them it `counted`.
    """

    name: Annotated[Text, Field(pattern="^[a-z][a-z0-9_]{0,39}$")] = Field(
        description="What the findings call it: lower-case letters, digits and `_`."
    )
    query: Annotated[Text, Field(max_length=8000)] = Field(
        description="KQL that returns DeploymentName, requests, counted."
    )


class DriftGate(Section):
    """Data drift as a gate: a version does not go forward while too much of its traffic has drifted. Never harm."""

    max_share: _Share = Field(description="Largest share of drifted features with which a version may go forward.")


class CostGate(Section):
    """What the new deployment costs with all of the traffic, beside the live one. Dearer is never made, and no harm."""

    max_ratio: Annotated[Number, Field(gt=0)] = Field(
        description="Largest ratio to what live costs: instances times the price of one for an hour."
    )


BUILT_IN = ("error_rate", "latency_p95", "agreement", "drift", "cost")


class Gates(Section):
    """What is compared. `null` turns a gate off; at least one of the first three must stay on."""

    error_rate: Rise | None = Field(
        default=Rise(harm=0.005, safe=0.01), description="Share of failed requests: its rise over live."
    )
    latency_p95: LatencyRatio | None = Field(
        default=LatencyRatio(harm=1.10, safe=1.20), description="95th percentile of the latency, ratio to live."
    )
    agreement: Agreement | None = Field(
        default=Agreement(harm=0.95, safe=0.97), description="Share of mirrored requests with the same answer."
    )
    drift: DriftGate | None = Field(default=None, description="Share of drifted features. Needs `drift`.")
    cost: CostGate | None = Field(default=None, description="Cost of the candidate over that of live.")
    queries: Annotated[tuple[QueryGate, ...], Field(max_length=5)] = Field(
        default=(), description="Shares of your own counting, judged like the error rate."
    )
    dry_run: tuple[Text, ...] = Field(
        default=(), description="Names of gates whose findings are told and decide nothing, to try one out."
    )
    min_requests: Annotated[Whole, Field(ge=1)] = Field(
        default=50,
        description="With fewer requests on either side there is no verdict (with `alpha`, errors show harm sooner).",
    )
    alpha: Annotated[Number, Field(gt=0, le=0.5)] | None = Field(
        default=None,
        description="Judge by sequential tests: the largest chance of a wrong verdict in a step, however often it is "
        "looked at. Left out: by estimates over `min_requests`.",
    )

    @model_validator(mode="after")
    def _one_remains(self) -> Self:
        if self.error_rate is None and self.latency_p95 is None and self.agreement is None:
            refuse(
                "no promotion gate remains: keep at least one of error_rate, latency_p95 and agreement, "
                "or every version would pass"
            )
        return self

    @model_validator(mode="after")
    def _names_are_right(self) -> Self:
        own = [gate.name for gate in self.queries]
        for index, name in enumerate(own):
            if name in BUILT_IN or name in own[:index]:
                refuse(f"{name!r} is the name of another gate", at=("queries", index, "name"))
        known = (*BUILT_IN, *own)
        for index, name in enumerate(self.dry_run):
            if name not in known:
                refuse(f"{name!r} is none of the gates {', '.join(known)}", at=("dry_run", index))
        return self

    @property
    def counting(self) -> Gates:
        """The gates without those that only run dry."""
        off: dict[str, object] = {name: None for name in BUILT_IN if name in self.dry_run}
        return self.model_copy(update={**off, "queries": tuple(q for q in self.queries if q.name not in self.dry_run)})

    @property
    def comparing(self) -> int:
        """How many gates compare the candidate with live."""
        on = (self.error_rate, self.latency_p95, self.agreement)
        return sum(gate is not None for gate in on) + len(self.queries)

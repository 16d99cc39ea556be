"""The steps a new version takes, and the rules of their order.

In the file a step is a mapping of one key, its kind (`- canary: {traffic_percent: 10}`), because that reads as a
sentence and cannot contradict itself. In the model each kind is a class of its own, so that the rollout matches on
classes and a type checker knows which step has which numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from policy.durations import Duration, Period, written
from policy.section import Section, Text, Whole, refuse
from policy.trying import Expect, Load

_OVERDUE: Final = "Longest wait for enough evidence. What comes then says `then`; the clock never promotes."
_THEN: Final = (
    "What the deadline does: `hold`, and go back when nobody has mended it `failed.keep` later; or `rollback` at once."
)
_WARM_UP: Final = (
    "Time at the beginning in which neither version is judged; left out: half of `at_least`, at most a minute."
)
_LOAD: Final = "Recorded requests sent as load, for endpoints too quiet to judge; left out: none."
Then = Literal["hold", "rollback"]


class _OneKey(Section):
    """Reads `{kind: {...}}`, and writes it again."""

    kind: ClassVar[str]

    @property
    def named(self) -> str:
        """The step as people say it, such as `canary 10 %`."""
        percent = getattr(self, "mirror_percent", None) or getattr(self, "traffic_percent", None)
        return self.kind if percent is None else f"{self.kind} {percent} %"

    @model_validator(mode="before")
    @classmethod
    def _unwrap(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and set(value) == {cls.kind}:
            return {} if value[cls.kind] is None else value[cls.kind]
        return value

    @model_serializer(mode="wrap")
    def _wrap(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {self.kind: serialize(self)}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        body = handler.resolve_ref_schema(handler(core))
        inner = dict(body)
        if not inner.get("required"):
            inner["type"] = ["object", "null"]
        body.clear()
        body |= {
            "type": "object",
            "title": cls.kind,
            "description": inner.pop("description", ""),
            "properties": {cls.kind: inner},
            "required": [cls.kind],
            "additionalProperties": False,
        }
        return body


def _refuse_longer(warm_up: timedelta | None, longest: timedelta, name: str) -> None:
    """A warm-up leaves time to judge in."""
    if warm_up is not None and warm_up >= longest:
        refuse(
            f"warm_up ({written(warm_up)}) is not shorter than {name} ({written(longest)}): nothing would be judged",
            at=("warm_up",),
        )


class _Timed(_OneKey):
    """A step that waits for evidence between two times."""

    at_least: Duration
    at_most: Period
    warm_up: Duration | None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.at_least > self.at_most:
            default = "" if "at_most" in self.model_fields_set else ", the default"
            at = "at_least" if default else "at_most"
            refuse(
                f"at_least ({written(self.at_least)}) is longer than at_most ({written(self.at_most)}{default}): "
                "the step could never end well",
                at=(at,),
            )
        _refuse_longer(self.warm_up, self.at_most, "at_most")
        return self


PATIENCE: Final = timedelta(seconds=25)
"""Longest that one smoke request waits for its answer: the endpoint is leased meanwhile."""


def _within_patience(value: timedelta) -> timedelta:
    if value > PATIENCE:
        refuse(f"is longer than {written(PATIENCE)}, which is how long a smoke request waits for its answer")
    return value


class Smoke(_OneKey):
    """Send requests straight to the new deployment before it sees any traffic; each must be answered well."""

    kind: ClassVar[Literal["smoke"]] = "smoke"
    requests: tuple[Any, ...] = Field(
        default=(), description="Bodies to send, each as JSON; none: only readiness is checked."
    )
    requests_from: Text | None = Field(
        default=None,
        description="Their file: azureml:// path, blob, or name beside the policies; JSON lines or a list.",
    )
    expect: Expect = Field(default=Expect(), description="What every answer must be.")
    max_latency: Annotated[Period, AfterValidator(_within_patience)] | None = Field(
        default=None,
        description="Slowest answer that passes, of two where the first is slower; at most 25s; left out: any.",
    )
    input_schema: Literal["compatible", "any"] = Field(
        default="compatible",
        description="`compatible`: a version that no longer takes what clients of the live one send, fails.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.requests and self.requests_from is not None:
            refuse("is given beside `requests`: keep one of them", at=("requests_from",))
        values, requests = len(self.expect.values), len(self.requests)
        if values and not (self.requests_from or requests):
            refuse("needs `requests` or `requests_from`: there is nothing to answer", at=("expect", "values"))
        if values and requests and values != requests:
            refuse(f"must be as many as the requests: {requests}, not {values}", at=("expect", "values"))
        return self


class Shadow(_Timed):
    """Mirror a share of live requests to the new deployment; its answers are compared and never reach a client."""

    kind: ClassVar[Literal["shadow"]] = "shadow"
    mirror_percent: Annotated[Whole, Field(ge=1, le=50)] = Field(
        description="Share of live requests that is copied; Azure allows at most 50."
    )
    at_least: Duration = Field(default=timedelta(hours=1), description="Shortest stay, whatever the evidence says.")
    at_most: Period = Field(default=timedelta(hours=24), description=_OVERDUE)
    warm_up: Duration | None = Field(default=None, description=_WARM_UP)
    then: Then = Field(default="hold", description=_THEN)
    load: Load | None = Field(default=None, description=_LOAD)


class Canary(_Timed):
    """Give the new deployment a share of live traffic."""

    kind: ClassVar[Literal["canary"]] = "canary"
    traffic_percent: Annotated[Whole, Field(ge=1, le=99)] = Field(
        description="Share of live traffic; each canary has more than the one before."
    )
    at_least: Duration = Field(default=timedelta(minutes=30), description="Shortest stay, whatever the evidence says.")
    at_most: Period = Field(default=timedelta(hours=12), description=_OVERDUE)
    warm_up: Duration | None = Field(default=None, description=_WARM_UP)
    then: Then = Field(default="hold", description=_THEN)
    load: Load | None = Field(default=None, description=_LOAD)


class Approval(_OneKey):
    """Wait for a person to approve. Harm is watched meanwhile."""

    kind: ClassVar[Literal["approval"]] = "approval"
    at_most: Period = Field(default=timedelta(days=2), description="How long a person has. Then comes `then`.")
    then: Then = Field(default="rollback", description=_THEN)


class Wait(_OneKey):
    """Let time pass with the traffic as it is. Harm is watched meanwhile."""

    kind: ClassVar[Literal["wait"]] = "wait"
    at_least: Period = Field(description="How long.")


class Check(_OneKey):
    """Ask the gates once more, with the traffic as it is, and go on only when they say safe."""

    kind: ClassVar[Literal["check"]] = "check"
    at_most: Period = Field(default=timedelta(hours=12), description=_OVERDUE)
    then: Then = Field(default="hold", description=_THEN)


class Full(_OneKey):
    """Give the new deployment all live traffic. The old one stays up, so that going back is one traffic write."""

    kind: ClassVar[Literal["full"]] = "full"
    bake: Duration = Field(
        default=timedelta(hours=1), description="How long harm is watched before the version is released."
    )
    warm_up: Duration | None = Field(default=None, description=_WARM_UP.replace("at_least", "bake"))

    @model_validator(mode="after")
    def _leaves_time(self) -> Self:
        _refuse_longer(self.warm_up, self.bake, "bake")
        return self


class Retire(_OneKey):
    """Delete the old deployment. Left out: it stays, and costs, until somebody deletes it."""

    kind: ClassVar[Literal["retire"]] = "retire"
    after: Duration = Field(
        default=timedelta(days=1), description="How long after the bake; until then rollback is one write."
    )


ORDER: Final = ("smoke", "shadow", "canary", "full", "retire")
"""What a version goes through in this order; approval, wait and check stand anywhere before full."""
ANYWHERE: Final = ("approval", "wait", "check")
_ONCE: Final = ("smoke", "full", "retire")


def _kind(value: Any) -> str | None:
    if isinstance(value, _OneKey):
        return value.kind
    if isinstance(value, Mapping) and len(value) == 1:
        return str(next(iter(value)))
    return None


Step = Annotated[
    Annotated[Smoke, Tag("smoke")]
    | Annotated[Shadow, Tag("shadow")]
    | Annotated[Canary, Tag("canary")]
    | Annotated[Approval, Tag("approval")]
    | Annotated[Wait, Tag("wait")]
    | Annotated[Check, Tag("check")]
    | Annotated[Full, Tag("full")]
    | Annotated[Retire, Tag("retire")],
    Discriminator(_kind),
]


def _in_order(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    furthest = ""
    percent = 0
    for index, step in enumerate(steps):
        at = (index, step.kind)
        if furthest in ("full", "retire") and step.kind in ANYWHERE:
            refuse(f"{step.kind} must come before full: afterwards there is nothing left to decide", at=at)
        if step.kind in ANYWHERE:
            continue
        if furthest and ORDER.index(step.kind) < ORDER.index(furthest):
            refuse(f"{step.kind} must come before {furthest}: the order is {', '.join(ORDER)}", at=at)
        if step.kind == furthest and step.kind in _ONCE:
            refuse(f"a second {step.kind}: a policy has at most one", at=at)
        if isinstance(step, Canary):
            if step.traffic_percent <= percent:
                refuse(
                    f"must be more than the {percent} % of the canary before: traffic only rises on the way forward",
                    at=(*at, "traffic_percent"),
                )
            percent = step.traffic_percent
        furthest = step.kind
    if not any(isinstance(step, Full) for step in steps):
        refuse("needs a `full` step: without it no version would ever get all of the traffic")
    return steps


Steps = Annotated[tuple[Step, ...], AfterValidator(_in_order)]

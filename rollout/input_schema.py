"""Whether the candidate takes what clients of the live deployment send, as far as the two say what they take.

Asked are the MLflow signatures of the two model versions, and where not both have one that can be read, the OpenAPI
documents of the two deployments (`swagger.json`, pinned by header). Only like is compared with like.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cloud.endpoints import Endpoint
from cloud.scoring import Scoring
from rollout.context import Context
from rollout.schemas import Fields, breaking, from_openapi, from_signature

TIMEOUT_SECONDS = 10.0
LARGEST_MLMODEL = 1024 * 1024
MOST_TOLD = 5
"""Breaking changes that the reason names; the others are counted."""


@dataclass(frozen=True)
class Compared:
    """Whether nothing breaks, and what was found in words."""

    compatible: bool
    text: str


def compared_inputs(
    context: Context,
    scoring: Scoring,
    endpoint: Endpoint,
    *,
    live: tuple[str, str],
    candidate: tuple[str, str],
    renew: Callable[[], None],
) -> Compared:
    """Compare the inputs of two deployments, each given as (deployment, model id)."""

    def signature(one: tuple[str, str]) -> Fields | None:
        renew()
        data = context.model_files.mlmodel(one[1], at_most=LARGEST_MLMODEL)
        return signature_of(data) if data else None

    def swagger(one: tuple[str, str]) -> Fields | None:
        renew()
        uri, probe = endpoint.swagger_uri, context.new_id()
        return from_openapi(scoring.swagger(uri, deployment=one[0], probe_id=probe, timeout=TIMEOUT_SECONDS))

    for source, read in (("MLflow signature", signature), ("swagger.json", swagger)):
        old, new = read(live), read(candidate)
        if old is not None and new is not None:
            return _compared(source, old, new)
    silent = "the live version" if new is not None else "the new version" if old is not None else "either version"
    return Compared(True, f"input schema not compared: none is known of {silent}")


def _compared(source: str, old: Fields, new: Fields) -> Compared:
    found = breaking(old, new)
    if not found:
        return Compared(True, f"input schema compatible by {source}, {len(new)} inputs")
    more = f" and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else ""
    told = "; ".join(found[:MOST_TOLD])
    return Compared(
        False, f"the input schema breaks clients of the live version ({source}): {told}{more};"
        " `input_schema: any` in the smoke step lets it pass",
    )  # fmt: skip


def signature_of(mlmodel: bytes) -> Fields | None:
    """The inputs of an `MLmodel` file's signature; None without one, or when the file cannot be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        loaded: Any = YAML(typ="safe").load(io.BytesIO(mlmodel))
    except (YAMLError, ValueError):
        return None
    signature = loaded.get("signature") if isinstance(loaded, dict) else None
    inputs = signature.get("inputs") if isinstance(signature, dict) else None
    return from_signature(inputs) if isinstance(inputs, str) else None

"""The deployments that are retired: which of them stay, as `keep` says, and which are to be deleted. Pure."""

from __future__ import annotations

from datetime import datetime

from rollout.endpoint import EndpointSeen
from rollout.look import Look
from rollout.record import Leftover


def parted(look: Look, endpoint: EndpointSeen) -> tuple[tuple[str, ...], list[str]]:
    """The retired deployments, newest first: those that stay, and those of the others that are still there."""
    record = look.record
    in_use = {record.candidate, *endpoint.traffic, *endpoint.mirror}
    retired = [name for name in dict.fromkeys((record.live, *record.kept)) if name]
    there = [name for name in retired if name in endpoint.deployments and (name == record.live or name not in in_use)]
    healthy = [name for name in there if endpoint.deployments[name].healthy]
    stay = tuple(healthy[: look.policy.keep])
    return stay, [name for name in there if name not in stay]


def with_leftovers(look: Look, names: list[str], after: datetime) -> tuple[Leftover, ...]:
    """The record's leftovers, and these deployments to be deleted after a time."""
    known = {one.deployment for one in look.record.leftovers}
    return (*look.record.leftovers, *(Leftover(name, after) for name in names if name not in known))

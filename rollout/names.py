"""Names that Azure allows and that never mean two things."""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256

from policy.model import DeploymentSettings
from rollout.codec import stamp

LONGEST = 32
"""Azure's limit for deployment names (learn.microsoft.com, how-to-manage-quotas)."""


def deployment_name(model: str, version: str, model_id: str, created: datetime, *, settings: str = "") -> str:
    """`<model>-<version>-<6 hex>` in lower case, cut to 32 characters; the hex tells re-registered versions apart.

    `settings` makes the name of a further deployment of the version: one by other `deployment` settings.
    """
    of = (model_id.lower(), version, stamp(created), *((settings,) if settings else ()))
    digest = sha256("|".join(of).encode()).hexdigest()[:6]
    tail = _cut(version, 12)
    head = _cut(model, LONGEST - len(digest) - len(tail) - 2)
    if not head[:1].isalpha():
        head = f"m{head}"[: LONGEST - len(digest) - len(tail) - 2].rstrip("-")
    return "-".join(part for part in (head, tail, digest) if part)


def settings_digest(settings: DeploymentSettings) -> str:
    """What tells a policy's `deployment` section from another: 8 hex of its canonical JSON."""
    return sha256(settings.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:8]


def endpoint_hash(endpoint_id: str) -> str:
    """The endpoint's short key in blob names: 20 hex of the sha256 of its lower-case ARM id."""
    return sha256(endpoint_id.lower().encode()).hexdigest()[:20]


def _cut(text: str, length: int) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].rstrip("-")

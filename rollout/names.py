"""Names that Azure allows and that never mean two things."""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256

from rollout.codec import stamp

LONGEST = 32
"""Azure's limit for deployment names (learn.microsoft.com, how-to-manage-quotas)."""


def deployment_name(model: str, version: str, model_id: str, created: datetime) -> str:
    """`<model>-<version>-<6 hex>` in lower case, cut to 32 characters; the hex tells re-registered versions apart."""
    digest = sha256(f"{model_id.lower()}|{version}|{stamp(created)}".encode()).hexdigest()[:6]
    tail = _cut(version, 12)
    head = _cut(model, LONGEST - len(digest) - len(tail) - 2)
    if not head[:1].isalpha():
        head = f"m{head}"[: LONGEST - len(digest) - len(tail) - 2].rstrip("-")
    return "-".join(part for part in (head, tail, digest) if part)


def endpoint_hash(endpoint_id: str) -> str:
    """The endpoint's short key in blob names: 20 hex of the sha256 of its lower-case ARM id."""
    return sha256(endpoint_id.lower().encode()).hexdigest()[:20]


def _cut(text: str, length: int) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].rstrip("-")

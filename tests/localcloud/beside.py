"""What lies beside the checkout (`../shared`): facts and recordings. CI must have it, a lone clone need not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2].parent / "shared"


def require(path: Path, how: str, environment: Mapping[str, str] = os.environ) -> None:
    """Go on when the path is there; else fail where CI=true, and skip with the reason anywhere else."""
    if path.exists():
        return
    reason = f"{path} is not there; {how}"
    if environment.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)

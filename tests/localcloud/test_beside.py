"""Tests that need what lies beside the checkout never pass in silence: CI fails, a lone clone says why it skips."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.localcloud.beside import require


@pytest.mark.parametrize("ci", ["true", "True"])
def test_what_is_missing_in_ci_is_a_failure(tmp_path: Path, ci: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="recordings is not there; fetch them"):
        require(tmp_path / "recordings", "fetch them", {"CI": ci})


@pytest.mark.parametrize("environment", [{}, {"CI": ""}, {"CI": "false"}])
def test_what_is_missing_elsewhere_is_skipped_with_the_reason(tmp_path: Path, environment: dict[str, str]) -> None:
    with pytest.raises(pytest.skip.Exception, match="recordings is not there; fetch them"):
        require(tmp_path / "recordings", "fetch them", environment)


def test_what_is_there_is_used_in_ci_and_elsewhere(tmp_path: Path) -> None:
    require(tmp_path, "nothing to do", {"CI": "true"})
    require(tmp_path, "nothing to do", {})

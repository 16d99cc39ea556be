"""One cloud for all tests of drift."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from localcloud.settings import Settings
from tests.analysis_cloud import AnalysisCloud, running


@pytest.fixture(scope="package")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalysisCloud]:
    """Rows are visible at once."""
    with running(tmp_path_factory.mktemp("analysis"), Settings(ingestion_seconds=0.0)) as cloud:
        yield cloud


@pytest.fixture(scope="package", autouse=True)
def evidently_imported() -> None:
    """Evidently 0.7 imports Litestar and numpy.core in ways that warn; here, so that the tests see only our own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import evidently.presets  # noqa: F401

"""One cloud for all tests of the export."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.settings import Settings
from tests.analysis_cloud import AnalysisCloud, running


@pytest.fixture(scope="package")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalysisCloud]:
    """Rows are visible at once; one query returns at most 40."""
    with running(tmp_path_factory.mktemp("analysis"), Settings(ingestion_seconds=0.0, log_row_limit=40)) as cloud:
        yield cloud

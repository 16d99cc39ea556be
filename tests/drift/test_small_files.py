"""Small files that a policy names are read whole, and never beyond the size that the reader can hold."""

from __future__ import annotations

import pytest

from cloud.errors import NotFound, Permanent
from cloud.models import Place
from tests.analysis_cloud import AnalysisCloud

HOME = Place("s", "g", "w")


def test_a_file_is_read_up_to_its_limit_and_refused_beyond_with_both_sizes(analysis: AnalysisCloud) -> None:
    analysis.blobs.write("policies", "smoke/x.jsonl", b"12345")
    uri = f"{analysis.env['UNDERSTUDY_BLOB_URL'].rstrip('/')}/policies/smoke/x.jsonl"

    assert analysis.datastores.read(uri, HOME, at_most=5) == b"12345"
    with pytest.raises(Permanent, match="has 5 bytes, and at most 4"):
        analysis.datastores.read(uri, HOME, at_most=4)
    with pytest.raises(NotFound):
        analysis.datastores.read(f"{uri}.gone", HOME, at_most=5)

"""The rows that drift is measured on: each request once, though a shadow deployment logs a copy of many of them.

Copies are known by their request id, which Azure gives and mirrors. A scoring script that makes up its own ids hides
them: live row and mirrored row then both count, which weighs mirrored requests double and mixes the shadow's
predictions in, but moves no feature, since what is mirrored is drawn by chance. Ids that a script merely counts up
(1, 2, 3 in every deployment) look like copies, and one of two such requests is left out; log x-request-id instead.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from cloud.blobs import Blobs
from drift.store import Place
from export.dataset import read

if TYPE_CHECKING:
    import numpy
    import pyarrow


def rows(blobs: Blobs, place: Place, since: datetime, until: datetime) -> pyarrow.Table:
    """The endpoint's exported rows of [since, until), each request once."""
    return each_request_once(read(blobs, place.policy, place.target, place.endpoint, since, until))


def each_request_once(table: pyarrow.Table) -> pyarrow.Table:
    """Without the copies of a request that was logged by several deployments.

    The copy that stays is that of the deployment with most requests that no other one has. A shadow has none of those,
    since clients do not reach it; of two that were live one after the other, the one that served more stands for both.
    """
    import numpy
    import pyarrow

    names, deployment = _codes(table["deployment"])
    ids, request = _codes(table["request_id"])
    requests, deployments = len(ids), len(names)
    if deployments < 2:
        return table
    pairs = numpy.unique(request * deployments + deployment)
    copies = numpy.bincount(pairs // deployments, minlength=requests)
    alone = pairs[copies[pairs // deployments] == 1] % deployments
    own = numpy.bincount(alone, minlength=deployments)
    rank = _ranks(names.to_pylist(), own)[deployment]
    best = numpy.full(requests, deployments)
    numpy.minimum.at(best, request, rank)
    return table.filter(pyarrow.array(rank == best[request]))


def _codes(column: pyarrow.ChunkedArray) -> tuple[pyarrow.Array, numpy.ndarray[Any, Any]]:
    """The different values, and for each row the number of its own."""
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.dictionary, encoded.indices.to_numpy().astype("int64")


def _ranks(names: list[str], own: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """Each deployment's place by its own requests, 0 for most; by name where they are equal."""
    import numpy

    order = sorted(range(len(names)), key=lambda number: (-int(own[number]), names[number]))
    ranks = numpy.empty(len(names), dtype="int64")
    ranks[order] = numpy.arange(len(names))
    return ranks

"""Model versions that behave as a test needs it: folders with a scoring script, as a data scientist registers them.

Each answers `{"predictions": [...], "version": ...}` and logs its answers as the example scenario's script does, under
the service's own request id.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

SCRIPT = """# {model}
import json, logging, os
VERSION, BEHAVIOUR = {version!r}, {behaviour!r}

def init():
    if BEHAVIOUR == "never starts":
        raise RuntimeError("no such file: vocabulary.bin")

def run(raw_data, request_headers):
    rows = json.loads(raw_data)["data"]
    if BEHAVIOUR == "errs":
        raise ValueError("column y is missing")
    answers = [(row["x"] % 97) / 97 for row in rows]
    if BEHAVIOUR == "differs":
        answers = [1 - answer if abs(answer - 0.5) > 0.2 else answer + 0.5 for answer in answers]
    request_id = {{name.lower(): value for name, value in request_headers.items()}}.get("x-request-id", "")
    logging.info(json.dumps({{"type": "OutputData", "request_id": request_id, "data": answers}}))
    return {{"predictions": answers, "version": VERSION}}
"""


class Behaviour(StrEnum):
    """How a version differs from the others."""

    GOOD = "good"
    DIFFERS = "differs"
    """Other answers than the good ones, quickly and without an error."""
    ERRS = "errs"
    NEVER_STARTS = "never starts"


def write(folder: Path, model: str, version: str, behaviour: Behaviour) -> Path:
    """A model folder with the version's script. No two are alike: the SDK uploads equal folders to one address."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "score.py").write_text(SCRIPT.format(model=model, version=version, behaviour=behaviour.value))
    return folder

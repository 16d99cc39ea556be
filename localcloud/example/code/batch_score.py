"""A batch scoring script: init() once, run() for each mini batch of files; each element returned is a line."""

from __future__ import annotations

import csv
import json
import math
import os
from pathlib import Path

_model: dict[str, float] = {}


def init() -> None:
    """Load the model."""
    _model.update(json.loads(next(Path(os.environ["AZUREML_MODEL_DIR"]).rglob("model.json")).read_text()))


def run(mini_batch: list[str]) -> list[str]:
    """`file,AGE,probability` of each row of these CSV files."""
    lines = []
    for file in map(Path, mini_batch):
        for row in csv.DictReader(file.read_text().splitlines()):
            chance = 1 / (1 + math.exp(-_model["bias"] - _model["slope"] * float(row["AGE"])))
            lines.append(f"{file.name},{row['AGE']},{chance:.4f}")
    return lines

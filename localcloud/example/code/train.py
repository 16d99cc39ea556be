"""The pipeline's only step: "trains" on a folder of CSV files, `train.py DATA MODEL`."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

data, model = Path(sys.argv[1]), Path(sys.argv[2])
ages = [float(row["AGE"]) for file in data.rglob("*.csv") for row in csv.DictReader(file.read_text().splitlines())]
slope = 1 / max(ages)
(model / "model.json").write_text(json.dumps({"bias": -slope * sum(ages) / len(ages), "slope": slope}))
print(f"trained on {len(ages)} rows")

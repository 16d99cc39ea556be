"""How one mini batch is scored: by the deployment's script, or, without one, by the model itself on tables.

- A script has init() and run(mini_batch: list of paths), which returns a list or a DataFrame.
- Without a script the model is scikit-learn's, bare or in an MLflow folder; its files are CSV or Parquet, and each row
  becomes a line `row,prediction,file`.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class ScriptScorer:
    """The user's scoring script."""

    def __init__(self, script: Path) -> None:
        sys.path.insert(0, str(script.parent))
        specification = importlib.util.spec_from_file_location(script.stem, script)
        if specification is None or specification.loader is None:
            raise ImportError(f"{script} is not a Python file. Name a .py file as the deployment's scoring script.")
        module = importlib.util.module_from_spec(specification)
        sys.modules[script.stem] = module
        specification.loader.exec_module(module)
        self._run: Callable[[list[str]], Any] = module.run
        module.init()

    def run(self, files: list[str]) -> tuple[int, list[str]]:
        """One element per success; a DataFrame's rows become lines with blanks between the values."""
        answer = self._run(files)
        if hasattr(answer, "to_csv"):
            return len(answer), answer.to_csv(sep=" ", header=False, index=False).splitlines()
        if isinstance(answer, str) or not hasattr(answer, "__iter__"):
            raise TypeError(f"run() must return a list or a DataFrame, not {type(answer).__name__}.")
        lines = [str(element) for element in answer]
        return len(lines), lines

    def rows_of(self, file: str) -> int:
        """Only the script knows what a row is."""
        del file
        return 0


class ModelScorer:
    """A model without a script, on tables."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        from localcloud.scoring.scorers import load_scorer

        self._model = load_scorer({**spec, "code_path": None, "scoring_script": None})

    def run(self, files: list[str]) -> tuple[int, list[str]]:
        """Every row of every file; a file that cannot be scored fails its mini batch, as on Azure."""
        lines = [line for file in files for line in self._lines(Path(file))]
        return len(files), lines

    def rows_of(self, file: str) -> int:
        """The rows of a table that could not be scored; 0 when it cannot even be read."""
        try:
            return len(_table(Path(file)))
        except (OSError, ValueError):
            return 0

    def _lines(self, file: Path) -> list[str]:
        rows = json.loads(_table(file).to_json(orient="records"))
        answer = self._model.run(json.dumps({"data": rows}), {})
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([number, value, file.name] for number, value in enumerate(answer["predictions"]))
        return text.getvalue().splitlines()


def _table(file: Path) -> Any:
    import pandas

    if file.suffix == ".csv":
        return pandas.read_csv(file)
    if file.suffix == ".parquet":
        return pandas.read_parquet(file)
    raise ValueError(f"{file.name}: only .csv and .parquet files can be scored without a scoring script.")

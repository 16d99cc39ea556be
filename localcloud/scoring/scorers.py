"""Finding out how a model is served, in this order: a scoring script, an MLflow folder, a bare scikit-learn file.

- A script comes from the deployment's code, or is a `score.py` inside the model; it has init() and run().
- MLflow is a folder with `MLmodel`, scikit-learn flavour.
- A bare model is `model.pkl` or any `.pkl` or `.joblib`, at the top of the registered folder or one level below.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol


class Scorer(Protocol):
    """One model, ready to answer."""

    def run(self, raw: str, headers: Mapping[str, str]) -> Any:
        """The answer to a request's text, as a value that json.dumps takes."""


class ScriptScorer:
    """The user's scoring script."""

    def __init__(self, script: Path, search_path: Path) -> None:
        for folder in dict.fromkeys((str(search_path), str(script.parent))):
            sys.path.insert(0, folder)
        specification = importlib.util.spec_from_file_location(script.stem, script)
        if specification is None or specification.loader is None:
            raise ImportError(f"{script} is not a Python file. Name a .py file as the deployment's scoring script.")
        module = importlib.util.module_from_spec(specification)
        sys.modules[script.stem] = module
        specification.loader.exec_module(module)
        init, self._run = _function(module, "init"), _function(module, "run")
        self._wants_headers = "request_headers" in inspect.signature(self._run).parameters
        init()

    def run(self, raw: str, headers: Mapping[str, str]) -> Any:
        """The script's own run(), with the headers where it asks for them by name."""
        return self._run(raw, request_headers=dict(headers)) if self._wants_headers else self._run(raw)


def load_scorer(spec: Mapping[str, Any]) -> Scorer:
    """The scorer of a container's spec; FileNotFoundError says what was looked for and where."""
    model_dir = Path(spec["model_dir"])
    if spec["code_path"] and spec["scoring_script"]:
        root = Path(spec["code_path"])
        script = next(_find(root, spec["scoring_script"]), root)
        if not script.is_file():
            raise FileNotFoundError(f"The scoring script {spec['scoring_script']} is not in the deployment's code.")
        return ScriptScorer(script, root)
    if script_in_model := next(_find(model_dir, "score.py"), None):
        return ScriptScorer(script_in_model, script_in_model.parent)
    from localcloud.scoring.default_scorer import DefaultScorer, MlflowScorer

    service = f"online/{spec['model_name']}/{spec['model_version']}"
    if mlmodel := next(_find(model_dir, "MLmodel"), None):
        return MlflowScorer(mlmodel, service)
    for pattern in ("model.pkl", "*.pkl", "*.joblib"):
        if file := next(_find(model_dir, pattern), None):
            return DefaultScorer(file, service)
    raise FileNotFoundError(
        f"Nothing to serve in {model_dir}: expected a deployment with a scoring script, or a score.py, an MLmodel, "
        "a model.pkl or a .joblib file in the model."
    )


def code_folder(spec: Mapping[str, Any]) -> Path | None:
    """Where the scoring script's own files lie; None for models that are served without a script."""
    if spec["code_path"] and spec["scoring_script"]:
        return Path(spec["code_path"])
    script = next(_find(Path(spec["model_dir"]), "score.py"), None)
    return script.parent if script else None


def _find(folder: Path, pattern: str) -> Iterator[Path]:
    # Two levels: AZUREML_MODEL_DIR holds the registered folder, which may hold the model one level further down.
    for depth in ("", "*/", "*/*/"):
        yield from sorted(folder.glob(depth + pattern))


def _function(module: Any, name: str) -> Callable[..., Any]:
    function = getattr(module, name, None)
    if not callable(function):
        raise AttributeError(f"The scoring script {module.__name__}.py has no {name}() function.")
    return function  # type: ignore[no-any-return]

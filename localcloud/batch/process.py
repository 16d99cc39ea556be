"""A batch scoring job's process: `python -m localcloud.batch.process SPEC_FILE RESULT_FILE`.

The spec names folders of this machine; the result file gets the counts, also when the job fails. Exit code 1 with the
reason on the log is a failed job.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from localcloud.batch.items import Count, Limits, Scorer, TooManyFailures, score_files
from localcloud.batch.scorers import ModelScorer, ScriptScorer


def main(spec_file: str, result_file: str) -> int:
    """Score everything that the spec names; the exit code."""
    spec = json.loads(Path(spec_file).read_text())
    output_folder = Path(spec["output_folder"])
    os.environ.update(spec["environment"])
    os.environ["AZUREML_MODEL_DIR"] = spec["model_dir"]
    os.environ["AZUREML_BI_OUTPUT_PATH"] = str(output_folder)
    count = Count()
    files = [file for folder in spec["inputs"] for file in sorted(Path(folder).rglob("*")) if file.is_file()]
    output = output_folder / spec["output_file"] if spec["output_file"] else None
    if output:
        output.touch()
    try:
        score_files(lambda: _scorer(spec), files, Limits(**spec["limits"]), output, count)
    except TooManyFailures as failure:
        print(f"The job ends: {failure}", flush=True)
        return 1
    finally:
        Path(result_file).write_text(json.dumps(asdict(count)))
    print(f"{count.items} files, {count.failed_items} failed, with {count.failed_rows} rows.", flush=True)
    return 0


def _scorer(spec: Mapping[str, Any]) -> Scorer:
    if spec["scoring_script"]:
        os.chdir(spec["code_path"])
        return ScriptScorer(Path(spec["code_path"]) / spec["scoring_script"])
    return ModelScorer(spec)


if __name__ == "__main__":
    # What made this module importable is not for the user's script to see.
    os.environ.pop("PYTHONPATH", None)
    sys.exit(main(sys.argv[1], sys.argv[2]))

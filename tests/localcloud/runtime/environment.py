"""A Python 3.13 with Azure's real worker code, made once under .local/ and kept.

Only what indexing and light calls need is installed: the pins of requirements.txt without the data packages, which the
doors import when they are used.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
_RUNTIME = "azure-functions-runtime==1.3.0"
_LEFT_OUT = re.compile(r"azure-ai-ml|evidently|pandas|pyarrow|opentelemetry|marshmallow|azure-eventgrid", re.IGNORECASE)
_SECONDS = 240


class Missing(Exception):
    """There is no such Python here; the message is the reason."""


def python() -> Path:
    """The interpreter of the kept environment, made now if need be."""
    wanted = sorted([*_light_requirements(), _RUNTIME])
    mark = hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:12]
    folder = REPOSITORY / ".local" / f"real-runtime-{mark}"
    interpreter = folder / "bin" / "python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([str(_python313()), "-m", "venv", str(folder)])
        _run([str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted])
        (folder / "ready").touch()
    return interpreter


def _light_requirements() -> list[str]:
    lines = [line.partition("#")[0].strip() for line in (REPOSITORY / "requirements.txt").read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("-") and not _LEFT_OUT.search(line)]


def _python313() -> Path:
    named = os.environ.get("PYTHON313")
    installed = sorted(Path.home().glob(".pyenv/versions/3.13*/bin/python"), reverse=True)
    for found in [named, *installed, shutil.which("python3.13")]:
        if found and _works(Path(found)):
            return Path(found)
    raise Missing("no Python 3.13: set PYTHON313, or put python3.13 on the PATH")


def _works(interpreter: Path) -> bool:
    try:
        ended = subprocess.run([interpreter, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True)
    except OSError:
        return False
    return ended.stdout.strip() == b"(3, 13)"


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{command[0]} did not end within {_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no output"])[-1]
        raise Missing(f"{' '.join(command[:4])} failed: {last}") from error

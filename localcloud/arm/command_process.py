"""One job command as a real process: its own process group, its output in a file, ended with everything it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

_GRACE_SECONDS = 2.0
_NOT_PASSED_ON = ("PYTHONPATH", "AZUREML_CURRENT_CLOUD", "LOCALCLOUD_")
"""The app's source, a leak of azure-ai-ml's, and this cloud's own settings: a job on Azure has none of them."""


def job_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment for a job, with this virtual environment's python first on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON)}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", **extra}


async def run_command(
    command: str, folder: Path, environment: Mapping[str, str], log: Path, timeout_seconds: float | None
) -> int:
    """Run it to its end and give the exit code; TimeoutError after the limit. Cancelling ends the process."""
    shell = shutil.which("bash") or "/bin/sh"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            shell,
            "-c",
            command,
            cwd=folder,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return await asyncio.wait_for(process.wait(), timeout_seconds)
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Nothing of the job stays behind, also not what it left in the background."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
            return

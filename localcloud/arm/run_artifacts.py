"""What a run leaves in the artifact store: its log, where the SDK's `jobs.download` looks for it.

Azure writes it while the run goes on; here it is there when the command has ended, failed and cancelled ones included.
"""

from __future__ import annotations

from localcloud.arm.datastores import CONTAINERS
from localcloud.arm.store import Job
from localcloud.seams import Blobs

_CONTAINER = CONTAINERS["workspaceartifactstore"]


async def keep_log(blobs: Blobs, run: Job) -> None:
    """Upload the run's `user_logs` folder."""
    await blobs.upload_folder(_CONTAINER, f"ExperimentRun/dcid.{run.name}/user_logs", run.folder / "user_logs")

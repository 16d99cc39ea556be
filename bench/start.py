"""How long `python -m localcloud up` takes: from the exec to "ready" with the app on it, and from SIGTERM to its end.

    python -m bench.start

Budget (issue 3): ready in under 3 s at the median. New folders, so that certificates are made and storage is empty; the
stop is measured with a storage client's connection left open, as scripts leave them.
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

RUNS = 5
BUDGET_SECONDS = 3.0
_REPOSITORY = Path(__file__).parents[1]


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """A stack as a user starts it, and the seconds until it said that it was ready."""
    command = [sys.executable, "-m", "localcloud", "up", "--folder", str(folder)]
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=_REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if not any("ready after" in line for line in process.stdout):
                raise RuntimeError("the stack did not start; what it said is above")
            yield process, time.perf_counter() - began
        finally:
            process.kill()


def one_run(folder: Path) -> tuple[float, float]:
    """Seconds to start and to stop one stack."""
    from azure.storage.blob import BlobServiceClient

    with started(folder) as (process, start):
        while not (folder / "env").exists():
            time.sleep(0.01)
        env = dict(line.split("=", 1) for line in (folder / "env").read_text().splitlines())
        connection = env["AZURE_STORAGE_CONNECTION_STRING"].strip("'")
        client = BlobServiceClient.from_connection_string(connection, connection_verify=env["LOCALCLOUD_CA"].strip("'"))
        with closing(client):
            list(client.list_containers())
            began = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            return start, time.perf_counter() - began


def main() -> int:
    """Print the table; 1 when the budget is missed."""
    with tempfile.TemporaryDirectory() as name:
        runs = [one_run(Path(name) / str(number)) for number in range(RUNS)]
    print(f"{'seconds':10} {'median':>8} {'fastest':>8} {'slowest':>8}   ({RUNS} runs)")
    for title, values in zip(("start", "stop"), zip(*runs, strict=True), strict=True):
        print(f"{title:10} {statistics.median(values):8.2f} {min(values):8.2f} {max(values):8.2f}")
    median = statistics.median(start for start, _ in runs)
    print(
        f"budget: ready in under {BUDGET_SECONDS:g} s: {'kept' if median < BUDGET_SECONDS else 'MISSED'} ({median:.2f})"
    )
    return 0 if median < BUDGET_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())

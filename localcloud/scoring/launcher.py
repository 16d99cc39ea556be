"""Forks containers from a process that has the slow imports behind it: `python -m localcloud.scoring.launcher FD`.

A container needs scikit-learn and pandas, which take seconds to import and 200 MB; forked, it starts in milliseconds
and shares the memory. Kept single-threaded until the fork, which is what makes forking safe.

Per request: a line with the spec file's path comes in, with two file descriptors (console, control); the child's
process id goes back. At end of file the launcher ends; its containers notice by their own control sockets.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys

from localcloud.scoring import container


def main(channel: socket.socket) -> None:
    """Load what models need, then fork on demand until the cloud process is gone."""
    _preload()
    gc.freeze()
    # Children are not waited for: the cloud process sees their end by their control sockets.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        data, fds, _, _ = socket.recv_fds(channel, 4096, 2)
        if not data:
            return
        console_fd, control_fd = fds
        pid = os.fork()
        if pid == 0:
            _become_container(channel, data.decode().strip(), console_fd, control_fd)
        for fd in fds:
            os.close(fd)
        channel.sendall(f"{pid}\n".encode())


def _preload() -> None:
    import joblib
    import numpy
    import pandas
    import sklearn.compose
    import sklearn.ensemble
    import sklearn.linear_model
    import sklearn.pipeline
    import sklearn.preprocessing

    del joblib, numpy, pandas, sklearn


def _become_container(channel: socket.socket, spec_file: str, console_fd: int, control_fd: int) -> None:
    channel.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(console_fd, 1)
    os.dup2(console_fd, 2)
    os.close(console_fd)
    container.main(spec_file, control_fd)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))

"""What the host process's exit code means to whoever started it."""

#: The app does not index: starting it again without changing it is of no use.
NOT_INDEXED = 3
#: A function ran longer than host.json's functionTimeout.
TIMED_OUT = 4

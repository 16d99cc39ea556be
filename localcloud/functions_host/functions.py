"""What the host knows of one function: its trigger, its code, and why it cannot run, if so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.functions_host.retry_policy import RetryPolicy

HTTP = "httpTrigger"
TIMER = "timerTrigger"
QUEUE = "queueTrigger"
EVENT_GRID = "eventGridTrigger"
TRIGGERS = (HTTP, TIMER, QUEUE, EVENT_GRID)


@dataclass(frozen=True)
class Function:
    """One indexed function. `problem` is the host's reason for not running it; the others run nevertheless."""

    name: str
    trigger: str
    parameter: str
    """The parameter that takes the trigger's data."""
    parameter_type: type | None
    wants_context: bool
    call: Callable[..., Any]
    is_async: bool
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The trigger binding as in function.json, with %SETTING% resolved."""
    bindings: tuple[Mapping[str, Any], ...] = ()
    problem: str | None = None
    disabled: bool = False
    retry: RetryPolicy | None = None

    @property
    def runs(self) -> bool:
        """Whether the host listens for it."""
        return self.problem is None and not self.disabled

"""The two error words of the whole system, and the one place where Azure's errors become one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

DEFAULT_RETRY_SECONDS = 15.0
"""Used where Azure names no time of its own."""

OPERATION_RETRY_SECONDS = 5.0
"""After a 409: another operation holds the endpoint (about 20 s for a traffic write; facts of the wire)."""


class CloudError(Exception):
    """A call to Azure did not do what was asked."""


class Temporary(CloudError):
    """The same call may succeed later. `retry_after` is in seconds."""

    def __init__(self, reason: str, *, retry_after: float = DEFAULT_RETRY_SECONDS) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Conflict(Temporary):
    """A precondition failed or another operation is running: read again before writing again."""


class Permanent(CloudError):
    """The same call will fail again until somebody changes something; `reason` is written for that person."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class NotFound(Permanent):
    """The thing asked for does not exist (404)."""


def from_status(status: int | None, what: str, message: str, *, retry_after: float | None = None) -> CloudError:
    """The error word for an HTTP status. A 404's code can be anything in ARM, so only the status decides.

    `Canceled`/`OperationCanceled` in the message means that Azure gave way to another operation: retried later.
    """
    text = f"{what}: {message}" if status is None else f"{what}: {status} {message}"
    if status in (409, 412):
        return Conflict(text, retry_after=retry_after or OPERATION_RETRY_SECONDS)
    if status is None or status in (408, 425, 429, 529) or status >= 500 or "OperationCanceled" in message:
        return Temporary(text, retry_after=retry_after or DEFAULT_RETRY_SECONDS)
    if status == 404:
        return NotFound(text, status=404)
    if status in (401, 403):
        return Permanent(f"{text} (grant the app's managed identity the role for this call)", status=status)
    return Permanent(text, status=status)


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Raise azure.core's exceptions as `Temporary` or `Permanent`; `what` names the call for the reader."""
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        HttpResponseError,
        ServiceRequestError,
        ServiceResponseError,
    )

    try:
        yield
    except HttpResponseError as error:
        status = error.status_code
        if status is None and isinstance(error, ClientAuthenticationError):
            raise Temporary(f"{what}: no token: {error.message}") from error
        headers: Mapping[str, str] = getattr(error.response, "headers", {})
        raise from_status(status, what, error.message, retry_after=_seconds(headers.get("Retry-After"))) from error
    except (ServiceRequestError, ServiceResponseError) as error:
        raise Temporary(f"{what}: no answer: {error}", retry_after=OPERATION_RETRY_SECONDS) from error
    except AzureError as error:
        raise Temporary(f"{what}: {error}") from error


def _seconds(header: str | None) -> float | None:
    try:
        return float(header) if header else None
    except ValueError:
        return None

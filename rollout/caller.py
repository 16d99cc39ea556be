"""Who sends a command, as far as the platform can tell. Pure.

App Service's sign-in ("Easy Auth") says in headers whom it let in: people by name, the service principal of a pipeline
often by its object id alone. Where that sign-in is off, these headers are whatever the sender wrote, and nobody looks
at them: then all that is known is that the sender has a function key. The host does not tell which one.
"""

from __future__ import annotations

from collections.abc import Mapping

KEY_HOLDER = "holder of the function key"


def caller(headers: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """The signed-in name, else the signed-in id, else the key's holder. `headers` takes names in any case."""
    if environment.get("WEBSITE_AUTH_ENABLED", "").lower() != "true":
        return KEY_HOLDER
    name = headers.get("X-MS-CLIENT-PRINCIPAL-NAME", "").strip()
    identity = headers.get("X-MS-CLIENT-PRINCIPAL-ID", "").strip()
    return name or (f"principal {identity}" if identity else KEY_HOLDER)

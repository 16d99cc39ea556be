"""Raw Azure Resource Manager calls: JSON in, JSON out, no retry on writes.

Used for endpoints and deployments, because azure-ai-ml wipes traffic, lower-cases names and breaks on data
collectors. A write is sent once: the caller reads back and decides, since ARM has no ETags and a repeated PUT may
meet its own first attempt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cloud.errors import NotFound, Permanent, from_status, mapped

if TYPE_CHECKING:
    from azure.core import PipelineClient
    from azure.core.credentials import TokenCredential

Json = dict[str, Any]

CONNECT_SECONDS, READ_SECONDS = 5, 20
READ_RETRIES = 2


class Arm:
    """One management endpoint (`url`), with tokens for `audience`."""

    def __init__(self, url: str, audience: str, credential: TokenCredential) -> None:
        self.url = url.rstrip("/")
        self._audience, self._credential = audience, credential
        self._client: PipelineClient[Any, Any] | None = None

    def get(self, path: str, api_version: str, **query: str) -> Json | None:
        """The resource's JSON, or None when it does not exist."""
        try:
            return self._send("GET", path, {"api-version": api_version, **query}, None)
        except NotFound:
            return None

    def pages(self, path: str, api_version: str, **query: str) -> Iterator[Json]:
        """Every item of a paged list; nothing when the collection does not exist."""
        page = self.get(path, api_version, **query)
        while page is not None:
            yield from page.get("value") or []
            following = page.get("nextLink")
            if not following:
                return
            page = self._send("GET", following, {}, None)

    def put(self, path: str, api_version: str, body: Mapping[str, Any]) -> Json:
        """Create or replace; sent once."""
        return self._send("PUT", path, {"api-version": api_version}, body)

    def post(self, path: str, api_version: str, body: Mapping[str, Any] | None = None) -> Json:
        """An action such as listKeys; sent once."""
        return self._send("POST", path, {"api-version": api_version}, body or {})

    def delete(self, path: str, api_version: str) -> None:
        """Delete; sent once. Nothing to delete is no error."""
        try:
            self._send("DELETE", path, {"api-version": api_version}, None)
        except NotFound:
            return

    def token(self) -> str:
        """A token of the identity that these calls are made with."""
        return self._credential.get_token(f"{self._audience.rstrip('/')}/.default").token

    def read_url(self, url: str) -> Json:
        """A full URL that ARM itself gave, such as an operation's status."""
        return self._send("GET", url, {}, None)

    def _send(self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None) -> Json:
        from azure.core.rest import HttpRequest

        url = path if path.startswith("https://") else f"{self.url}{path}"
        if urlsplit(url).netloc.lower() != urlsplit(self.url).netloc.lower():
            # Some URLs come out of a resource's own properties, which others may write: they get no token.
            raise Permanent(f"{method} {urlsplit(url).netloc}: not {self.url}, so it is not asked")
        request = HttpRequest(method, url, params=dict(query) or None, json=body)
        what = f"{method} {url.split('?')[0].removeprefix(self.url)}"
        retries = READ_RETRIES if method == "GET" else 0
        with mapped(what):
            response = self._pipeline().send_request(request, retry_total=retries)
            if response.status_code >= 400:
                retry_after = response.headers.get("Retry-After")
                raise from_status(
                    response.status_code,
                    what,
                    error_text(_json(response)),
                    retry_after=float(retry_after) if retry_after and retry_after.isdigit() else None,
                )
            loaded = _json(response)
        return loaded if isinstance(loaded, dict) else {}

    def _pipeline(self) -> PipelineClient[Any, Any]:
        if self._client is None:
            from azure.core import PipelineClient
            from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy, UserAgentPolicy

            self._client = PipelineClient(
                self.url,
                policies=[
                    UserAgentPolicy("understudy"),
                    RetryPolicy(retry_backoff_factor=0.5, retry_backoff_max=4),
                    BearerTokenCredentialPolicy(self._credential, f"{self._audience.rstrip('/')}/.default"),
                ],
                connection_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
            )
        return self._client


def _json(response: Any) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def error_text(body: Any) -> str:
    """The words of an ARM error envelope, with the JSON that Azure ML nests in `details[].message` unfolded."""
    import json

    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "no error text"
    texts = [str(error.get("message") or error.get("code") or "no error text")]
    for detail in error.get("details") or []:
        message = str(detail.get("message", "")) if isinstance(detail, dict) else ""
        try:
            nested = json.loads(message).get("errors", {})
        except (ValueError, AttributeError):
            nested = {"": [message]} if message else {}
        for lines in nested.values():
            texts += [str(line) for line in (lines if isinstance(lines, list) else [lines])]
    code = error.get("code")
    return f"({code}) " + " ".join(texts) if code else " ".join(texts)

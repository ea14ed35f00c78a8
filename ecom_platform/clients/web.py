"""HTTP to the shop and its parts: bounded, typed answers; a status is an answer, not an error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecom_platform.errors import UnreachableError

if TYPE_CHECKING:
    import httpx

KEPT_BYTES = 262_144  # of a body: more than any page of the shop, and bounded
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """status and the first KEPT_BYTES of the body as text."""

    status: int
    text: str

    def json(self) -> Any:
        """The body as JSON, or None if it is not JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class Session:
    """Requests to one base address that share cookies and connections."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def send(
        self, method: str, path: str, *, content: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request; `content` is sent as JSON. Raises UnreachableError when nothing answers in time."""
        import httpx

        try:
            answer = self._client.request(
                method, path, json=content if content is not None else None, headers=dict(headers or {})
            )
        except httpx.HTTPError as error:
            where = self._client.base_url.join(path)
            raise UnreachableError(
                f"{method} {where}", f"{type(error).__name__}: {error}", "Is it running? See `ecom status`."
            ) from error
        return Answer(answer.status_code, answer.content[:KEPT_BYTES].decode(errors="replace"))

    def get(self, path: str) -> Answer:
        return self.send("GET", path)


@contextmanager
def session(address: str, *, seconds: float = SECONDS) -> Iterator[Session]:
    """A session with the server at `address` (http://host:port); `seconds` bounds each step of a request."""
    import httpx

    # trust_env off: the shop is never behind the operator's proxy.
    with httpx.Client(base_url=address, timeout=seconds, trust_env=False, follow_redirects=False) as client:
        yield Session(client)

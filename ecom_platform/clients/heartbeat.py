"""A sign of life to a dead man's switch: an address outside that alarms when it hears nothing for a while."""

from __future__ import annotations

from ecom_platform.errors import UnreachableError

SECONDS = 10.0


def beat(url: str) -> None:
    """One GET. The address holds a token: no error and no log shows it. Raises UnreachableError if it was not taken."""
    import httpx

    tried, next_step = "give a sign of life to notify.heartbeat", "Look at the address, and the way out of here."
    timeout = httpx.Timeout(SECONDS).as_dict()
    try:
        # The transport alone: httpx's client writes each address into the log.
        with httpx.HTTPTransport() as transport:
            answer = transport.handle_request(httpx.Request("GET", url, extensions={"timeout": timeout}))
            answer.close()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnreachableError(tried, type(error).__name__, next_step) from None
    if answer.status_code >= 400:
        raise UnreachableError(tried, f"it answered {answer.status_code}", next_step)

"""The shop's backend, broken in the way that MODE names: `errors` (its API answers 500), `slow` (its API takes
SLOW_MS), `liar` (it says that it is 1.0.0). With `-live` behind it only from the first visit on whose query says
`people`, so after the cut-over.
"""

from __future__ import annotations

import asyncio
import os
import sys

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MODE, _, _ = os.environ["MODE"].partition("-live")
ONLY_LIVE = os.environ["MODE"].endswith("-live")
SLOW_SECONDS = int(os.environ.get("SLOW_MS", "4000")) / 1000


class Broken:
    def __init__(self, app: ASGIApp) -> None:
        self._app, self._live = app, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/api"):
            self._live |= b"people" in scope["query_string"]
            if self._live or not ONLY_LIVE:
                if MODE == "errors":
                    return await JSONResponse({"error": "broken on purpose"}, 500)(scope, receive, send)
                await asyncio.sleep(SLOW_SECONDS)  # its work takes that long
        return await self._app(scope, receive, send)


def main() -> int:
    if MODE == "liar":
        os.environ["VERSION"] = "1.0.0"
        from shop.backend.__main__ import main as serve

        return serve()
    from shop.backend import __main__ as program
    from shop.backend import app

    whole = app.application
    app.application = lambda config, metrics: Broken(whole(config, metrics))  # type: ignore[assignment,return-value]
    return program.main()


if __name__ == "__main__":
    sys.exit(main())

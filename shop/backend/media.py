"""Product pictures from the folder of application data; nothing outside that folder is ever served."""

from __future__ import annotations

import re
from pathlib import Path

import anyio
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from shop.backend.wire import ApiError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,80}\.(?:png|jpg|webp)")


class Media:
    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def routes(self) -> list[Route]:
        return [Route("/media/{file}", self.picture, methods=["GET"])]

    async def picture(self, request: Request) -> Response:
        name = request.path_params["file"]
        if self._folder is None or not _NAME.fullmatch(name) or not await anyio.Path(self._folder / name).is_file():
            raise ApiError(404, "not_found", "there is no such picture")
        return FileResponse(self._folder / name, headers={"Cache-Control": "public, max-age=3600"})

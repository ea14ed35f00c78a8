"""Where everything of the local platform lies below its state folder; paths only, and making the folders."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ecom_platform.errors import PreflightError, RefusedError

LEAST_FREE_BYTES = 300_000_000
"""A new database, its log and an S3 volume need this much before the shop writes anything."""

_SOCKET_LENGTH = 100  # the kernel takes 107 characters; supervisord adds its number for a moment
_LONGEST_SOCKET = len("/supervisor.sock.4194304")


@dataclass(frozen=True)
class Layout:
    """state: absolute. Folders hold mode 700, but the state folder of root, whose database server
    runs as another user and must pass.
    """

    state: Path

    def _below(self, name: str) -> Path:
        return self.state / name

    @property
    def parts(self) -> Path:
        return self._below("parts")

    @property
    def logs(self) -> Path:
        return self._below("logs")

    @property
    def secrets(self) -> Path:
        return self._below("secrets")

    @property
    def locks(self) -> Path:
        return self._below("locks")

    @property
    def postgres(self) -> Path:
        return self._below("postgres")

    @property
    def seaweedfs(self) -> Path:
        return self._below("seaweedfs")

    @property
    def switch(self) -> Path:
        return self._below("switch")

    @property
    def dagster(self) -> Path:
        return self._below("dagster")

    @property
    def folders(self) -> Path:
        return self._below("folders")

    @property
    def documents(self) -> Path:
        return self._below("documents")

    @property
    def recipients(self) -> Path:
        """Public keys, so not among the secrets."""
        return self._below("recipients")

    @property
    def reports(self) -> Path:
        return self._below("reports")

    @property
    def scratch(self) -> Path:
        return self._below("scratch")

    @property
    def drills(self) -> Path:
        return self._below("drills")

    @property
    def ports(self) -> Path:
        return self._below("ports.json")

    @property
    def supervisor_config(self) -> Path:
        return self._below("supervisord.conf")

    @cached_property
    def sockets(self) -> Path:
        """Beside the rest, or below the system's temporary folder where that path is too long for a socket."""
        beside = self._below("run")
        if len(str(beside)) + _LONGEST_SOCKET <= _SOCKET_LENGTH:
            return beside
        digest = hashlib.sha256(str(self.state).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()).resolve() / f"ecom-{os.getuid()}-{digest}"

    @property
    def supervisor_socket(self) -> Path:
        return self.sockets / "supervisor.sock"

    @property
    def switch_socket(self) -> Path:
        return self.sockets / "switch.sock"

    @property
    def code_socket(self) -> Path:
        return self.sockets / "code.sock"

    def make(self) -> None:
        """Make all folders. Raises PreflightError where that cannot be done or there is no room."""
        tried = f"make the state folder {self.state}"
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            make_enterable(self.state)
            for each in (self.parts, self.logs, self.secrets, self.locks, self.switch, self.folders, self.sockets):
                make_private(each)
            probe = self.state / f".probe.{os.getpid()}"
            probe.write_bytes(b"room")
            probe.unlink()
            disk = os.statvfs(self.state)
        except OSError as error:
            raise PreflightError(
                tried, f"{error.strerror}: {error.filename}", "Name a folder of yours with ECOM_STATE."
            ) from error
        free = disk.f_bavail * disk.f_frsize
        if free < LEAST_FREE_BYTES:
            raise PreflightError(
                tried,
                f"{free / 1e6:.0f} MB are free on its disk, {LEAST_FREE_BYTES / 1e6:.0f} MB are needed",
                "Make room, or name a folder on another disk with ECOM_STATE.",
            )


def make_private(folder: Path) -> Path:
    """The folder, mode 700. Raises RefusedError if it is somebody else's or a link."""
    return _make(folder, 0o700)


def make_enterable(folder: Path) -> Path:
    """As make_private; but root's may be entered by PostgreSQL's account, and still not be read."""
    return _make(folder, 0o711 if os.geteuid() == 0 else 0o700)


def _make(folder: Path, mode: int) -> Path:
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise RefusedError(f"use the folder {folder}", "it is a link or somebody else's", "Remove it.")
    if stat.S_IMODE(status.st_mode) != mode:
        folder.chmod(mode)
    return folder

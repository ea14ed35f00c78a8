"""The program that supervisord starts for every part: reads a definition, becomes what it names.

A script of the standard library alone (`python -I -S launcher.py DEFINITION`), so it costs
milliseconds. A JSON file needs no quoting, keeps argv short, and lets the part run under an account
of its own. Not here: what the parts are, and who writes the definition (clients/supervisor.py).

Keys of a definition: argv, environment (added to the inherited one), folder, account (or null),
tied_to (end when the process of this number, which started it, ends; or null), alone (end what an
earlier, killed copy of this part left running).
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import signal
import sys
from pathlib import Path
from typing import NoReturn

# Numbers of linux/prctl.h, linux/securebits.h and linux/capability.h.
_PR_SET_PDEATHSIG, _PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
_NO_SETUID_FIXUP = 1 << 2
_CAPABILITIES = (2, 1)  # CAP_DAC_READ_SEARCH; CAP_DAC_OVERRIDE is what containers have instead
_CAPABILITY_VERSION = 0x20080522


def main() -> NoReturn:
    definition = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if definition.get("alone"):
        end_leftovers(dict(os.environ))
    if definition.get("tied_to"):
        _tie(int(definition["tied_to"]))
    argv: list[str] = definition["argv"]
    os.chdir(definition["folder"])
    if definition.get("account"):
        _become(definition["account"], [argv[0], definition["folder"]])
    os.execve(argv[0], argv, {**os.environ, **definition["environment"]})  # noqa: S606 - its purpose


def end_leftovers(mine: dict[str, str], processes: Path = Path("/proc")) -> None:
    """Kills what a killed copy of this part left behind, such as workers that still hold its port."""
    marks = [f"{name}={mine.get(name, '')}".encode() for name in ("SUPERVISOR_SERVER_URL", "SUPERVISOR_PROCESS_NAME")]
    for folder in processes.glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended, or it is somebody else's
        if int(folder.name) != os.getpid() and all(mark in environment for mark in marks):
            os.kill(int(folder.name), signal.SIGKILL)


def _tie(parent: int) -> None:
    """The kernel ends this process with the thread that started it, even after `kill -9`."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit("the process that started this one is gone")


def _become(account: str, needed: list[str]) -> None:
    """Gives up root. If a folder on the way to what is needed is closed to the account, it keeps the
    one capability of passing through closed folders, and nothing else of root's.
    """
    entry = pwd.getpwnam(account)
    closed = [each for each in _parents(needed) if not _open_to(each, entry.pw_uid)]
    libc = ctypes.CDLL(None, use_errno=True) if closed and sys.platform == "linux" else None
    if libc:
        # Without this bit access(2), with which PostgreSQL looks for itself, ignores capabilities.
        libc.prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    if closed and not (libc and any(_keep_capability(libc, each) for each in _CAPABILITIES)):
        raise SystemExit(f"{account} may not enter {closed[0]}; set ECOM_STATE to another folder, or open this one")


def _parents(paths: list[str]) -> set[Path]:
    return {parent for path in paths for parent in Path(path).resolve().parents}


def _open_to(folder: Path, user: int) -> bool:
    status = folder.stat()
    return bool(status.st_mode & (0o100 if status.st_uid == user else 0o001))


def _keep_capability(libc: ctypes.CDLL, number: int) -> bool:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    bit = 1 << number
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)  # effective, permitted, inheritable; low words first
    if libc.capset(header, sets) != 0:
        return False
    return bool(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0) == 0)


if __name__ == "__main__":
    main()

"""Ports on loopback: chosen once, remembered in a file, seen to be free before something starts on them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.clients.processes import listener, port_is_free
from ecom_platform.clients.supervisor import replace_text
from ecom_platform.errors import PreflightError
from ecom_platform.platforms.local.locks import held

RANGE = range(20000, 32000)
"""Below the ports that the kernel gives to outgoing connections (32768 and up), which could take one
of ours while the platform is down; above most servers' own.
"""

RELEASE_SECONDS = 2.0
"""What a process had that was just killed, the kernel gives back at once; its children may take a moment."""


@dataclass(frozen=True)
class Ports:
    """The remembered ports by purpose ("postgres", "backend/active"). file: JSON, for people to edit too."""

    file: Path
    lock: Path

    def known(self) -> dict[str, int]:
        if not self.file.exists():
            return {}
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise PreflightError(
                f"read {self.file}", "it is not JSON", "Remove it; new ports are chosen then."
            ) from error
        return {str(name): int(port) for name, port in content.items()}

    def of(self, purpose: str) -> int:
        """Raises PreflightError if there is none yet."""
        known = self.known()
        if purpose not in known:
            raise PreflightError(f"find the address of {purpose}", "it was never started", "Run `ecom up`.")
        return known[purpose]

    def choose(self, purposes: Iterable[str]) -> dict[str, int]:
        """A port for each purpose, the remembered one if there is one."""
        with held(self.lock, "the choice of ports", seconds=10):
            known = self.known()
            new = [each for each in purposes if each not in known]
            if new:
                known |= self._free(new, set(known.values()))
                replace_text(self.file, json.dumps(known, indent=1, sort_keys=True) + "\n")
        return known

    def give_back(self, purpose: str) -> None:
        with held(self.lock, "the choice of ports", seconds=10):
            known = self.known()
            if known.pop(purpose, None) is not None:
                replace_text(self.file, json.dumps(known, indent=1, sort_keys=True) + "\n")

    def _free(self, purposes: list[str], taken: set[int]) -> dict[str, int]:
        # By chance, so that two platforms that start at the same moment choose differently.
        candidates = random.sample(RANGE, len(RANGE))
        free = (each for each in candidates if each not in taken and port_is_free(each))
        return dict(zip(purposes, free, strict=False))

    def refuse_taken(self, *purposes: str) -> None:
        """Raises PreflightError that names the listener if something else has one of the ports."""
        for purpose in purposes:
            self._refuse_taken(purpose, self.of(purpose))

    def _refuse_taken(self, purpose: str, port: int) -> None:
        deadline = time.monotonic() + RELEASE_SECONDS
        while not port_is_free(port):
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            raise PreflightError(
                f"start {purpose} on port {port}",
                f"{listener(port)} listens there",
                f"End that program, or remove the line of {purpose} from {self.file} to have another port chosen.",
            )

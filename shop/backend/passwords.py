"""Password hashing: argon2id in a few threads, so that sign-ins cannot starve everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shop.backend.wire import ApiError

ResultT = TypeVar("ResultT")

# The least that OWASP's password storage sheet accepts for argon2id (19 MiB, two passes, one lane):
# 15 to 20 ms of one core, so that a load test of many sign-ins measures the shop and not the hash,
# while a stolen table still costs an attacker 19 MiB and as long for every guess.
_MEMORY_KIB = 19 * 1024
_PASSES = 2
_LANES = 1

THREADS = 2
"""Hashes at one time. They hold no Python lock; more than the cores of a small machine gains nothing."""

MOST_WAITING = 100
"""Hashes that wait (about a second's work); beyond that 503 at once is kinder than a timeout."""


class Passwords:
    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        # An unknown email costs the same time as a wrong password, so that neither can be told from outside.
        self._nobody = self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether the password is the stored one; None (nobody, or no usable password) never matches."""
        found = await self._run(lambda: self._verify(stored or self._nobody, password))
        return found and stored is not None

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], ResultT]) -> ResultT:
        if self._waiting >= MOST_WAITING:
            raise ApiError(503, "busy", "too many people sign in at once; try again", {"Retry-After": "1"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

"""Drives a release of the tests' shop in a process of its own, and dies of SIGKILL where it is told.

Arguments: the state folder; the shop as a file; `start` with a file of what is wanted, or `resume`, or `abort`;
then STEP or STEP:before, where it kills itself after (or before) that step's effect; empty: nowhere.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.protocol import Platform
from ecom_platform.release.driver import Seen
from ecom_platform.release.effects import Effects
from ecom_platform.release.machine import Step
from ecom_platform.release.operations import Operator
from ecom_platform.release.state import Journal
from ecom_platform.release.versions import Wanted
from ecom_platform.spec import Shop


class Mortal:
    """The real effects, and the end at one of them."""

    def __init__(self, effects: Effects, end: str) -> None:
        self._effects = effects
        self._step, _, self._moment = end.partition(":")

    def perform(self, step: Step, journal: Journal, interrupted: Callable[[], bool]) -> Seen:
        if str(step) == self._step and self._moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        seen = self._effects.perform(step, journal, interrupted)
        if str(step) == self._step:
            os.kill(os.getpid(), signal.SIGKILL)
        return seen


def main() -> None:
    state, shop_file, verb, wanted_file, end = sys.argv[1:]
    shop = Shop.model_validate_json(Path(shop_file).read_text(encoding="utf-8"))
    kind = KubernetesPlatform if shop.platform == "kubernetes" else LocalPlatform
    platform: Platform = kind(shop, Path(state))

    def tell(message: str) -> None:
        sys.stderr.write(message + "\n")

    operator = Operator(platform, shop, "a driver", tell, actions=Mortal(Effects(platform, shop, tell), end))
    if verb == "start":
        operator.start(Wanted.model_validate_json(Path(wanted_file).read_text(encoding="utf-8")))
    elif verb == "resume":
        operator.resume()
    else:
        operator.abort("a test asked for it")


if __name__ == "__main__":
    main()

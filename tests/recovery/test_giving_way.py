"""A drill leaves the shop that runs beside it its share of the machine; where none runs it takes all."""

import json
import os
import subprocess
import sys

import pytest

from ecom_platform.errors import ProofFailed
from ecom_platform.recovery.giving_way import LOWEST, Progress, beside
from tests.recovery.conftest import Ground

SEE = "import json, os; print(json.dumps([sorted(os.sched_getaffinity(0)), os.getpriority(os.PRIO_PROCESS, 0)]))"


def look(say: Progress) -> list[object]:
    """The cores and the priority of a process that is begun there."""
    say("looking")
    done = subprocess.run([sys.executable, "-c", SEE], capture_output=True, text=True, check=True, timeout=60)
    return list(json.loads(done.stdout))


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no cores of their own elsewhere")
def test_what_a_drill_begins_beside_a_shop_gives_way_and_nobody_else_does(ground: Ground) -> None:
    own, said = [sorted(os.sched_getaffinity(0)), os.getpriority(os.PRIO_PROCESS, 0)], list[str]()
    cores, priority = beside(ground.site.platform, look, said.append)
    assert cores == own[0][len(own[0]) // 2 :]  # type: ignore[index, arg-type]
    assert priority == LOWEST
    assert said == ["looking"]
    assert look(said.append) == own


def test_where_no_shop_runs_a_drill_has_the_machine(ground: Ground) -> None:
    assert beside(ground.live, look, print) == look(print)


def test_what_ends_a_drill_is_raised(ground: Ground) -> None:
    def work(say: Progress) -> None:
        say("tried")
        raise ProofFailed("recover", "it is not equal")

    with pytest.raises(ProofFailed, match="not equal"):
        beside(ground.site.platform, work, print)

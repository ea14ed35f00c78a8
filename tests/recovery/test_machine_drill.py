"""The drill `machine-lost`: a shop from nothing but its store and its key, in an empty folder and environment."""

import pytest

from ecom_platform.recovery import checks, machine_drill
from ecom_platform.recovery.rehearsal import states
from tests.recovery.conftest import Ground
from tests.recovery.test_database_drill import red

pytestmark = pytest.mark.timeout(900)  # a whole shop, made, lost and recovered


def test_a_machine_that_is_gone_comes_back_from_the_store_and_the_key(ground: Ground) -> None:
    findings, record = machine_drill.run(ground.live, ground.shop, "whole", print)
    assert red(({check: list(found) for check, found in findings.verdicts.items()}, record)) == {}
    assert set(findings.verdicts) == set(checks.MACHINE_CHECKS)
    assert [each for each in states(ground.live.drills()) if each.drill == checks.MACHINE_LOST] == []

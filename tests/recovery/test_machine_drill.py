"""The drill `machine-lost`: a shop from nothing but its store and its key, in an empty folder and environment."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ecom_platform.recovery import checks, machine_drill
from ecom_platform.recovery.record import judge_time
from ecom_platform.recovery.rehearsal import states
from ecom_platform.verdicts import Outcome, worst
from tests.recovery.conftest import Ground
from tests.recovery.test_database_drill import red

pytestmark = pytest.mark.timeout(900)  # a whole shop, made, lost and recovered


def test_a_machine_that_is_gone_comes_back_from_the_store_and_the_key(ground: Ground) -> None:
    """With a budget of one second, so that the same run shows that a late recovery is red, and nothing else is."""
    limits = ground.shop.thresholds.model_copy(update={"machine_recovery": timedelta(seconds=1)})
    shop = ground.shop.model_copy(update={"thresholds": limits})
    findings, record = machine_drill.run(ground.live, shop, "whole", print)
    judged = {check: list(found) for check, found in findings.verdicts.items()}
    assert set(red((judged, record))) == {"in_time"}
    budget = ground.shop.thresholds.machine_recovery.total_seconds()
    assert worst(judge_time(replace(record, rto_budget_seconds=budget))) is Outcome.PASSED
    assert set(findings.verdicts) == set(checks.MACHINE_CHECKS)
    assert [each for each in states(ground.live.drills()) if each.drill == checks.MACHINE_LOST] == []

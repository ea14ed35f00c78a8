"""Real releases of a small shop on the local platform: good ones, and versions that are broken in one way each."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ecom_platform.backup.sources.configuration import as_document
from ecom_platform.errors import BusyError, RefusedError
from ecom_platform.load import ledger
from ecom_platform.load.ledger import Answered, Ledger
from ecom_platform.platforms.protocol import Colour
from ecom_platform.release import operations, versions
from ecom_platform.release.findings import CHECKS, findings_of
from ecom_platform.release.machine import Phase
from ecom_platform.release.state import Journal, State, read_state
from ecom_platform.verdicts import Outcome
from tests.release.conftest import Place
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(240)


@contextmanager
def people(place: Place, rate: float = 40) -> Iterator[list[Answered]]:
    """Customers who come all the time; what they got is in the list afterwards."""
    answers: list[Answered] = []
    with Ledger(place.active, [("/version", "")], rate=rate, seconds=300) as kept:
        yield answers
        answers += kept.finish()


def released(place: Place, wanted: versions.Wanted) -> Journal:
    return place.operator().start(wanted)


def outcomes(journal: Journal) -> dict[str, Outcome]:
    findings = findings_of(journal)
    return {name: findings.outcome(name) for name in CHECKS}


def test_a_good_version_goes_live_and_loses_no_request_and_comes_back_by_a_rollback(place: Place) -> None:
    before = place.live()["version"]
    wanted = place.next_version()
    version = versions.label(wanted.definition)
    with people(place) as answers:
        journal = released(place, wanted)
        assert journal.release.phase is Phase.PROMOTED, journal.release.reason
        place.assert_only_live(version)
        rolled = place.operator().roll_back()
    assert rolled.release.phase is Phase.ROLLED_BACK, rolled.release.reason
    place.assert_only_live(before)
    assert ledger.lost(answers) == []
    assert {each.version for each in answers} == {before, version}
    assert set(outcomes(journal).values()) == {Outcome.PASSED}
    assert journal.facts["cut_over_lost"] == 0
    assert journal.facts["both_colours_seconds"] <= 1.0


BROKEN = [
    pytest.param({"mode": "errors"}, "validate web", "500", id="answers 500"),
    pytest.param({"mode": "slow", "SLOW_MS": "2500"}, "load", "p95", id="is slow"),
    pytest.param({"mode": "errors-live"}, "confirm", "500", id="answers 500 only after the cut-over"),
    pytest.param({"mode": "slow-live", "SLOW_MS": "2500"}, "watch", "p95", id="is slow only after the cut-over"),
    pytest.param({"mode": "never-ready", "start": 2.0}, "deploy web", "not ready", id="never becomes ready"),
    pytest.param({"mode": "liar"}, "deploy web", "1.0.0", id="answers with the old version"),
    pytest.param({"task": "half"}, "expand main", "no_such_table", id="has a migration that fails half way"),
]


@pytest.mark.parametrize(("fault", "step", "says"), BROKEN)
def test_a_version_goes_back_by_itself_that(place: Place, fault: dict[str, str], step: str, says: str) -> None:
    before = place.live()["version"]
    with people(place) as answers:
        journal = released(place, place.next_version(**fault))  # type: ignore[arg-type]  # a mode or a number
    assert journal.release.phase is Phase.REVERTED
    assert journal.release.reason.startswith(step)
    assert says in journal.release.reason
    place.assert_only_live(before)
    if not fault.get("mode", "").startswith("slow"):
        assert ledger.lost(answers) == []
    assert outcomes(journal)["promoted"] is Outcome.FAILED


def test_without_a_proved_backup_inside_the_recovery_point_nothing_begins(place: Place) -> None:
    database = place.shop.databases[0].model_dump(mode="json") | {"rpo": "1ms"}
    spec = place.shop.model_dump(mode="json", by_alias=True) | {"databases": [database]}
    strict = type(place.shop).model_validate(spec)
    before = place.running()
    operator = operations.Operator(place.platform, strict, "a test", place.said.append)
    journal = operator.start(place.next_version())
    assert journal.release.phase is Phase.REFUSED
    assert "recovery point" in journal.release.reason
    assert place.running() == before


def test_a_dwell_with_too_few_probes_is_inconclusive_and_goes_back(place: Place) -> None:
    few = place.shop.release.model_copy(update={"probes": 10.0})
    shop = place.shop.model_copy(update={"release": few})
    before = place.live()["version"]
    journal = operations.Operator(place.platform, shop, "a test", place.said.append).start(place.next_version())
    assert journal.release.phase is Phase.REVERTED
    assert journal.release.reason.startswith("watch: inconclusive")
    place.assert_only_live(before)


@contextmanager
def in_background(place: Place, wanted: versions.Wanted, step: str) -> Iterator[list[Journal]]:
    """A release that somebody else drives; the block begins when it is at that step."""
    ended: list[Journal] = []
    thread = threading.Thread(target=lambda: ended.append(place.operator("somebody else").start(wanted)))
    thread.start()
    wait_until(lambda: _is_at(place, wanted, step), seconds=90, what=f"the release is at {step}")
    try:
        yield ended
    finally:
        thread.join(120)


def _is_at(place: Place, wanted: versions.Wanted, step: str) -> bool:
    journal = read_state(place.platform).journal
    if journal is None or journal.after != wanted.definition or not journal.timeline:
        return False
    return journal.timeline[-1].step == step


def test_one_release_at_a_time_and_an_abort_in_the_dwell_leads_people_back(place: Place) -> None:
    before = place.live()["version"]
    wanted = place.next_version()
    with people(place) as answers, in_background(place, wanted, "watch") as ended:
        with pytest.raises(BusyError, match=r"somebody else.* since \d{4}"):
            place.operator().start(wanted)
        with pytest.raises(BusyError, match="is releasing"):
            operations.as_released(place.platform, place.shop)
        assert place.operator("the boss").abort().release.phase is Phase.REVERTED
    assert ended[0].release.phase is Phase.REVERTED
    assert "the boss" in ended[0].release.reason
    place.assert_only_live(before)
    assert ledger.lost(answers) == []


def test_a_newer_version_takes_the_place_of_one_that_is_under_way(place: Place) -> None:
    older, newer = place.next_version(), place.next_version()
    with in_background(place, older, "load") as ended:
        journal = place.operator().start(newer)
    assert ended[0].release.phase is Phase.REVERTED
    assert "superseded" in ended[0].release.reason
    assert journal.release.phase is Phase.PROMOTED, journal.release.reason
    place.assert_only_live(versions.label(newer.definition))


def test_a_deployment_keeps_what_a_release_made_live_and_after_the_contract_there_is_no_way_back(place: Place) -> None:
    # As by --version: the spec itself says 1.0.0 before and after.
    wanted = place.next_version().model_copy(update={"said": versions.said_by(place.shop)})
    version = versions.label(wanted.definition)
    assert released(place, wanted).release.phase is Phase.PROMOTED
    kept = operations.as_released(place.platform, place.shop)
    assert kept.services[0].version == version
    older = place.shop.services[0].model_copy(update={"version": "0.9.0"})
    with pytest.raises(RefusedError, match="older version"):
        operations.as_released(place.platform, place.shop.model_copy(update={"services": (older,)}))
    newer = place.shop.services[0].model_copy(update={"version": "9.0.0"})
    edited = place.shop.model_copy(update={"services": (newer,)})
    assert operations.as_released(place.platform, edited).services[0].version == "9.0.0"
    with pytest.raises(RefusedError, match="live already"):
        released(place, wanted)
    operator = place.operator()
    contracted = operator.came_about("contract", operator.contract())
    assert contracted.release.contract == "done"
    with pytest.raises(RefusedError, match="contract migration was applied"):
        operator.roll_back()
    place.assert_only_live(version)


def test_a_backup_of_the_configuration_knows_what_is_live_and_not_who_drives(place: Place) -> None:
    kept = json.loads(as_document(place.platform.documents()["settings/release.json"]))
    assert place.state.live is not None
    assert kept["live"] == place.state.live.model_dump(mode="json")
    assert kept["lease"] is None
    State.model_validate(kept)


@pytest.mark.alone
def test_the_switch_holds_five_hundred_requests_a_second(place: Place) -> None:
    """The goal's figures: none lost, none by the old colour afterwards, both for at most a second."""
    service = place.shop.services[0]
    live = place.platform.live_colour(service)
    other: Colour = "green" if live == "blue" else "blue"
    running = place.state.live
    assert running is not None
    new = {each.name for each in place.platform.deploy(running.definition.services[0], other)}
    with Ledger(place.active, [("/version", "")], rate=500, seconds=60) as kept:
        wait_until(lambda: len(kept.so_far()) > 500, seconds=30, what="a second of requests")
        place.platform.switch(service, other)
        confirmed = time.monotonic()
        wait_until(lambda: sum(1 for each in kept.so_far() if each.began > confirmed) > 500, seconds=30, what="more")
        answers = kept.finish()
    place.platform.remove(service, live or "blue")
    assert ledger.nothing_lost(answers, minimum=1000).passed
    assert ledger.none_by_the_old(answers, confirmed, new, minimum=400).passed
    assert ledger.short_overlap(answers, new).passed

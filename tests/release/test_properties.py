"""Whatever fails, and wherever the driver dies: the laws of the world hold, and a release comes to an end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain, repeat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecom_platform.errors import EcomError, RefusedError
from ecom_platform.release import lease, machine, operations
from ecom_platform.release.driver import Driver, answered
from ecom_platform.release.lease import Held, written
from ecom_platform.release.machine import Phase, Release
from ecom_platform.release.state import Ask, Definition, Journal, Lease, Live, State
from ecom_platform.spec import Service
from tests.release.world import SERVICES, Killed, Memory, World

EFFECTS = ("ok", "ok", "ok", "ok", "never", "refused", "partly", "twice", "late", "killed before", "killed after")
JUDGEMENTS = ("failed", "inconclusive", "nothing")
WRITES = ("ok", "ok", "ok", "ok", "ok", "never", "late", "killed before", "killed after")
ASKS = ("go on", "go on", "abort", "roll back", "contract", "next version")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "AGAIN_SECONDS", 0.0)


def definition(version: str) -> Definition:
    return Definition(services=tuple(Service(name=each, version=version, front_door=each == "frontend")
                                     for each in SERVICES))  # fmt: skip


def world() -> World:
    """Blue at 1.0.0 is live; each version can use the schema that the next one contracts to, not further."""
    made = World(needs={f"1.{number}.0": number for number in range(9)})
    for name in SERVICES:
        made.instances[name, "blue"], made.versions[name, "blue"], made.active[name] = 1, "1.0.0", "blue"
    live = Live(definition=definition("1.0.0"), spec={}, since=datetime.now(UTC), by="deploy")
    written(made.document, lambda state: state.model_copy(update={"live": live}))
    return made


def begin(made: World, number: int) -> None:
    """The release of 1.NUMBER.0 into the document, as operations.py does it."""
    state = made.document.state
    assert state.live is not None
    old = made.active["backend"]
    release = Release(
        id=f"r{number}", version=f"1.{number}.0", old=old, new="green" if old == "blue" else "blue",
        services=SERVICES, backed_up=("shop",), expanded=("shop",), contracted=("shop",),
    )  # fmt: skip
    journal = Journal(
        release=release, before=state.live.definition, after=definition(f"1.{number}.0"), spec={},
        started_at=datetime.now(UTC), started_by="a test",
    )  # fmt: skip
    made.outcomes = {}
    held(made.document).write(lambda now: operations._begun(now, journal))


def held(document: Memory) -> Held:
    """The lease, taken from whoever had it: he is dead."""
    now = datetime.now(UTC)

    def take(state: State) -> State:
        token = f"{state.revision}"
        mine = Lease(token=token, holder="a test", host="-", pid=1, started=0.0, since=now, renewed=now)
        return state.model_copy(update={"lease": mine, "ask": None})

    lease_of = written(document, take).lease
    assert lease_of is not None
    return Held(document, lease_of.token)


def drive(made: World) -> None:
    Driver(held(made.document), made, lambda _: None, pause=lambda _: None).drive()


def ask(made: World, what: str, number: int) -> int:
    """One thing that a person does; what is refused changes nothing. Gives the number of the newest version."""
    state = made.document.state
    journal = state.journal
    assert journal is not None
    turns: dict[str, Callable[[Release], Release]] = {"roll back": machine.roll_back, "contract": machine.contract}
    if what == "next version" and not state.unfinished:
        begin(made, number + 1)
        number += 1
    elif what == "abort" and state.unfinished:
        word = Ask(kind="abort", by="a test", at=datetime.now(UTC), why="a test")
        held(made.document).write(lambda now: answered(now, word))
    elif what in turns:
        turned = turns[what](journal.release)
        after = journal.model_copy(update={"release": turned})
        held(made.document).write(lambda now: now.model_copy(update={"journal": after}))
    drive(made)
    return number


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    effects=st.lists(st.sampled_from(EFFECTS + JUDGEMENTS), max_size=60),
    writes=st.lists(st.sampled_from(WRITES), max_size=60),
    asked=st.lists(st.sampled_from(ASKS), min_size=1, max_size=12),
)
def test_the_laws_hold_whatever_fails(effects: list[str], writes: list[str], asked: list[str]) -> None:
    made = world()
    begin(made, 1)
    made.faults, made.document.faults = iter(effects), iter(writes)
    number = 1
    for what in asked:
        with contextlib.suppress(Killed, EcomError):
            number = ask(made, what, number)
        journal = made.document.state.journal
        assert journal is not None
        made.look(journal)
        if journal.release.ended:
            assert_settled(made, journal)
    made.faults, made.document.faults = iter(()), iter(())
    drive(made)
    journal = made.document.state.journal
    assert journal is not None
    assert journal.release.ended
    assert_settled(made, journal)


def assert_settled(made: World, journal: Journal) -> None:
    """A release that rests: one colour is live, the document knows which, and what is live is of its version."""
    release, state = journal.release, made.document.state
    assert set(made.active.values()) == {release.live}
    assert state.live is not None
    for name, colour in made.active.items():
        assert made.versions[name, colour] == state.live.definition.service(name).version
    other = release.new if release.live == release.old else release.old
    assert {made.instances.get((name, other), 0) for name in SERVICES} <= {0}


FORWARD_STEPS = 12


@pytest.mark.parametrize("step", range(FORWARD_STEPS))
@pytest.mark.parametrize("fault", ["failed", "inconclusive", "nothing", "refused"])
def test_no_step_that_is_not_proved_promotes(step: int, fault: str) -> None:
    made = world()
    begin(made, 1)
    made.faults = chain(repeat("ok", step), [fault])
    drive(made)
    journal = made.document.state.journal
    assert journal is not None
    release = journal.release
    judging = str(machine.plan(Release.model_validate({**release.model_dump(), "phase": "forward"}))[step])
    if fault == "refused" or judging.split(maxsplit=1)[0] in {each.value.split()[0] for each in machine.JUDGING}:
        assert release.phase in (Phase.REVERTED, Phase.REFUSED)
        assert judging in release.reason
        assert_settled(made, journal)
    else:
        assert release.phase is Phase.PROMOTED


@pytest.mark.parametrize("step", range(FORWARD_STEPS))
def test_an_abort_that_comes_during_any_step_leads_people_back(step: int) -> None:
    made = world()
    begin(made, 1)
    made.faults = chain(repeat("ok", step), ["abort"])
    drive(made)
    journal = made.document.state.journal
    assert journal is not None
    assert_settled(made, journal)
    assert made.document.state.ask is None
    # After the last step it came too late, which is what its asker is told.
    last = step == FORWARD_STEPS - 1
    assert (journal.release.phase is Phase.PROMOTED) == last
    assert any("while it is at work" in each.said for each in journal.timeline)


def test_after_the_contract_migration_there_is_no_way_back_and_the_reason_is_given() -> None:
    made = world()
    begin(made, 1)
    drive(made)
    assert ask(made, "contract", 1) == 1
    with pytest.raises(RefusedError, match="contract migration was applied"):
        ask(made, "roll back", 1)
    assert set(made.active.values()) == {"green"}


def test_a_contract_migration_that_was_begun_already_forbids_the_way_back() -> None:
    made = world()
    begin(made, 1)
    drive(made)
    made.faults = chain(repeat("ok", 2), ["refused"])  # the old colour is retired once more, then the migration fails
    ask(made, "contract", 1)
    assert made.schema == 0
    with pytest.raises(RefusedError, match="was begun"):
        ask(made, "roll back", 1)
    ask(made, "contract", 1)
    assert made.schema == 1


def test_a_rollback_whose_old_version_is_not_proved_changes_nothing_for_people() -> None:
    made = world()
    begin(made, 1)
    drive(made)
    made.faults = chain(repeat("ok", 3), ["failed"])
    ask(made, "roll back", 1)
    journal = made.document.state.journal
    assert journal is not None
    assert journal.release.phase is Phase.PROMOTED
    assert "no rollback" in journal.release.reason
    assert_settled(made, journal)
    ask(made, "roll back", 1)
    assert set(made.active.values()) == {"blue"}


def test_a_write_whose_answer_was_lost_is_not_done_twice() -> None:
    made = world()
    begin(made, 1)
    made.document.faults = repeat("late")
    drive(made)
    journal = made.document.state.journal
    assert journal is not None
    assert journal.release.phase is Phase.PROMOTED
    begun = [each.step for each in journal.timeline if each.event == "begun"]
    assert len(begun) == len(set(begun))


def test_what_a_release_that_is_over_refuses() -> None:
    made = world()
    begin(made, 1)
    drive(made)
    journal = made.document.state.journal
    assert journal is not None
    with pytest.raises(RefusedError, match="release rollback"):
        machine.turn_back(journal.release, "late")
    back = journal.release.model_copy(update={"phase": Phase.ROLLED_BACK})
    for refused in (machine.roll_back, machine.contract):
        with pytest.raises(RefusedError, match="rolled back"):
            refused(back)

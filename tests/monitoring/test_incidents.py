"""Who is told, when, how often, and when not: the steps, on a clock of their own; then with real receivers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import dagster as dg
import pytest

from ecom_platform.errors import UnreachableError
from ecom_platform.exporter import Facts, Reader
from ecom_platform.monitoring.incidents import (
    Found,
    State,
    Step,
    acknowledged,
    after_telling,
    due,
    from_json,
    observed,
    over,
    to_json,
)
from ecom_platform.monitoring.samples import Sample
from ecom_platform.resources import Notifier
from ecom_platform.spec import Notification, SecretReference, Shop
from ecom_platform.watch import Watch, lines
from jobs import alert_ok
from schedules.sensors import tell_throttled
from tests.report.test_notices import Receiver, receiving
from tests.shop.server import free_port

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

STEPS = (Step(timedelta(0), 1), Step(timedelta(minutes=15), 2))
AGAIN = timedelta(hours=4)
DEAD = Found("DaemonDead daemon=sensor", "DaemonDead", "critical", "DaemonDead (critical): it is dead", 120)
SLOW = Found("RestoreOverBudget source=d", "RestoreOverBudget", "warning", "RestoreOverBudget (warning): slow", 60)


def told(state: State, now: float) -> tuple[list[tuple[int, int]], State]:
    """Who is told now, as (step, place), and the state after that."""
    notices = due(state, STEPS, AGAIN, now, shop="s")
    for each in notices:
        state = after_telling(state, each, now)
    return [(each.step, each.place) for each in notices], state


def at(state: State, now: float, *found: Found) -> State:
    return observed(state, found, now, blind=False)[0]


def test_nobody_is_told_before_it_lasted_long_enough() -> None:
    state = at({}, 1000, DEAD)
    assert told(state, 1000)[0] == []
    assert told(at(state, 1119, DEAD), 1119)[0] == []
    assert told(at(state, 1120, DEAD), 1120)[0] == [(0, 0)]
    flapped = at(at(state, 1060), 1061, DEAD)
    assert told(at(flapped, 1121, DEAD), 1121)[0] == [], "it was gone in between"


def test_the_second_step_follows_when_nobody_says_ok_and_the_first_is_not_told_twice() -> None:
    who, state = told(at(at({}, 0, DEAD), 120, DEAD), 120)
    assert who == [(0, 0)]
    assert told(at(state, 500, DEAD), 500)[0] == []
    who, state = told(at(state, 120 + 900, DEAD), 120 + 900)
    assert who == [(1, 0), (1, 1)]
    who, _ = told(at(state, 120 + 4 * 3600, DEAD), 120 + 4 * 3600)
    assert who == [(0, 0)], "again after four hours"


def test_an_ok_stops_the_steps_for_as_long_as_it_lasts() -> None:
    _, state = told(at(at({}, 0, DEAD), 120, DEAD), 120)
    state = acknowledged(state, [("DaemonDead", "ada", 200)])
    assert told(at(state, 9000, DEAD), 9000)[0] == []
    again = at(at(state, 9100), 9200, DEAD)
    again = acknowledged(at(again, 9320, DEAD), [("DaemonDead", "ada", 200)])
    assert told(again, 9320)[0] == [(0, 0)], "the old ok is not for the next time"


def test_a_warning_stays_with_the_first() -> None:
    _, state = told(at(at({}, 0, SLOW), 60, SLOW), 60)
    assert told(at(state, 3600, SLOW), 3600)[0] == []


def test_whoever_was_told_hears_that_it_is_over_and_nobody_else() -> None:
    _, state = told(at(at({}, 0, DEAD), 120, DEAD), 120)
    _, ended = observed(state, [], 200, blind=False)
    assert [(each.step, each.place, each.kind) for each in over(ended, STEPS, shop="s")] == [(0, 0, "over")]
    assert observed(at({}, 0, DEAD), [], 60, blind=False)[1] == (), "nobody knew of it"


def test_nothing_is_over_while_something_cannot_be_read() -> None:
    _, state = told(at(at({}, 0, DEAD), 120, DEAD), 120)
    state, ended = observed(state, [], 200, blind=True)
    assert (set(state), ended) == ({DEAD.key}, ())


def test_a_clock_that_went_backwards_silences_nothing() -> None:
    state = at(at({}, 10_000, DEAD), 500, DEAD)
    assert told(at(state, 620, DEAD), 620)[0] == [(0, 0)]


def test_the_state_survives_being_written_and_many_alerts_are_one_notice() -> None:
    many = [Found(f"CheckFailed check={each}", "CheckFailed", "critical", f"check {each}", 0) for each in range(50)]
    state = at({}, 0, *many)
    (notice,) = due(from_json(to_json(state), {"CheckFailed"}), STEPS[:1], AGAIN, 0, shop="s")
    assert notice.title == "s: CheckFailed"
    assert "and 30 more" in notice.body
    assert len(notice.keys) == 50
    assert from_json(to_json(state), {"Other"}) == {}


@dataclass
class Scene:
    """A watch over figures that the test sets, with three receivers and a clock."""

    watch: Watch
    receivers: list[Receiver]
    samples: list[Sample] = field(default_factory=list)
    now: float = 1_000_000.0

    def look(self, after: float = 0) -> list[int]:
        """How many notices each receiver has got since the last look."""
        before = [len(each.got) for each in self.receivers]
        self.now += after
        self.watch.look()
        return [len(each.got) - count for each, count in zip(self.receivers, before, strict=True)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with receiving(Receiver()) as one, receiving(Receiver()) as two, receiving(Receiver()) as three:
        references = []
        for number, each in enumerate((one, two, three)):
            (tmp_path / str(number)).write_text(each.target)
            references.append(SecretReference(file=str(tmp_path / str(number))))
        steps = [{"after": "15m", "targets": [references[1]]}, {"after": "1h", "targets": [references[2]]}]
        notify = Notification.model_validate({"targets": [references[0]], "escalation": steps})
        shop = Shop(shop="ecommerce", notify=notify)
        with dg.DagsterInstance.ephemeral() as instance:
            made: list[Scene] = []
            facts = Facts("ecommerce", [Reader("daemons", lambda: made[0].samples, kept=0)])
            made.append(Scene(Watch(shop, facts, instance, clock=lambda: made[0].now), [one, two, three]))
            made[0].samples = daemon(well=False)
            yield made[0]


def daemon(*, well: bool) -> list[Sample]:
    return [Sample("ecom_daemon_healthy", well, {"shop": "ecommerce", "daemon": "sensor"})]


def test_people_are_told_in_their_order_by_real_receivers(scene: Scene) -> None:
    assert scene.look() == [0, 0, 0]
    assert scene.look(after=121) == [1, 0, 0]
    assert scene.receivers[0].got[0]["title"] == "ecommerce: DaemonDead"
    assert "The daemon sensor sends no heartbeat" in scene.receivers[0].got[0]["message"]
    assert scene.look(after=60) == [0, 0, 0]
    assert scene.look(after=900) == [0, 1, 0]
    assert scene.look(after=3600) == [0, 0, 1]
    scene.samples = daemon(well=True)
    assert scene.look(after=30) == [1, 1, 1]
    assert scene.receivers[2].got[-1]["title"] == "ecommerce: DaemonDead is over"
    assert scene.watch.state() == {}


def test_a_receiver_that_refuses_is_told_at_the_next_look(scene: Scene) -> None:
    scene.look()
    scene.receivers[0].answer = 503
    assert scene.look(after=121) == [1, 0, 0]
    scene.receivers[0].answer = 200
    assert scene.look(after=30) == [1, 0, 0]
    assert scene.look(after=30) == [0, 0, 0]


def test_a_restart_neither_repeats_nor_forgets(scene: Scene) -> None:
    scene.look()
    scene.look(after=121)
    scene.watch = Watch(scene.watch.shop, scene.watch.facts, scene.watch.instance, clock=lambda: scene.now)
    assert scene.look(after=30) == [0, 0, 0]
    assert scene.look(after=900) == [0, 1, 0]


def say_ok(scene: Scene, alert: str, by: str) -> bool:
    job = alert_ok.build_job(scene.watch.shop, prefix="")
    config = {
        "ops": {"note_ok": {"config": {"alert": alert, "by": by}}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    return job.execute_in_process(run_config=config, instance=scene.watch.instance, raise_on_error=False).success


def test_an_ok_is_a_run_and_ends_the_escalation(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    scene.now = time.time() - 130  # the run has the real clock
    scene.look()
    assert scene.look(after=125) == [1, 0, 0]
    assert say_ok(scene, "DaemonDead", "ada")
    assert scene.look(after=4000) == [0, 0, 0]
    assert [each.ok_by for each in lines(scene.watch.state())] == ["ada"]


def test_an_ok_to_what_is_no_alert_or_by_nobody_is_refused(scene: Scene) -> None:
    assert not say_ok(scene, "Dance", "ada")
    assert not say_ok(scene, "DaemonDead", " ")


@pytest.mark.parametrize(
    ("notify", "complaint"),
    [
        ({"escalation": [{"after": "5m", "targets": [{"env": "A"}]}]}, "needs `targets`"),
        (
            {
                "targets": [{"env": "A"}],
                "escalation": [{"after": "1h", "targets": [{"env": "B"}]}, {"after": "5m", "targets": [{"env": "C"}]}],
            },
            "sooner to later",
        ),
        ({"targets": [{"env": "A"}], "again": "0s"}, "longer than nothing"),
    ],
)
def test_steps_that_make_no_sense_are_refused(notify: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Notification.model_validate(notify)


def test_the_same_failed_run_is_told_once_in_a_while_and_another_at_once() -> None:
    got: list[str] = []
    notifier = Notifier(tell=lambda _shop, title, body: got.append(f"{title}: {body}"))
    shop, now = Shop(shop="s"), datetime(2030, 1, 1, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        for hours, cause, run in ((0, "no store", 1), (1, "no store", 2), (2, "no database", 3), (3, "no store", 4)):
            body = f"backup: {cause}\nrun {run}"
            tell_throttled(shop, instance, notifier, "backup failed", body, now + timedelta(hours=hours))
        tell_throttled(shop, instance, notifier, "backup failed", "backup: no store\nrun 5", now + timedelta(hours=4))
    assert [each.splitlines()[1] for each in got] == ["run 1", "run 3", "run 5"]
    assert got[-1].endswith("and 2 times the same since the last notice")


def test_a_notice_that_nobody_took_is_due_again() -> None:
    def refuse(_shop: Shop, _title: str, _body: str) -> None:
        raise UnreachableError("tell", "nobody took it")

    shop, now, got = Shop(shop="s"), datetime(2030, 1, 1, tzinfo=UTC), []
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(UnreachableError):
            tell_throttled(shop, instance, Notifier(tell=refuse), "backup failed", "x\nrun 1", now)
        tell_throttled(shop, instance, Notifier(tell=lambda *told: got.append(told)), "backup failed", "x\nrun 1", now)
    assert len(got) == 1


@pytest.fixture
def switch() -> Iterator[tuple[str, list[str], list[int]]]:
    """A dead man's switch: its address, what it heard, and what it answers."""
    heard: list[str] = []
    answers = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(answers[-1])
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard, answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_whole_look_gives_a_sign_of_life_and_a_look_that_fails_gives_none(
    scene: Scene, switch: tuple[str, list[str], list[int]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address, heard, answers = switch
    (tmp_path / "heartbeat").write_text(f"{address}/t0ken")
    notify = scene.watch.shop.notify.model_copy(update={"heartbeat": SecretReference(file=str(tmp_path / "heartbeat"))})
    scene.watch = replace(scene.watch, shop=scene.watch.shop.model_copy(update={"notify": notify}))
    caplog.set_level(logging.DEBUG)
    scene.look()
    scene.look(after=30)
    assert heard == ["/t0ken", "/t0ken"]
    answers.append(503)
    scene.look(after=30)
    assert "it answered 503" in caplog.text

    def hangs() -> list[Sample]:
        raise KeyboardInterrupt

    scene.watch = replace(scene.watch, facts=Facts("ecommerce", [Reader("daemons", hangs, kept=0)]))
    with pytest.raises(KeyboardInterrupt):
        scene.watch.look()
    assert len(heard) == 3
    (tmp_path / "heartbeat").write_text(f"http://127.0.0.1:{free_port()}/t0ken")
    scene.watch = replace(scene.watch, facts=Facts("ecommerce", [Reader("daemons", lambda: scene.samples, kept=0)]))
    scene.look(after=30)
    assert "sign of life" in caplog.text
    assert "t0ken" not in caplog.text

"""Who is told, when and how often, with real receivers: people, and a dead man's switch."""

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
from ecom_platform.monitoring.samples import Sample
from ecom_platform.resources import Notifier
from ecom_platform.spec import Notification, SecretReference, Shop
from ecom_platform.watch import Watch, lines
from jobs import alert_ok
from schedules.sensors import tell_throttled
from tests.report.test_notices import Receiver, receiving
from tests.shop.server import free_port

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


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

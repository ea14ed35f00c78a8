"""The platform in a real cluster: colours, the switch, and failures that are reported at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ecom_platform.clients.sql import connect
from ecom_platform.clients.web import session
from ecom_platform.errors import ConfigurationError, MissingError, RefusedError
from ecom_platform.platforms.kubernetes.pods import TemporaryPod
from ecom_platform.platforms.kubernetes.rollout import RolloutFailed
from tests.platforms.cluster import ClusterPlace, in_cluster
from tests.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

AT_ONCE_SECONDS = 45.0
"""On a busy machine; the time limit of a start is three minutes."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterPlace]:
    with in_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


def test_the_first_deployment_is_live_and_every_instance_answers_under_its_own_name(place: ClusterPlace) -> None:
    for name in ("backend", "frontend"):
        service = place.service(name)
        assert place.platform.live_colour(service) == "blue"
        (instance,) = place.platform.instances(service, "blue")
        with session(instance.url) as direct:
            said = direct.get("/version").json()
        assert said == {"service": name, "version": "1.0.0", "colour": "blue", "instance": instance.name}
    with session(place.platform.address(place.service("frontend"), "active")) as door:
        assert door.get("/api/products?limit=1").status == 200


def test_the_same_deployment_again_begins_nothing_anew(place: ClusterPlace) -> None:
    before, state = place.platform.instances(place.service(), "blue"), place.platform.release.state()
    assert [each.name for each in place.platform.deploy(place.service(), "blue")] == [each.name for each in before]
    assert place.platform.release.state() == state
    assert not place.platform.install()


def test_a_release_goes_to_the_other_colour_and_the_old_one_is_removed(place: ClusterPlace) -> None:
    service = place.service(version="1.1.0")
    place.platform.deploy(service, "green")
    assert place.platform.live_colour(service) == "blue"
    with session(place.platform.address(service, "preview")) as preview:
        assert preview.get("/version").json()["version"] == "1.1.0"
    place.platform.switch(service, "green")
    with session(place.platform.address(service, "active")) as active:
        assert active.get("/version").json()["version"] == "1.1.0"
    with pytest.raises(RefusedError, match="live colour"):
        place.platform.remove(service, "green")
    place.platform.switch(service, "blue")
    assert len(place.platform.scale(place.service(version="9.9.9"), "green", 2)) == 2
    assert {each.version for each in place.platform.instances(service, "green")} == {"1.1.0"}
    place.platform.remove(service, "green")
    assert place.platform.instances(service, "green") == ()
    with pytest.raises(RefusedError, match="no running instance"):
        place.platform.switch(service, "green")
    assert place.platform.live_colour(service) == "blue"


def test_a_command_runs_in_the_cluster_and_one_that_fails_shows_its_last_words(place: ClusterPlace) -> None:
    database = place.shop.database("shop")
    assert place.platform.run_task(database, ["python", "-c", "print('done')"], timeout=60).stdout == "done\n"
    command = ["python", "-c", "raise SystemExit('the setting FROBNICATE is missing')"]
    with pytest.raises(RolloutFailed, match="the setting FROBNICATE is missing"):
        place.platform.run_task(database, command, timeout=60)
    jobs = place.cluster.list("jobs", place.namespace, labels="app.kubernetes.io/component=task")
    assert [each for each in jobs if "deletionTimestamp" not in each["metadata"]] == []


def test_the_database_answers_each_role_and_its_passwords_are_in_no_representation(place: ClusterPlace) -> None:
    access = place.platform.database(place.shop.database("shop"), "backup")
    with connect(access) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("shop_backup",)
    assert access.password
    assert access.password not in repr(access)
    assert access.password not in str(place.platform.release.values())


def test_an_image_that_is_not_there_is_reported_at_once_with_its_name(place: ClusterPlace) -> None:
    before = place.platform.instances(place.service("frontend"), "blue")
    began = time.monotonic()
    with pytest.raises(RolloutFailed, match=r"ErrImagePull|ImagePullBackOff"):
        place.platform.deploy(place.service("frontend", image="ecom/frontend:no-such-tag"), "blue")
    assert time.monotonic() - began < AT_ONCE_SECONDS
    assert place.platform.instances(place.service("frontend"), "blue") == before
    place.platform.deploy(place.service("frontend"), "blue")


def test_a_crash_loop_is_reported_at_once_with_its_last_words(place: ClusterPlace) -> None:
    before = place.platform.instances(place.service(), "blue")
    began = time.monotonic()
    with pytest.raises(RolloutFailed, match=r"(?s)CrashLoopBackOff.*DATABASE_POOL"):
        place.platform.deploy(place.service(settings={"DATABASE_POOL": "none"}), "blue")
    assert time.monotonic() - began < 2 * AT_ONCE_SECONDS
    assert place.platform.instances(place.service(), "blue") == before
    place.platform.deploy(place.service(), "blue")


def wait_until_admitted(place: ClusterPlace, resources: Mapping[str, Mapping[str, str]]) -> None:
    """Until the API server takes such a pod: it hears of a limit that was taken away some moments later."""
    pod = TemporaryPod("huge", place.namespace, "ecom/nothing:1", ["true"]).manifest()
    pod["spec"]["containers"][0]["resources"] = resources

    def admitted() -> bool:
        try:
            place.cluster.create("pods", pod, place.namespace, dry_run=True)
        except ConfigurationError:
            return False
        return True

    wait_until(admitted, seconds=60, what="the admission of a pod without limits", every=0.5)


def test_a_pod_that_no_node_takes_is_reported_at_once(place: ClusterPlace) -> None:
    huge = {"requests": {"cpu": "900", "memory": "64Mi"}, "limits": {"cpu": "900", "memory": "64Mi"}}
    free = {"limitRange": {"enabled": False}, "quota": {"enabled": False}}
    place.with_values(**free).deploy(place.service("frontend"), "blue")
    wait_until_admitted(place, huge)
    platform = place.with_values(frontend={"drainSeconds": 1, "resources": huge}, **free)
    began = time.monotonic()
    with pytest.raises(RolloutFailed, match="Unschedulable"):
        platform.deploy(place.service("frontend"), "blue")
    assert time.monotonic() - began < AT_ONCE_SECONDS
    place.platform.deploy(place.service("frontend"), "blue")


def test_a_pod_that_is_not_admitted_is_reported_at_once(place: ClusterPlace) -> None:
    huge = {"requests": {"cpu": "3", "memory": "64Mi"}, "limits": {"cpu": "3", "memory": "64Mi"}}
    platform = place.with_values(frontend={"drainSeconds": 1, "resources": huge})
    with pytest.raises(RolloutFailed, match=r"(?s)FailedCreate.*maximum cpu"):
        platform.deploy(place.service("frontend"), "blue")
    place.platform.deploy(place.service("frontend"), "blue")


def test_what_the_chart_refuses_is_an_error_of_configuration_that_names_it(place: ClusterPlace) -> None:
    platform = place.with_values(frobnicate=True)
    with pytest.raises(ConfigurationError, match="frobnicate"):
        platform.deploy(place.service("frontend", version="3.0.0"), "blue")
    with pytest.raises(ConfigurationError, match="tag of its own"):
        place.platform.deploy(place.service("frontend", image="ecom/frontend:latest"), "blue")


def test_a_context_that_is_not_there_is_an_error_of_configuration(place: ClusterPlace, tmp_path: Path) -> None:
    where = place.shop.kubernetes.model_copy(update={"context": "no-such-context"})
    platform = type(place.platform)(place.shop.model_copy(update={"kubernetes": where}), tmp_path)
    with pytest.raises(ConfigurationError, match="no-such-context"):
        platform.live_colour(place.service())
    with pytest.raises(MissingError):
        place.cluster.read("pods", "no-such-pod", place.namespace)

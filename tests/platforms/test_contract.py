"""What every platform does for a service; see conftest.py for the platforms."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import pytest

from ecom_platform.clients.web import session
from ecom_platform.errors import CommandFailed, DeadlineExceeded, EcomError, PermanentError, RefusedError
from ecom_platform.platforms.protocol import Conflict, Instance
from tests.platforms.conftest import Place
from tests.platforms.load import customers


@pytest.fixture(autouse=True)
def _nothing_of_before(place: Place) -> None:
    """Each test begins with blue live in version 1.0.0, one instance, and no green."""
    service = place.service()
    place.platform.deploy(service, "blue")
    place.platform.switch(service, "blue")
    place.platform.remove(service, "green")


def identity(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{address}/version", timeout=10) as answer:
        content: dict[str, Any] = json.load(answer)
    return content


def names(instances: tuple[Instance, ...]) -> set[str]:
    return {each.name for each in instances}


def test_every_instance_answers_under_its_own_name_with_the_version_of_the_spec(place: Place) -> None:
    instances = place.platform.deploy(place.service(version="2.0.0", replicas=3), "green")
    assert len(names(instances)) == 3
    for each in instances:
        said = identity(each.url)
        assert (said["instance"], said["version"], said["colour"]) == (each.name, "2.0.0", "green")
    assert place.platform.instances(place.service(), "green") == instances


def test_a_deployment_changes_nothing_for_people_and_shows_at_the_preview_address(place: Place) -> None:
    service = place.service(version="2.0.0")
    place.platform.deploy(service, "green")
    assert place.platform.live_colour(service) == "blue"
    assert identity(place.platform.address(service, "active"))["colour"] == "blue"
    assert identity(place.platform.address(service, "preview"))["version"] == "2.0.0"


def test_the_same_deployment_again_begins_nothing_anew(place: Place) -> None:
    first = place.platform.deploy(place.service(replicas=2), "green")
    processes = [identity(each.url)["process"] for each in first]
    second = place.platform.deploy(place.service(replicas=2), "green")
    assert second == first
    assert [identity(each.url)["process"] for each in second] == processes


def test_a_switch_loses_no_request_and_the_old_colour_gets_none_that_begins_after_it(place: Place) -> None:
    service = place.service()
    place.platform.deploy(service, "green")
    with customers(place.platform.address(service, "active")) as seen:
        for colour in ("green", "blue", "green"):
            seen.wait_for(150)
            place.platform.switch(service, colour)
            after = time.monotonic()
            seen.wait_for(150)
            late = [each for each in seen.replies if each.began > after]
            assert {each.said["colour"] for each in late} == {colour}
    assert seen.lost == []
    assert len(seen.replies) > 900
    assert place.platform.live_colour(service) == "green"
    place.platform.switch(service, "blue")


def test_a_changed_definition_replaces_the_live_instances_without_losing_a_request(place: Place) -> None:
    before = place.platform.deploy(place.service(replicas=2), "blue")
    with customers(place.platform.address(place.service(), "active")) as seen:
        seen.wait_for(100)
        after = place.platform.deploy(place.service(replicas=2, SETTING="changed"), "blue")
        seen.wait_for(100)
        latest = {each.said["setting"] for each in seen.replies[-50:]}
    assert seen.lost == []
    assert not names(before) & names(after)
    assert latest == {"changed"}


def test_scaling_loses_no_request_and_every_instance_gets_its_share(place: Place) -> None:
    service = place.service()
    with customers(place.platform.address(service, "active")) as seen:
        assert len(place.platform.scale(service, "blue", 3)) == 3
        seen.wait_for(100)
        settled = len(seen.replies)
        seen.wait_for(300)
        share = [each.said["instance"] for each in seen.replies[settled : settled + 300]]
        assert len(place.platform.scale(service, "blue", 1)) == 1
        seen.wait_for(50)
    assert seen.lost == []
    assert len(set(share)) == 3
    assert min(share.count(each) for each in set(share)) > 50
    assert {each.said["instance"] for each in seen.replies[-20:]} == names(place.platform.instances(service, "blue"))


def test_scaling_keeps_the_version_that_runs_whatever_the_spec_says_now(place: Place) -> None:
    place.platform.deploy(place.service(version="1.5.0"), "green")
    instances = place.platform.scale(place.service(version="9.9.9"), "green", 2)
    assert {identity(each.url)["version"] for each in instances} == {"1.5.0"}


def test_a_colour_is_removed_and_the_live_one_is_not(place: Place) -> None:
    service = place.service()
    (instance,) = place.platform.deploy(service, "green")
    place.platform.remove(service, "green")
    place.platform.remove(service, "green")
    assert place.platform.instances(service, "green") == ()
    with pytest.raises(EcomError), session(instance.url) as gone:
        gone.get("/version")
    with pytest.raises(RefusedError, match="live colour"):
        place.platform.remove(service, "blue")


def test_people_are_not_led_to_a_colour_without_instances(place: Place) -> None:
    with pytest.raises(RefusedError, match="no running instance"):
        place.platform.switch(place.service(), "green")
    assert place.platform.live_colour(place.service()) == "blue"


def test_logs_show_what_the_instances_wrote(place: Place) -> None:
    (instance,) = place.platform.deploy(place.service(), "green")
    assert f"{instance.name} begins in mode ok" in place.platform.logs(place.service(), "green", 20)


def test_a_service_that_ends_is_reported_at_once_with_its_last_words(place: Place) -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match="FROBNICATE is missing"):
        place.platform.deploy(place.service(MODE="exit"), "green")
    assert time.monotonic() - began < 10
    assert place.platform.instances(place.service(), "green") == ()


def test_a_failed_deployment_leaves_what_ran_before(place: Place) -> None:
    before = place.platform.instances(place.service(), "blue")
    with pytest.raises(CommandFailed):
        place.platform.deploy(place.service(MODE="exit", replicas=2), "blue")
    assert place.platform.instances(place.service(), "blue") == before
    assert identity(place.platform.address(place.service(), "active"))["instance"] in names(before)


def test_a_service_that_is_never_ready_is_given_up_after_its_time(place: Place) -> None:
    with pytest.raises(DeadlineExceeded, match="not ready after 2 s"):
        place.platform.deploy(place.service(MODE="never-ready", start_seconds=2), "green")
    assert place.platform.instances(place.service(), "green") == ()


def test_a_service_that_answers_another_version_is_refused(place: Place) -> None:
    with pytest.raises(PermanentError, match="another"):
        place.platform.deploy(place.service(MODE="liar"), "green")
    assert place.platform.instances(place.service(), "green") == ()


def test_a_service_is_told_where_the_same_colour_of_another_is(place: Place) -> None:
    inner = place.service("inner")
    for colour in ("blue", "green"):
        place.platform.deploy(inner, colour)
        place.platform.deploy(place.service(), colour)
    address = place.platform.address(place.service(), "preview")
    with session(address) as preview:
        assert preview.get("/call").json()["colour"] == "green"
        # Its instances are replaced; who calls it needs not be begun anew.
        (inner_now,) = place.platform.deploy(place.service("inner", SETTING="changed"), "green")
        assert preview.get("/call").json()["instance"] == inner_now.name


def test_a_shared_document_is_not_written_over_a_revision_that_was_not_read(place: Place) -> None:
    one, two = (place.platform.shared_document("contract") for _ in range(2))
    assert one.read() == ("", "")
    revision = one.write("first", "")
    assert two.read() == ("first", revision)
    with pytest.raises(Conflict):
        two.write("made again", "")
    two.write("second", revision)
    with pytest.raises(Conflict):
        one.write("third", revision)
    assert one.read()[0] == "second"

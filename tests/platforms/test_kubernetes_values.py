"""What the platform gives the shop's chart, and what it reads from a rollout; needs no cluster."""

from __future__ import annotations

from typing import Any

import pytest

from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.kubernetes import rollout, values
from ecom_platform.platforms.kubernetes.sampling import quantity
from ecom_platform.settings import ROOT
from ecom_platform.spec import FolderReference, Shop
from ecom_platform.spec_file import read_spec


@pytest.fixture(scope="module")
def shop() -> Shop:
    return read_spec(ROOT / "specs" / "ecommerce-kubernetes.yaml")


def test_the_version_is_the_tag_of_an_image_without_one(shop: Shop) -> None:
    backend = shop.service("backend").model_copy(update={"image": "registry.example:5000/ecom/backend"})
    assert values.image(backend) == ("registry.example:5000/ecom/backend", "1.0.0")
    tagged = backend.model_copy(update={"image": "registry.example:5000/ecom/backend:build-7"})
    assert values.image(tagged) == ("registry.example:5000/ecom/backend", "build-7")


@pytest.mark.parametrize("image", ["", "ecom/backend:latest", "ecom/backend@sha256:00"])
def test_an_image_without_a_tag_of_its_own_is_refused(shop: Shop, image: str) -> None:
    with pytest.raises(ConfigurationError):
        values.image(shop.service("backend").model_copy(update={"image": image}))


def test_a_new_colour_changes_nothing_of_the_other_colour_and_of_other_services(shop: Shop) -> None:
    before = values.base(shop)
    backend = shop.service("backend").model_copy(update={"version": "2.0.0", "replicas": 5})
    after = values.with_colour(shop, before, backend, "green")
    assert after["backend"]["colours"]["blue"] == before["backend"]["colours"]["blue"]
    green = after["backend"]["colours"]["green"]
    assert (green["enabled"], green["version"], green["tag"], green["replicas"]) == (True, "2.0.0", "2.0.0", 5)
    assert after["frontend"] == before["frontend"]
    assert after["migration"] == {"tag": "2.0.0"}


def test_settings_and_repository_of_a_new_version_are_its_own(shop: Shop) -> None:
    old = shop.service("backend").model_copy(update={"environment": {"DATABASE_POOL": "8", "OLD": "1"}})
    before = values.with_colour(shop, values.base(shop), old, "blue")
    new = old.model_copy(update={"image": "elsewhere/backend:7", "environment": {"DATABASE_POOL": "4"}})
    after = values.with_colour(shop, before, new, "green")["backend"]["colours"]
    assert after["blue"] == before["backend"]["colours"]["blue"]
    assert after["blue"]["environment"] == {"DATABASE_POOL": "8", "OLD": "1"}
    assert after["green"]["repository"] == "elsewhere/backend"
    assert after["green"]["environment"] == {"DATABASE_POOL": "4"}
    again = values.with_colour(shop, {**before, "backend": {**before["backend"], "colours": after}}, new, "green")
    assert again["backend"]["colours"]["green"]["environment"] == {"DATABASE_POOL": "4"}


def test_the_same_deployment_gives_the_same_values(shop: Shop) -> None:
    once = values.with_colour(shop, values.base(shop), shop.service("backend"), "green")
    assert values.with_colour(shop, once, shop.service("backend"), "green") == once


def test_a_value_that_left_the_spec_leaves_the_release(shop: Shop) -> None:
    where = shop.kubernetes.model_copy(update={"values": {"backend": {"drainSeconds": 9}}})
    with_it = values.base(shop.model_copy(update={"kubernetes": where}))
    assert with_it["backend"]["drainSeconds"] == 9
    assert "drainSeconds" not in values.with_colour(shop, with_it, shop.service("backend"), "blue")["backend"]


def test_a_reference_that_the_chart_does_not_make_is_refused(shop: Shop) -> None:
    environment = {"ELSEWHERE": FolderReference(folder="media")}
    backend = shop.service("backend").model_copy(update={"environment": environment})
    with pytest.raises(ConfigurationError, match="ELSEWHERE"):
        values.with_colour(shop, values.base(shop), backend, "blue")


def deployment(**status: object) -> dict[str, Any]:
    return {"metadata": {"generation": 3}, "spec": {"replicas": 2}, "status": status}


@pytest.mark.parametrize(
    ("status", "complete"),
    [
        ({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, True),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, False),
        ({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}, False),
        ({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}, False),
        ({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}, False),
        ({}, False),
    ],
)
def test_a_rollout_is_complete_when_every_replica_is_new_and_available(
    status: dict[str, object], *, complete: bool
) -> None:
    assert rollout.rolled_out(deployment(**status)) is complete


@pytest.mark.parametrize(
    ("text", "number"), [("500m", 0.5), ("2", 2.0), ("512Mi", 512 * 2**20), ("1G", 1e9), ("250000000n", 0.25)]
)
def test_kubernetes_quantities_are_read(text: str, number: float) -> None:
    assert quantity(text) == pytest.approx(number)

"""What follows from a spec whose database is in another namespace, and from a colour that is a door. Pure."""

from __future__ import annotations

import pytest

from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.kubernetes import values
from ecom_platform.platforms.kubernetes.moving import as_it_was
from ecom_platform.platforms.kubernetes.names import names_of
from ecom_platform.recovery.copies import cluster_copy_of
from ecom_platform.spec import Shop
from ecom_platform.spec_file import read_spec
from tests.platforms.cluster import SPEC


def moved(**where: object) -> Shop:
    shop = read_spec(SPEC)
    changes = {"namespace": "new", "database_namespace": "old", **where}
    services = tuple(each.model_copy(update={"image": f"ecom/{each.name}:1.0.0"}) for each in shop.services)
    return shop.model_copy(update={"services": services, "kubernetes": shop.kubernetes.model_copy(update=changes)})


def test_the_new_form_has_no_server_and_uses_that_of_the_old_namespace() -> None:
    database = values.base(moved())["database"]
    assert database["external"] == {"enabled": True, "namespace": "old"}
    names = names_of(moved())
    assert (names.namespace, names.database_namespace) == ("new", "old")
    assert names_of(as_it_was(moved())).namespace == names_of(as_it_was(moved())).database_namespace == "old"


def test_a_shop_that_comes_from_nowhere_cannot_move() -> None:
    with pytest.raises(ConfigurationError, match="from where"):
        as_it_was(read_spec(SPEC))


def test_a_first_installation_beside_the_live_colour_is_of_the_other_colour_alone() -> None:
    shop = moved()
    wanted = values.merged(values.base(shop), values.first_as(shop, "green"))
    for service in ("backend", "frontend"):
        own = wanted[service]
        assert (own["live"], own["preview"]) == ("green", "green")
        assert (own["colours"]["green"]["enabled"], own["colours"]["blue"]["enabled"]) == (True, False)


def test_a_door_changes_its_own_colour_and_nothing_else() -> None:
    shop = moved()
    running = values.base(as_it_was(shop))
    (backend, frontend) = (shop.service(each) for each in ("backend", "frontend"))
    made = values.with_door(running, backend, frontend, "green", "new")
    assert made["backend"]["colours"]["green"]["door"] == "new"
    assert made["backend"]["colours"]["green"]["repository"] == "ecom/frontend"
    assert made["backend"]["colours"]["blue"] == running["backend"]["colours"]["blue"]
    assert made["frontend"] == running["frontend"]
    again = values.with_sibling(values.with_sibling(made, "new"), "new")
    assert again["networkPolicies"]["siblings"] == ["new"]


def test_what_runs_is_told_from_the_running_values_and_not_from_the_spec() -> None:
    shop = moved()
    running = values.base(as_it_was(shop))
    running["backend"]["colours"]["blue"] |= {"version": "0.9.0", "tag": "build-7", "replicas": 3}
    backend = next(each for each in values.as_it_runs(shop, running, "blue") if each.name == "backend")
    assert (backend.version, backend.image, backend.replicas) == ("0.9.0", "ecom/backend:build-7", 3)


def test_what_a_drill_destroys_is_never_the_database_of_the_shop() -> None:
    copy = cluster_copy_of(moved())
    assert copy.kubernetes.database_namespace is None
    assert names_of(copy).database_namespace == "new-drill"
    assert "external" not in values.base(copy)["database"]


@pytest.mark.parametrize("wrong", [{"database_namespace": "new"}, {"platform_image": "ecom/platform:1.0.0"}])
def test_a_spec_that_cannot_be_is_refused(wrong: dict[str, str]) -> None:
    where = {**moved().kubernetes.model_dump(), **wrong}
    with pytest.raises(ValueError, match="database_namespace"):
        type(moved().kubernetes).model_validate(where)

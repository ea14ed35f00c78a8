"""Velero's assets are there where the spec has it, and nowhere else; its jobs keep to them."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from ecom_platform.definitions import backup_periods, build_defs
from ecom_platform.settings import ROOT, Settings
from ecom_platform.spec import Shop, Velero
from ecom_platform.spec_file import read_spec
from ecom_platform.velero import proving, taking

SPEC = ROOT / "specs" / "ecommerce-kubernetes.yaml"


def definitions(folder: Path, **kubernetes: object) -> dg.Definitions:
    shop: Shop = read_spec(SPEC)
    where = shop.kubernetes.model_copy(update=kubernetes)
    shop = shop.model_copy(update={"kubernetes": where})
    return build_defs([shop], Settings((SPEC,), "staging", folder))


def assets_of(defs: dg.Definitions, job: str) -> set[str]:
    keys = defs.resolve_job_def(job).asset_layer.executable_asset_keys
    return {"/".join(each.path[1:]) for each in keys}


def test_each_namespace_is_a_backup_and_a_proof_with_their_checks(tmp_path: Path) -> None:
    defs = definitions(tmp_path, velero=Velero(namespaces=("ecommerce", "other")))
    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    proof = dg.AssetKey(["ecommerce", "restores", "velero-other"])
    assert {each.path[-1] for each in graph.get(proof).parent_keys} == {"velero-other"}
    checks = {each.name for each in graph.asset_check_keys if each.asset_key == proof}
    assert checks == set(proving.CHECKS)
    backup = dg.AssetKey(["ecommerce", "backups", "velero-other"])
    assert {each.name for each in graph.asset_check_keys if each.asset_key == backup} == set(taking.CHECKS)
    assert all(graph.get_check_spec(each).blocking for each in graph.asset_check_keys)


def test_jobs_of_databases_and_of_velero_keep_to_their_own(tmp_path: Path) -> None:
    defs = definitions(tmp_path, velero=Velero())
    assert assets_of(defs, "backup_velero") == {"backups/velero-ecommerce"}
    assert assets_of(defs, "verify_velero") == {"restores/velero-ecommerce"}
    others = ("backup", "verify_restore", "backup_complete", "verify_complete")
    assert not any("velero" in each for job in others for each in assets_of(defs, job))
    assert "backup_velero_schedule" in {each.name for each in defs.schedules or ()}
    assert "verify_velero_after_backup_velero" in {each.name for each in defs.sensors or ()}


def test_velero_s_backups_are_none_of_the_catalogue_s_sources() -> None:
    shop = read_spec(SPEC)
    with_velero = shop.model_copy(update={"kubernetes": shop.kubernetes.model_copy(update={"velero": Velero()})})
    assert backup_periods(with_velero) == backup_periods(shop)


def test_without_velero_in_the_spec_there_is_nothing_of_it(tmp_path: Path) -> None:
    defs = definitions(tmp_path)
    names = {each.name for each in defs.resolve_all_job_defs()}
    assert not any("velero" in each for each in names)
    assert not any("velero" in each.path[-1] for each in defs.resolve_asset_graph().get_all_asset_keys())

"""The scans: a weak pod and a weak Dockerfile turn them red; a scanner that could not look is no pass."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ecom_platform.clients.commands import run
from ecom_platform.settings import ROOT
from ecom_platform.verdicts import Outcome, Verdict, worst
from gates import scan
from gates.rendering import CHARTS
from gates.scanners import IMAGES, hadolint, read_checkov, read_trivy

VULNERABLE = {
    "ArtifactName": "registry.example.com/ecom/backend:1.4.0",
    "Results": [
        {
            "Target": "debian 13",
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-2026-1",
                    "PkgName": "openssl",
                    "InstalledVersion": "3.5.1",
                    "Severity": "HIGH",
                },
                {"VulnerabilityID": "CVE-2026-2", "PkgName": "zlib", "InstalledVersion": "1.3", "Severity": "LOW"},
            ],
            "Secrets": [{"RuleID": "private-key", "Title": "Asymmetric Private Key"}],
        }
    ],
}


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory, tools: None) -> list[Verdict]:
    """The gate over a copy of the chart whose pods may gain privileges, and a Dockerfile without its user."""
    folder = tmp_path_factory.mktemp("weak")
    shutil.copytree(CHARTS / "charts" / "shop", folder / "charts" / "shop")
    for spare in ("values-staging.yaml", "values-production.yaml", "values-basic.yaml", "ci/everything.yaml"):
        (folder / "charts" / "shop" / spare).unlink()
    helpers = folder / "charts" / "shop" / "templates" / "_helpers.tpl"
    _break(helpers, helpers, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true")
    (folder / "images" / "backend").mkdir(parents=True)
    _break(
        IMAGES / "backend" / "Dockerfile", folder / "images" / "backend" / "Dockerfile", "USER 1000:1000", "RUN sudo id"
    )
    found = scan.files(scan.reasons(), folder / "charts", folder / "images", folder / "build")
    sarif = json.loads((folder / "build" / "sarif" / "files" / "results_sarif.sarif").read_text())
    rules = {each["ruleId"] for run in sarif["runs"] for each in run["results"]}
    assert {"CKV_K8S_20", "CKV_DOCKER_3"} <= rules, "what GitHub shows"
    return found


def _break(source: Path, target: Path, good: str, bad: str) -> None:
    text = source.read_text()
    assert good in text
    target.write_text(text.replace(good, bad))


@pytest.mark.parametrize(
    "told",
    [
        "checkov CKV_K8S_20 at charts/shop/values.yaml:Deployment.shop.backend-blue",
        "checkov CKV_DOCKER_3 at images/backend/Dockerfile",
        "hadolint DL3004 at backend/Dockerfile",
    ],
)
def test_a_weakened_chart_and_image_turn_the_scan_red_and_object_and_rule_are_named(
    red: list[Verdict], told: str
) -> None:
    assert any(each.outcome is Outcome.FAILED and told in each.seen for each in red)


def test_a_scanner_without_files_saw_nothing(tmp_path: Path) -> None:
    short = {"passed": 0, "failed": 0, "skipped": 0, "parsing_errors": 0, "resource_count": 0}
    assert read_checkov(json.dumps(short)).looked_at == 0
    assert hadolint([], tmp_path).looked_at == 0


def test_a_file_that_checkov_cannot_parse_is_a_finding() -> None:
    report = {"results": {"failed_checks": [], "parsing_errors": ["/shop/values.yaml"]}, "summary": {"passed": 1}}
    found = read_checkov(json.dumps(report))
    assert [each.rule for each in found.findings] == ["unreadable"]


def test_trivys_high_findings_and_secrets_count_and_its_low_ones_do_not() -> None:
    found = read_trivy(json.dumps(VULNERABLE))
    assert [str(each) for each in found.findings] == [
        "trivy CVE-2026-1 at backend:openssl: high in 3.5.1, not mended yet",
        "trivy private-key at backend:debian 13: a secret: Asymmetric Private Key",
    ]


def test_images_that_were_not_scanned_are_inconclusive(tmp_path: Path) -> None:
    assert worst(scan.images([], tmp_path)) is Outcome.INCONCLUSIVE


def test_a_vulnerable_image_turns_the_gate_red_and_a_sound_one_is_green(tmp_path: Path) -> None:
    (tmp_path / "trivy").mkdir()
    report = tmp_path / "trivy" / "backend.json"
    report.write_text(json.dumps(VULNERABLE))
    assert worst(scan.images([], tmp_path)) is Outcome.FAILED
    report.write_text(json.dumps({**VULNERABLE, "Results": [{"Target": "debian 13"}]}))
    assert worst(scan.images([], tmp_path)) is Outcome.PASSED


def test_a_scan_of_images_stops_at_the_first_that_cannot_be_scanned() -> None:
    done = run(["make", "--no-print-directory", "trivy", "TRIVY=false"], timeout=60, check=False, folder=ROOT)
    assert done.code == 2

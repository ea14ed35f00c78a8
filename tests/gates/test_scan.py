"""The scans: a weak pod and a weak Dockerfile turn them red; a scanner that could not look is no pass."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ecom_platform.errors import CommandFailed
from ecom_platform.verdicts import Outcome, worst
from gates import scan
from gates.rendering import CHARTS
from gates.scanners import IMAGES, checkov, hadolint, read_checkov, read_trivy

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


@pytest.mark.usefixtures("tools")
def test_a_weakened_chart_turns_the_scan_red_and_names_object_and_rule(tmp_path: Path) -> None:
    shutil.copytree(CHARTS / "shop", tmp_path / "shop")
    for spare in ("values-staging.yaml", "values-production.yaml", "values-basic.yaml", "ci/everything.yaml"):
        (tmp_path / "shop" / spare).unlink()
    helpers = tmp_path / "shop" / "templates" / "_helpers.tpl"
    weak = helpers.read_text().replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true")
    assert weak != helpers.read_text()
    helpers.write_text(weak)
    red = scan.manifests(scan.reasons(), tmp_path, tmp_path / "build")
    assert worst(red) is Outcome.FAILED
    assert any("CKV_K8S_20 at shop/values.yaml:Deployment.shop.backend-blue" in each.seen for each in red)
    sarif = json.loads((tmp_path / "build" / "sarif" / "manifests" / "results_sarif.sarif").read_text())
    assert any(each["ruleId"] == "CKV_K8S_20" for run in sarif["runs"] for each in run["results"])


@pytest.mark.usefixtures("tools")
def test_a_dockerfile_that_runs_as_root_turns_the_scan_red(tmp_path: Path) -> None:
    folder = tmp_path / "backend"
    folder.mkdir()
    weak = (IMAGES / "backend" / "Dockerfile").read_text().replace("USER 1000:1000\n", "RUN cd /tmp && sudo true\n")
    (folder / "Dockerfile").write_text(weak)
    red = scan.dockerfiles(scan.reasons(), tmp_path, tmp_path / "build")
    assert worst(red) is Outcome.FAILED
    told = "\n".join(each.seen for each in red)
    assert "CKV_DOCKER_3 at backend/Dockerfile" in told  # no user
    assert "hadolint DL3004 at backend/Dockerfile" in told  # sudo


@pytest.mark.usefixtures("tools")
def test_a_scanner_without_files_saw_nothing(tmp_path: Path) -> None:
    assert checkov(tmp_path, "kubernetes").looked_at == 0
    assert hadolint([], tmp_path).looked_at == 0


@pytest.mark.usefixtures("tools")
def test_a_scanner_that_ends_badly_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="checkov"):
        checkov(tmp_path, "no-such-framework")


def test_a_file_that_checkov_cannot_parse_is_a_finding() -> None:
    report = {"results": {"failed_checks": [], "parsing_errors": ["/shop/values.yaml"]}, "summary": {"passed": 1}}
    found = read_checkov(json.dumps(report), "checkov-kubernetes")
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

"""docs/coverage.md answers for every section, file and number of the document that was asked for."""

from __future__ import annotations

import re

import pytest

from ecom_platform.settings import ROOT

TEXT = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")

SECTIONS = """
Document Control; Executive Summary; 1. Enhanced Security & Resource Management; Enhanced Backend Deployment;
Network Security Policies; 2. CI/CD Pipeline Integration; GitLab CI/CD Pipeline; GitHub Actions Workflow;
3. Helm Chart Implementation; Helm Chart Structure; 4. Disaster Recovery Procedures; Comprehensive DR Documentation;
Velero Backup Configuration; 5. Performance Benchmarking Tools; K6 Load Testing Framework; Automated Benchmark Suite;
Performance Dashboard; Option 1: Enhanced Deployment Script; Option 2: Helm-based Deployment;
Option 3: CI/CD Pipeline Deployment; Comprehensive Performance Testing; Individual Performance Testing Tools;
Container Security Enhancements; Network Security Implementation; Backup Strategy Implementation; Recovery Procedures;
Performance Monitoring Dashboard; Alerting Configuration; Quantified Benefits; Cost-Benefit Analysis;
Migration from Basic to Enhanced; Enhanced Documentation Structure; Training & Knowledge Transfer;
Implementation Completion Status; Quality Metrics Achievement; Appendix A: File Structure;
Appendix B: Configuration References; Appendix C: Performance Baselines
"""
"""The headings of the document, without those that only hold others."""

FILES = """
k8s-manifests/enhanced-backend-deployment.yaml k8s-manifests/network-policies.yaml k8s-manifests/velero-backup.yaml
helm-charts/ecommerce/Chart.yaml helm-charts/ecommerce/values.yaml .gitlab-ci.yml .github/workflows/ci-cd.yml
docs/13-disaster-recovery-procedures.md performance/k6-load-test.js performance/benchmark.sh
performance/grafana-performance-dashboard.json performance/README.md scripts/deploy-enhanced.sh ENHANCEMENTS.md
validation/comprehensive-tests.sh
"""
"""Its appendix A, and the script that its procedures call."""

NUMBERS = """
user 1000; CPU 500m, memory 512Mi; application data: daily, 30 days, under 2 h;
configuration: daily, 30 days, under 30 min; complete: weekly, 90 days, under 4 h;
database: every 6 h, 7 days local and 30 days cloud, under 1 h; p95 under 500 ms; alert below 100 requests/s;
1000+ requests/s sustained; errors: alert above 5 %, under 1 % in normal load; utilisation under 80 %;
alert above 100 connections; Velero: daily 30 days, weekly 90 days; 10 to 15 minutes to deploy;
15 to 20 minutes for the benchmarks; training: 2 h, 3 h, 4 h, 2 h; 99.9 % uptime; 50 %, 60 %, 40 %, 30 % better; A+
"""


def items(text: str) -> list[str]:
    return [each.strip() for each in text.replace("\n", " ").split(";")]


def rows(title: str) -> dict[str, tuple[str, str]]:
    """Of the table under a heading: first cell to the others, where it lives and how it is proved."""
    part = TEXT.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"(?m)^\| (.+?) \| (.+?) \| (.+?) \|$", part)[1:]
    return {first.strip("`"): (here, proof) for first, here, proof in found if not set(first) <= set("-")}


@pytest.mark.parametrize(
    ("title", "wanted"),
    [("Sections", items(SECTIONS)), ("Files", FILES.split()), ("Numbers", items(NUMBERS))],
)
def test_everything_has_exactly_one_row_in_the_documents_order(title: str, wanted: list[str]) -> None:
    assert list(rows(title)) == wanted


@pytest.mark.parametrize("title", ["Sections", "Files", "Numbers"])
def test_every_row_says_where_and_how_or_why_not(title: str) -> None:
    for first, (here, proof) in rows(title).items():
        claims = "`" in proof or "](" in proof
        assert len(here) > 3, first
        assert claims or re.match(r"not (claimed|proved|built)", proof), (
            f"{first}: a proof, or the word that there is none"
        )


def test_what_is_not_claimed_is_told_in_a_list_of_its_own() -> None:
    without = {
        first for title in ("Sections", "Files", "Numbers") for first, (_, proof) in rows(title).items()
        if proof.startswith("not ")
    }  # fmt: skip
    told = " ".join(TEXT.split("## What is not as the document says\n", 1)[1].split())
    assert {first for first in without if first not in told} == set()

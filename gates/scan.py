"""The gates of scans: no finding in manifests, Dockerfiles or built images without a written reason."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

from ecom_platform.settings import ROOT
from ecom_platform.verdicts import Verdict
from gates.findings import Reason, judge, verdicts
from gates.manifests import supported
from gates.rendering import CHARTS
from gates.scanners import IMAGES, Scan, checkov, hadolint, read_trivy, render_into, together
from gates.tools import BUILD

REASONS = ROOT / "gates" / "reasons.yaml"


def reasons(path: Path = REASONS) -> list[Reason]:
    """The written reasons; pydantic's error names what is wrong in the file."""
    return [Reason(**each) for each in yaml.safe_load(path.read_text(encoding="utf-8"))]


def files(known: Sequence[Reason], charts: Path = CHARTS, images: Path = IMAGES, build: Path = BUILD) -> list[Verdict]:
    """checkov over every rendering for the newest Kubernetes and over the Dockerfiles; hadolint over these."""
    folder = build / "scan"
    shutil.rmtree(folder, ignore_errors=True)
    render_into(folder / "charts", f"{supported()[-1]}.0", charts)
    dockerfiles = sorted(images.glob("*/Dockerfile"))
    for each in dockerfiles:
        copy = folder / "images" / each.relative_to(images)
        copy.parent.mkdir(parents=True)
        shutil.copy(each, copy)
    weak = checkov(folder, build / "sarif" / "files")
    return [
        *judged("manifests and Dockerfiles", "checkov", weak, known),
        *judged("Dockerfiles", "hadolint", hadolint(dockerfiles, images), known),
    ]


def images(known: Sequence[Reason], build: Path = BUILD) -> list[Verdict]:
    """What Trivy wrote about the built images into BUILD/trivy (`make trivy`); without that it is inconclusive."""
    reports = [read_trivy(each.read_text(encoding="utf-8")) for each in sorted((build / "trivy").glob("*.json"))]
    return judged("images", "trivy", together(reports), known)


def judged(what: str, tool: str, scan: Scan, known: Sequence[Reason]) -> list[Verdict]:
    """The tool's findings against the reasons that are written for it."""
    claim = f"{tool} finds nothing in the {what} without a written reason"
    return verdicts(
        claim, judge(scan.findings, [each for each in known if each.tool == tool]), looked_at=scan.looked_at
    )

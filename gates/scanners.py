"""The scanners as lists of findings: checkov over renderings and Dockerfiles, hadolint, Trivy over built images.

checkov tells no severity without an account of its vendor, so each of its findings counts as a high one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecom_platform.errors import CommandFailed
from ecom_platform.settings import ROOT
from gates.findings import Finding
from gates.rendering import every_rendering, plain
from gates.tools import call

IMAGES = ROOT / "k8s" / "images"
SCAN_SECONDS = 600.0  # checkov takes six seconds of one core; a busy machine gets time
HADOLINT_LEVELS = ("error", "warning")  # its "info" and "style" are matters of taste


@dataclass(frozen=True, slots=True)
class Scan:
    """looked_at: how many checks or objects the scanner answered for; 0 means that it saw nothing."""

    findings: tuple[Finding, ...]
    looked_at: int


def together(scans: Iterable[Scan]) -> Scan:
    every = list(scans)
    return Scan(tuple(one for each in every for one in each.findings), sum(each.looked_at for each in every))


def render_into(folder: Path, version: str, charts: Path) -> None:
    """Write each rendering to FOLDER/CHART/VALUES-FILE, and each plain manifest, where checkov reads them."""
    for source, text in (*every_rendering(version, charts), *plain(charts)):
        path = folder / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def checkov(folder: Path, sarif: Path) -> Scan:
    """checkov without network over the manifests and Dockerfiles of a folder. sarif: where its reports go."""
    sarif.mkdir(parents=True, exist_ok=True)
    done = call(
        "checkov", "--directory", folder, "--framework", "kubernetes", "dockerfile", "--quiet", "--compact",
        "--skip-download", "--soft-fail", "--output", "json", "--output", "sarif", "--output-file-path", sarif,
        seconds=SCAN_SECONDS,
    )  # fmt: skip
    if done.code != 0:
        raise CommandFailed(f"scan {folder} with checkov", f"exit code {done.code}: {done.stderr.strip()[-500:]}")
    return read_checkov((sarif / "results_json.json").read_text(encoding="utf-8"))


def read_checkov(text: str) -> Scan:
    """Its JSON; a file that it could not parse is a finding."""
    answer: Any = json.loads(text)
    scans = []
    for report in answer if isinstance(answer, list) else [answer]:
        if "results" not in report:  # its short form when it looked at nothing at all
            continue
        failed = [
            Finding(
                "checkov", each["check_id"], f"{each['file_path'].lstrip('/')}:{each['resource']}", each["check_name"]
            )
            for each in report["results"]["failed_checks"]
        ]
        failed += [
            Finding("checkov", "unreadable", f"{each.lstrip('/')}:", "it cannot be parsed")
            for each in report["results"].get("parsing_errors", [])
        ]
        scans.append(Scan(tuple(failed), report["summary"]["passed"] + len(failed)))
    return together(scans)


def hadolint(files: list[Path], folder: Path) -> Scan:
    """Bad habits in Dockerfiles below the folder; whole files, so a line number names the place."""
    if not files:
        return Scan((), 0)
    done = call("hadolint", "--no-fail", "--format", "json", *files)
    if done.code != 0:
        raise CommandFailed("read the Dockerfiles with hadolint", done.stderr.strip()[-500:])
    found = [
        Finding("hadolint", each["code"], f"{Path(each['file']).relative_to(folder)}:{each['line']}", each["message"])
        for each in json.loads(done.stdout)
        if each["level"] in HADOLINT_LEVELS
    ]
    return Scan(tuple(found), len(files))


def read_trivy(text: str) -> Scan:
    """Trivy's JSON of one image: what it calls high or critical, whether a mended version exists or not."""
    answer: Any = json.loads(text)
    results = answer.get("Results") or []
    name = str(answer.get("ArtifactName", "?")).rpartition("/")[2].partition(":")[0]
    found = [
        Finding("trivy", each["VulnerabilityID"], f"{name}:{each['PkgName']}", _told(each))
        for result in results
        for each in result.get("Vulnerabilities") or []
        if each["Severity"] in ("HIGH", "CRITICAL")
    ]
    found += [
        Finding("trivy", each["RuleID"], f"{name}:{result['Target']}", f"a secret: {each['Title']}")
        for result in results
        for each in result.get("Secrets") or []
    ]
    return Scan(tuple(found), len(results))


def _told(each: dict[str, Any]) -> str:
    mended = f"mended in {each['FixedVersion']}" if each.get("FixedVersion") else "not mended yet"
    return f"{each['Severity'].lower()} in {each['InstalledVersion']}, {mended}"

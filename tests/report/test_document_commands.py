"""What the documents tell people to type exists: verbs and options, jobs, targets, paths, tests. Some of it is run."""

from __future__ import annotations

import re
import subprocess

import click
import pytest
from click.testing import CliRunner

from ecom_platform.cli.main import ecom
from ecom_platform.errors import EcomError
from ecom_platform.settings import ROOT
from ecom_platform.spec_file import read_spec
from jobs.table import ROWS
from tests.report.documents import DOCUMENTS, Line, commands, paths, words

PLACEHOLDER = re.compile(r"^<?[A-Z][A-Z_]*>?$")
HARMLESS = {
    ("snapshots",), ("status",), ("doctor",), ("retention", "plan"), ("release", "status"), ("drill", "status"),
}  # fmt: skip
"""Verbs that only look. Documents that name them are followed on an empty state folder."""


def verb_of(arguments: list[str]) -> tuple[str, ...]:
    """Walks the command line with click itself; click.UsageError where it would refuse. Gives the verb's path."""
    command: click.Command = ecom
    context: click.Context | None = None
    path: list[str] = []
    rest = list(arguments)
    while True:
        try:
            context = command.make_context(path[-1] if path else "ecom", rest, parent=context)
        except click.exceptions.Exit:
            return tuple(path)  # --help, --version
        except click.BadParameter as error:
            # A name that the reader fills in, or a file of the reader's.
            if type(error) is click.BadParameter and any(
                PLACEHOLDER.match(each) or "." in each or "/" in each for each in rest
            ):
                return tuple(path)
            raise
        if not isinstance(command, click.Group):
            return tuple(path)
        rest = [*context._protected_args, *context.args]
        if not rest or PLACEHOLDER.match(rest[0]):
            return tuple(path)
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        assert name is not None
        command, path = found, [*path, name]


def faults_of(line: Line) -> list[str]:
    found = []
    for each in words(line):
        try:
            path = verb_of(each)
        except (click.MissingParameter, click.exceptions.NoArgsIsHelpError) as error:
            found += [f"{line}: {error.format_message()}"] if line.whole else []
            continue
        except click.UsageError as error:
            found.append(f"{line}: {error.format_message()}")
            continue
        if path == ("launch",):
            job = each[each.index("launch") + 1]
            if not PLACEHOLDER.match(job) and job not in {row.name for row in ROWS}:
                found.append(f"{line}: there is no job {job}")
    return found


def test_every_ecom_command_in_the_documents_is_one_that_the_program_takes() -> None:
    lines = list(commands("ecom"))
    assert len(lines) > 80
    assert [fault for line in lines for fault in faults_of(line)] == []


@pytest.mark.parametrize("target", ["deploy", "staging", "production", "demo", "drills"])
def test_every_ecom_command_of_the_makefile_is_one_that_the_program_takes(target: str) -> None:
    told = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [
        each.partition(".venv/bin/ecom ")[2].rstrip(" \\") for each in told.splitlines() if ".venv/bin/ecom " in each
    ]
    assert lines
    assert [fault for each in lines for fault in faults_of(Line(ROOT / "Makefile", each))] == []


@pytest.mark.parametrize(
    ("stale", "cause"),
    [
        ("backups", "No such command"),
        ("backup --everything", "No such option"),
        ("restore latest", "Missing option"),
        ("launch everyweek", "there is no job everyweek"),
        ("retention plan|applied", "No such command 'applied'"),
    ],
)
def test_a_stale_command_is_seen(stale: str, cause: str) -> None:
    assert any(cause in each for each in faults_of(Line(ROOT / "README.md", stale)))


def test_every_make_target_in_the_documents_exists() -> None:
    known = set(re.findall(r"(?m)^([a-z][\w-]*):", (ROOT / "Makefile").read_text()))
    named = {
        (str(line.document.relative_to(ROOT)), word)
        for line in commands("make")
        for word in line.text.split()
        if re.fullmatch(r"[a-z][a-z-]*", word)
    }
    assert len(named) > 15
    assert {each for each in named if each[1] not in known} == set()


def test_every_path_in_the_documents_is_there_and_every_test_that_they_name() -> None:
    missing = []
    for document, path in paths():
        place, _, test = path.partition("::")
        found = sorted(ROOT.glob(place)) if "*" in place else [ROOT / place]
        if not found or not found[0].exists():
            missing.append(f"{document.relative_to(ROOT)}: {path}")
        elif test and f"def {test}(" not in found[0].read_text(encoding="utf-8"):
            missing.append(f"{document.relative_to(ROOT)}: {path} has no such test")
    assert missing == []


def test_every_spec_in_the_documents_is_a_valid_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    specs = [
        (document, block)
        for document in DOCUMENTS
        for block in re.findall(r"```yaml\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
        if re.search(r"(?m)^shop: ", block)
    ]
    assert len(specs) >= 5
    for document, block in specs:
        path = tmp_path_factory.mktemp("spec") / "shop.yaml"
        path.write_text(block, encoding="utf-8")
        assert read_spec(path).shop, document


def harmless() -> list[str]:
    """Commands of blocks that only look, without the spec that their reader has."""
    return sorted(
        {
            " ".join(word for word in each if not word.endswith((".yaml", "--spec")))
            for line in commands("ecom")
            if line.whole and faults_of(line) == []
            for each in words(line)
            if verb_of(each) in HARMLESS and not any(PLACEHOLDER.match(word) for word in each)
        }
    )


@pytest.mark.parametrize("command", harmless())
def test_a_command_that_only_looks_can_be_followed_on_a_new_machine(
    command: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECOM_STATE", str(tmp_path_factory.mktemp("state")))
    answer = CliRunner().invoke(ecom, command.split())
    assert answer.exception is None or isinstance(answer.exception, SystemExit | EcomError), answer.exception
    assert answer.exit_code in (0, 1, 2, 3)
    assert answer.output or answer.exception

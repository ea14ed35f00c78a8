"""Reads the documents: commands, paths, targets and tables in them, as data. Nothing here judges."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.settings import ROOT

DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "k8s" / "README.md", *(ROOT / "docs").rglob("*.md")]
)
ROOMS = sorted(each.name for each in ROOT.iterdir() if each.is_dir() and not each.name.startswith("."))
BLOCK = re.compile(
    r"^```\w*\n(?P<fenced>.*?)^```|(?P<indented>(?:^(?:    |\t)[^\n]*\n(?:\n(?=    ))*)+)", re.DOTALL | re.MULTILINE
)
INLINE = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"(?:^|(?<=&& )|(?<=; ))(?:\.venv/bin/)?(ecom|make) (.*)$")
PATH = re.compile(rf"^(?:{'|'.join(ROOMS)}|\.ci|\.github)/[\w./*<>-]*(?:::\w+)?$")


@dataclass(frozen=True)
class Line:
    """One command in one document. whole: of a block, where it is to be typed; in a text a verb's name is enough."""

    document: Path
    text: str
    whole: bool = True

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}: {self.text}"


def code_lines(document: Path) -> Iterator[tuple[str, bool]]:
    """Lines of code blocks (True), and code in the text."""
    text = document.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        for line in (match["fenced"] or match["indented"]).replace("\\\n", " ").splitlines():
            yield line.strip(), True
    yield from ((code, False) for code in INLINE.findall(BLOCK.sub("", text)))


def commands(program: str) -> Iterator[Line]:
    """Every line that begins with the program, one per alternative: `ecom up | down` is two."""
    for document in DOCUMENTS:
        for line, whole in code_lines(document):
            for part in re.split(r" && | ; ", line):
                match = COMMAND.match(re.sub(r"^(?:[A-Z_]+=\S* )+", "", part.strip()))
                if match and match[1] == program:
                    yield Line(document, match[2].partition("  #")[0].partition(" # ")[0].strip(), whole)


def words(line: Line) -> list[list[str]]:
    """The line's words; brackets of what is optional dropped, `plan|apply` as two lines."""
    plain = shlex.split(line.text.replace("[", "").replace("]", ""))
    alternatives: list[list[str]] = [[]]
    for word in plain:
        if word == "...":
            continue
        options = word.split("|") if "|" in word and "://" not in word else [word]
        alternatives = [[*each, option] for each in alternatives for option in options]
    return alternatives


def paths() -> Iterator[tuple[Path, str]]:
    """Every path of the repository that stands as code in a text, with its document."""
    for document in DOCUMENTS:
        for code in INLINE.findall(BLOCK.sub("", document.read_text(encoding="utf-8"))):
            yield from ((document, word) for word in code.split() if PATH.match(word) and "/<" not in word)

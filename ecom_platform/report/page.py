"""The page of evidence: one HTML file that needs no server, no network and no script to be read.

What is claimed comes as an EvidencePage, how it is arranged from views.py. All texts are escaped by
the template engine, and the page's own content policy forbids everything that is not in it.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ecom_platform.report import figures, views
from ecom_platform.report.evidence import EvidencePage, counts

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent


def render(page: EvidencePage) -> str:
    """The whole page as HTML. Draws the plots, about 0.1 s each and 1 s for the first in a process."""
    from markupsafe import Markup

    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            counts=counts(page),
            gauges=views.gauges(page),
            open_claims=views.open_claims(page),
            sections=views.sections(page),
            links=[(label, url) for label, url in page.links if views.harmless(url)],
            style=Markup(style),  # noqa: S704  # files of this package
            script=Markup(script),  # noqa: S704
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def write(page: EvidencePage, path: Path) -> Path:
    """Write the page and return its path; the file is the old page or the new one, never a part."""
    text = render(page)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".report-") as folder:
        part = Path(folder) / path.name
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    return path


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["time"] = figures.time_text
    environment.filters["drawing"] = Markup  # drawn and escaped by matplotlib
    return environment

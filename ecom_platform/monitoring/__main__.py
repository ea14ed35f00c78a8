"""`make monitoring`: writes rules and dashboards for a spec's thresholds."""

from __future__ import annotations

from pathlib import Path

import click

from ecom_platform.monitoring.written import files
from ecom_platform.settings import EXAMPLE_SPEC, ROOT
from ecom_platform.spec_file import read_spec


@click.command()
@click.option("--spec", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=EXAMPLE_SPEC)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "k8s" / "monitoring")
@click.option("--runbooks", default="k8s/monitoring/runbooks", help="Address of the folder with the runbooks.")
def main(spec: Path, out: Path, runbooks: str) -> None:
    """Write the rules and dashboards of a spec.

    Example: python -m ecom_platform.monitoring --spec mine.yaml --out monitoring
    """
    for name, text in files(read_spec(spec).thresholds, spec=spec.name, runbooks=runbooks).items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(path)


if __name__ == "__main__":
    main()

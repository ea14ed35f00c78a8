"""Grafana's JSON of the boards in panels.py, by Grafana's own builders (a development dependency)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ecom_platform.monitoring.panels import Board, Panel

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries

DATASOURCE = "datasource"


def dashboard_json(board: Board) -> str:
    """In Grafana's first schema, which every version reads; the second, which the builders prefer, begins with 12."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Prefer using dashboardv2", category=DeprecationWarning)
        return _dashboard_json(board)


def _dashboard_json(board: Board) -> str:
    from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    made = (
        Dashboard(board.title)
        .uid(board.uid)
        .tags(["ecom-platform"])
        .description("Written by `make monitoring`; changes are lost.")
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .with_variable(DatasourceVariable(DATASOURCE).label("Prometheus").type("prometheus"))
    )
    for title, panels in board.rows.items():
        made = made.with_row(Row(title))
        for each in panels:
            made = made.with_panel(_panel(each))
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build()) + "\n"


def _panel(panel: Panel) -> TimeSeries:
    from grafana_foundation_sdk.builders.common import StackingConfig
    from grafana_foundation_sdk.builders.prometheus import Dataquery
    from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
    from grafana_foundation_sdk.models.common import DataSourceRef, StackingMode

    source = DataSourceRef(type_val="prometheus", uid=f"${{{DATASOURCE}}}")
    made = TimeSeries().title(panel.title).description(panel.about).unit(panel.unit).datasource(source)
    made = made.span(12).height(8).fill_opacity(10).min(0)
    if panel.stacked:
        made = made.stacking(StackingConfig().mode(StackingMode.NORMAL))
    if panel.limit is not None:
        made = _limit(made, panel.limit)
    for place, (legend, query) in enumerate(panel.queries.items()):
        made = made.with_target(Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + place)))
    return made


def _limit(made: TimeSeries, limit: float) -> TimeSeries:
    from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig
    from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
    from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode
    from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode

    steps = [Threshold(value=None, color="green"), Threshold(value=limit, color="red")]
    thresholds = ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
    return made.thresholds(thresholds).thresholds_style(
        GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE)
    )

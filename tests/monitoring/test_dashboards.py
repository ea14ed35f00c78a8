"""The dashboards that are written down are what Grafana's own schema describes: nothing in them that it does not know.

Its types are those of grafana-foundation-sdk, generated from Grafana's schema. What they do not know is lost when a
dashboard is read by them and written again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.monitoring.prometheus import MONITORING

# The second schema, which the builders prefer, begins with Grafana 12; every version reads the first.
pytestmark = pytest.mark.filterwarnings("ignore:Prefer using dashboardv2:DeprecationWarning")

BOARDS = {each.stem: json.loads(each.read_text("utf-8")) for each in sorted((MONITORING / "dashboards").glob("*.json"))}


def understood(board: dict[str, Any]) -> dict[str, Any]:
    """As Grafana's types read it."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    read: dict[str, Any] = json.loads(JSONEncoder().encode(Dashboard.from_json(copy.deepcopy(board))))
    return read


@pytest.mark.parametrize("name", BOARDS)
def test_grafanas_schema_knows_all_of_it(name: str) -> None:
    assert understood(BOARDS[name]) == BOARDS[name]


def _own(panel: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = panel["fieldConfig"]["defaults"]["custom"]
    return found


@pytest.mark.parametrize(
    "misspell",
    [
        lambda board, _: board.update(panles=[]),
        lambda _, panel: panel.update(titel="x"),
        lambda _, panel: panel["targets"][0].update(exprr="up"),
        lambda _, panel: _own(panel).update(fillOpacitty=10),
    ],
)
def test_a_name_that_it_does_not_know_is_seen(misspell: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    board = copy.deepcopy(BOARDS["performance"])
    misspell(board, next(each for each in board["panels"] if each["type"] == "timeseries"))
    assert understood(board) != board


def test_every_panel_asks_the_chosen_source_and_has_a_query_and_a_place_of_its_own() -> None:
    for name, board in BOARDS.items():
        panels = [each for each in board["panels"] if each["type"] != "row"]
        assert panels, name
        places = [tuple(each["gridPos"].values()) for each in panels]
        assert len(set(places)) == len(places), name
        for each in panels:
            assert each["datasource"]["uid"] == "${datasource}", (name, each["title"])
            assert all(target["expr"] for target in each["targets"]), (name, each["title"])
            assert each["targets"], (name, each["title"])

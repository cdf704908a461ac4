"""The shipped files without Envoy: promtool's checks and unit tests, and the dashboard's layout."""

import json
import pathlib
import re

import pytest

from dashboard import DASHBOARD, panels, queries
from prometheus import SHIPPED, promtool

UNIT_TESTS = sorted((pathlib.Path(__file__).parent / "rules").glob("*.yml"))
SEVERITIES = {"warning", "critical"}


def test_the_configuration_is_valid():
    done = promtool("check", "config", SHIPPED / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_file_has_unit_tests():
    assert [path.name for path in UNIT_TESTS] == [
        path.name for path in sorted((SHIPPED / "rules").glob("*.yml"))
    ]


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_the_rules_pass_their_unit_tests(path):
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_unit_test_and_all_its_fields():
    shipped = (SHIPPED / "rules/alerts.yml").read_text(encoding="utf-8")
    _, *alerts = shipped.split("\n      - alert: ")
    tested = (UNIT_TESTS[0].parent / "alerts.yml").read_text(encoding="utf-8")
    assert len(alerts) >= 5
    for text in alerts:
        name = text.split("\n")[0]
        assert f"- alertname: {name}\n" in tested or f"alertname: {name}\n" in tested, name
        assert re.search(r"\n        for: \d+m\n", text), name
        assert re.search(r"severity: (\w+)", text)[1] in SEVERITIES, name
        assert "summary: " in text and "description: " in text and "{{ $" in text, name


def test_every_panel_has_a_query_a_unit_and_a_unique_title():
    shown = panels()
    assert len({panel["title"] for panel in shown}) == len(shown) >= 20
    for panel in shown:
        units = [panel["fieldConfig"]["defaults"].get("unit")]
        units += [
            each["value"]
            for override in panel["fieldConfig"]["overrides"]
            for each in override["properties"]
            if each["id"] == "unit"
        ]
        assert panel["targets"] and any(units), panel["title"]


def test_every_variable_in_the_dashboards_queries_is_replaced():
    assert not [query for query in queries() if "$" in query.expression]


def test_panels_do_not_overlap():
    taken = set()
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells

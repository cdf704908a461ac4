"""The queries of the shipped dashboard, as Grafana sends them to Prometheus."""

import json
import re
import typing

from prometheus import SHIPPED

DASHBOARD = SHIPPED / "grafana/dashboards/envoy-bedrock.json"


class Query(typing.NamedTuple):
    panel: str
    expression: str
    legend: str


def panels() -> list:
    """The panels that show data, in order."""
    found = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def substituted(
    expression: str, model_group=".*", region=".*", range="1m", rate_interval="15s"
) -> str:
    """The expression with Grafana's variables replaced. Fails on an unknown variable."""
    values = {
        "model_group": model_group,
        "region": region,
        "__range": range,
        "__rate_interval": rate_interval,
    }
    return re.sub(r"\$(\w+)", lambda match: values[match[1]], expression)


def queries(**variables) -> list:
    return [
        Query(panel["title"], substituted(target["expr"], **variables), target["legendFormat"])
        for panel in panels()
        for target in panel["targets"]
    ]


def variable_queries() -> list:
    """The expressions that list the choices of the dashboard's variables."""
    listed = json.loads(DASHBOARD.read_text(encoding="utf-8"))["templating"]["list"]
    found = [each["query"]["query"] for each in listed if each["type"] == "query"]
    return [substituted(re.fullmatch(r"label_values\((.*), \w+\)", query)[1]) for query in found]

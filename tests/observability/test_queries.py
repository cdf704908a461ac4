"""A real Prometheus with the shipped files scrapes a real Envoy: every query returns data."""

import re

import pytest

from dashboard import queries, variable_queries
from prometheus import SHIPPED

DATA_SECONDS = 90
RULES = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted((SHIPPED / "rules").glob("*.yml"))
)
RECORDS = re.findall(r"- record: (\S+)", RULES)
ALERTS = re.findall(r"- alert: (\S+)", RULES)
# Nothing here restarts an Envoy, reloads a configuration or has a credential broker, so only the
# unit tests cover them.
WITHOUT_FAULT = {
    "EnvoyRestarting",
    "ConfigReloadFailed",
    "CredentialsExpiring",
    "CredentialRefreshFailing",
}


def test_two_targets_are_up_and_another_is_down(prometheus):
    prometheus.wait(lambda: len(prometheus.query("up")) == 3, "scrape all targets", DATA_SECONDS)
    assert sorted(value for _, value in prometheus.query("up")) == [0, 1, 1]


@pytest.mark.parametrize("query", queries(), ids=lambda query: f"{query.panel}: {query.legend}")
def test_every_query_of_the_dashboard_returns_data(prometheus, query):
    found = prometheus.wait(
        lambda: prometheus.query(query.expression),
        f"return data for {query.expression}",
        DATA_SECONDS,
    )
    labels = set(re.findall(r"{{(\w+)}}", query.legend))
    assert all(labels <= set(names) for names, _ in found), "the legend names a missing label"


@pytest.mark.parametrize(
    "query", queries(model_group="claude|nova", region="us-east-1"), ids=lambda query: query.panel
)
def test_the_variables_filter_the_queries(prometheus, query):
    """Series without a model group or region are not filtered."""
    for names, _ in prometheus.query(query.expression):
        assert names.get("model_group", "claude") in {"claude", "nova"}, names
        assert names.get("region", "us-east-1") == "us-east-1", names


@pytest.mark.parametrize("expression", variable_queries())
def test_every_variable_of_the_dashboard_has_choices(prometheus, expression):
    assert prometheus.wait(lambda: prometheus.query(expression), "list the choices", DATA_SECONDS)


@pytest.mark.parametrize("record", RECORDS)
def test_every_recording_rule_returns_data(prometheus, record):
    assert prometheus.wait(lambda: prometheus.query(record), f"record {record}", DATA_SECONDS)


@pytest.mark.parametrize("metric", ["envoy_server_uptime", "envoy_filesystem_reopen_failed"])
def test_metrics_of_envoy_that_no_fault_changes_exist(prometheus, metric):
    assert prometheus.wait(lambda: prometheus.query(metric), f"scrape {metric}", DATA_SECONDS)


@pytest.mark.parametrize("alert", [alert for alert in ALERTS if alert not in WITHOUT_FAULT])
def test_every_alert_is_triggered_by_its_fault(prometheus, alert):
    """Its condition holds. The unit tests of promtool cover how long it waits."""
    prometheus.wait(
        lambda: alert in prometheus.alerts(), f"see the condition of {alert}", DATA_SECONDS
    )


def test_no_rule_has_an_error(prometheus):
    groups = prometheus.call("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == len(RECORDS) + len(ALERTS)
    assert [rule for rule in rules if rule["health"] == "err"] == []

"""The profile `observability`: a real Prometheus, Debian's, and a stand-in for Grafana."""

import json
import time

import pytest
import requests

from stack import DEMO, ROOT, Stack

SERVICES = ["prometheus", "grafana"]
DATA_SECONDS = 90
DASHBOARD = ROOT / "deploy/observability/grafana/dashboards/envoy-bedrock.json"


@pytest.fixture(scope="module")
def stack(engine):
    # The env file of the demo names a profile of its own; a name on the command line would replace it.
    with Stack(engine, DEMO, profiles=["emulator", "observability"]) as stack:
        stack.wait_until_healthy("emulator", "envoy")
        yield stack


def query(expression: str) -> list:
    response = requests.get(
        "http://127.0.0.1:9090/api/v1/query", params={"query": expression}, timeout=10
    )
    return response.json()["data"]["result"]


def wait(question, what: str):
    deadline = time.monotonic() + DATA_SECONDS
    while time.monotonic() < deadline:
        try:
            if response := question():
                return response
        except requests.RequestException:
            pass
        time.sleep(0.5)
    pytest.fail(f"expected {what} within {DATA_SECONDS} s")


def test_prometheus_scrapes_the_gateway_and_evaluates_the_rules(stack):
    (up,) = wait(lambda: query('up{job="envoy-bedrock"} == 1'), "Prometheus to scrape the gateway")
    assert up["metric"]["instance"] == "envoy:9902"
    body = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    response = requests.post(
        "http://127.0.0.1:4000/bedrock/model/my-bedrock-model/converse",
        json=body,
        timeout=30,
        headers={"Authorization": "Bearer sk-1234"},
    )
    assert response.status_code == 200
    wait(lambda: query("sum(litellm_spend_metric_total) > 0"), "Prometheus to record the spend")


def test_the_stand_in_for_grafana_finds_what_is_provisioned(stack):
    assert (
        wait(lambda: stack.logs("grafana").strip(), "Grafana's stand-in to say something")
        == "ready"
    )


def test_grafana_finds_the_dashboard_where_it_is_told_to_look():
    provider = (
        ROOT / "deploy/observability/grafana/provisioning/dashboards/envoy-bedrock.yml"
    ).read_text()
    assert "path: /etc/envoy-bedrock/grafana/dashboards}" in provider
    assert json.loads(DASHBOARD.read_text(encoding="utf-8"))["uid"] == "envoy-bedrock"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_for_this_machine_only_and_has_no_privilege(stack, service):
    found = stack.inspect(service)
    ports = found["NetworkSettings"]["Ports"].values()
    published = [binding["HostIp"] for bindings in ports for binding in bindings or []]
    assert published == ["127.0.0.1"]
    host = found["HostConfig"]
    assert (
        host["ReadonlyRootfs"]
        and host["CapDrop"] == ["ALL"]
        and "no-new-privileges:true" in host["SecurityOpt"]
    )
    assert not found["Config"]["User"].startswith("0") and found["RestartCount"] == 0


def test_the_gateways_metrics_are_not_published(stack):
    ports = stack.inspect("envoy")["NetworkSettings"]["Ports"]
    assert [port for port, bindings in ports.items() if bindings] == ["4000/tcp"]

"""The profile `observability`: a real Prometheus, and a stand-in for Grafana."""

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
    # A profile on the command line replaces the one in the demo's env file, so both are named.
    with Stack(engine, DEMO, profiles=["emulator", "observability"]) as stack:
        stack.wait_until_healthy("emulator", "envoy")
        yield stack


def query(expression: str) -> list:
    response = requests.get(
        "http://127.0.0.1:9090/api/v1/query", params={"query": expression}, timeout=10
    )
    return response.json()["data"]["result"]


def wait(condition, goal: str):
    """The first true result of `condition`. `goal` names what failed otherwise."""
    deadline = time.monotonic() + DATA_SECONDS
    while time.monotonic() < deadline:
        try:
            if result := condition():
                return result
        except requests.RequestException:
            pass
        time.sleep(0.5)
    pytest.fail(f"timed out after {DATA_SECONDS} s: {goal}")


def test_prometheus_scrapes_the_gateway_and_evaluates_the_rules(stack):
    (up,) = wait(lambda: query('up{job="envoy-bedrock"} == 1'), "Prometheus scrapes the gateway")
    assert up["metric"]["instance"] == "envoy:9902"
    body = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    response = requests.post(
        "http://127.0.0.1:4000/bedrock/model/my-bedrock-model/converse",
        json=body,
        timeout=30,
        headers={"Authorization": "Bearer sk-1234"},
    )
    assert response.status_code == 200
    wait(lambda: query("sum(litellm_spend_metric_total) > 0"), "Prometheus records the spend")


def test_the_stand_in_for_grafana_finds_the_provisioned_files(stack):
    assert (
        wait(lambda: stack.logs("grafana").strip(), "Grafana's stand-in writes to its log")
        == "ready"
    )


def test_grafana_is_configured_with_the_folder_of_the_dashboard():
    provider = (
        ROOT / "deploy/observability/grafana/provisioning/dashboards/envoy-bedrock.yml"
    ).read_text()
    assert "path: /etc/envoy-bedrock/grafana/dashboards}" in provider
    assert json.loads(DASHBOARD.read_text(encoding="utf-8"))["uid"] == "envoy-bedrock"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_published_on_localhost_only_and_has_no_privileges(stack, service):
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

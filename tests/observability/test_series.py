"""The metrics page: what its listener exposes, and which series clients can create."""

import http.client
import re
import uuid

import pytest

import clients
from gateway import Gateway
from traffic import configuration, refused, round_of

OURS = re.compile(r"((?:gen_ai|envoy_bedrock)_\w+(?:\{.*\})?) \S+")


@pytest.fixture(scope="module")
def gateway(bedrock):
    """A gateway that no other test uses."""
    with Gateway(configuration(bedrock), metrics=True) as running:
        yield running


def series(gateway) -> set:
    """Names with labels."""
    lines = [OURS.fullmatch(line) for line in gateway.metrics().splitlines()]
    return {line[1] for line in lines if line}


def ask(port, method, path) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.endheaders()
        response = connection.getresponse()
        response.text = response.read().decode()
        return response
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/stats/prometheus", "/metrics", "/metrics/"])
def test_the_page_is_at_the_paths_of_envoy_and_litellm(gateway, path):
    response = ask(gateway.metrics_port, "GET", path)
    assert response.status == 200 and "# TYPE envoy_bedrock_deployment_info gauge" in response.text


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/"),
        ("GET", "/stats"),
        ("GET", "/config_dump"),
        ("GET", "/certs"),
        ("GET", "/server_info"),
        ("GET", "/help"),
        ("POST", "/quitquitquit"),
        ("POST", "/drain_listeners"),
        ("POST", "/logging?level=trace"),
        ("POST", "/metrics"),
        ("HEAD", "/metrics"),
        ("PUT", "/stats/prometheus"),
        ("GET", "/stats/prometheus?usedonly"),
        ("GET", "/metrics?filter=(a*)*"),
        ("GET", "/metrics?"),
        ("GET", "/metrics/../config_dump"),
        ("GET", "/metrics/config_dump"),
        ("GET", "/metrics//"),
        ("GET", "//metrics"),
        ("GET", "/metrics%2f"),
        ("GET", "/stats/prometheus/../../config_dump"),
        ("GET", "/stats/prometheus%3fformat=json"),
        ("GET", "/METRICS"),
        ("GET", "http://127.0.0.1/config_dump"),
        ("GET", "/stats/prometheus;x"),
        ("GET", "/metrics\\..\\config_dump"),
        ("OPTIONS", "*"),
    ],
)
def test_nothing_else_of_the_admin_interface_is_reachable(gateway, method, path):
    response = ask(gateway.metrics_port, method, path)
    assert response.status in (400, 404), response.text[:200]
    assert not response.text or response.text.startswith("Expected GET and /stats/prometheus")
    assert gateway.process.poll() is None


def test_a_smuggled_request_cannot_reach_the_admin_interface(gateway):
    """After a body of ambiguous length, the rest is refused or handled like any other request."""
    gateway_port, gateway.port = gateway.port, gateway.metrics_port
    try:
        received = clients.exchange_bytes(
            gateway,
            b"GET /metrics HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n"
            b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"
            b"GET /config_dump HTTP/1.1\r\nhost: h\r\n\r\n",
        )
    finally:
        gateway.port = gateway_port
    assert b"bootstrap" not in received and b"static_resources" not in received


def test_a_scrape_is_not_in_the_spend_log(gateway):
    rows = gateway.access_log().count("\n")
    for _ in range(5):
        assert ask(gateway.metrics_port, "GET", "/metrics").status == 200
    # This request is logged, so the test can wait for its row.
    assert clients.post(gateway, "no-such-model").status == 400
    gateway.wait(lambda: gateway.access_log().count("\n") > rows or None)
    assert gateway.access_log().count("\n") == rows + 1


def test_no_client_can_create_a_series(gateway):
    """After a round of all requests, hostile names add no series and appear nowhere."""
    for number in range(10):
        round_of(gateway, number)
    hostile(gateway, "first")
    before = settled(gateway)
    for number in range(20):
        hostile(gateway, f"{uuid.uuid4().hex}-{number}")
    assert settled(gateway) - before == set()
    page = gateway.metrics()
    assert "hostile" not in page and "sk-" not in page


def hostile(gateway, word):
    """Sends `word` in everything that a client can choose."""
    mark = f"hostile-{word}"
    headers = {
        "x-litellm-tags": f"{mark},b",
        "x-litellm-customer-id": mark,
        "x-litellm-end-user-id": mark,
        "x-litellm-call-id": mark,
        "user-agent": mark,
        "x-litellm-model-group": mark,
        "x-litellm-model-id": mark,
        "x-litellm-spend-logs-metadata": f'{{"a":"{mark}"}}',
        "x-amzn-trace-id": mark,
        "host": mark,
        "x-eb-pace": mark,
        "x-eb-route": mark,
        "x-forwarded-for": mark,
        "x-amzn-bedrock-trace": mark,
    }
    wild = [f"wild/{mark}", f"wild/{mark};status_class=2xx;new=1"]
    for model in ["claude", *wild, mark, f"{mark};region=x", f'{mark}="\\']:
        for operation in ["converse", "converse-stream"]:
            clients.post(gateway, model, operation, headers=headers)
    clients.post(gateway, "claude", mark, headers=headers)
    clients.post(gateway, "claude", key=f"sk-{mark}", headers=headers)
    clients.post(gateway, "claude", body=f'{{"{mark}":'.encode(), headers=headers)
    refused(gateway)


def settled(gateway) -> set:
    """The series, once no request is in flight and Envoy has merged its histograms."""
    gateway.wait(lambda: is_settled(gateway))
    return series(gateway)


def is_settled(gateway):
    if gateway.stats("^http.gateway.downstream_rq_active$") != {
        "http.gateway.downstream_rq_active": 0
    }:
        return None
    page = gateway.metrics()
    counted, measured = (
        sum(map(int, re.findall(rf"^{name}{{.*}} (\d+)$", page, re.MULTILINE)))
        for name in ["envoy_bedrock_requests_total", "envoy_bedrock_overhead_microseconds_count"]
    )
    return True if counted == measured > 0 else None

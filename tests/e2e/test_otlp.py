"""The spend log over OTLP: the collector gets every row, and no request waits for it."""

import datetime
import json
import time

import pytest

from clients import connection, exchange_bytes, post, send
from collector import GRPC, HTTP, Collector
from deployments import Parameters, deployments
from gateway import SECRETS, Gateway, config

HEADER_SECRET = "otlp-e2e-worthless-elsewhere"
RESOURCE = {"service.name": "bedrock-gateway", "deployment.environment": "e2e, 100 %PROTOCOL%"}
# The user agent of the probes by which `Gateway` waits for its start.
PROBE = "python-requests"
# Headers that Envoy adds to requests that it makes itself.
UNWANTED = {"x-envoy-internal", "x-envoy-expected-rq-timeout-ms", "x-forwarded-for"}
# As in tools/cli/src/render/otlp.rs.
BATCHES_MAX = 128
WAIT_SECONDS = 60


def gateway_with(collector, emulator, **more) -> Gateway:
    """A gateway whose environment names the collector, in OpenTelemetry's variables.

    The rendered file does not hold the header's value. Envoy reads it from a variable that `render`
    names.
    """
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": collector.protocol,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{HEADER_SECRET}",
        "OTEL_SERVICE_NAME": "bedrock-gateway",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=e2e%2C 100 %PROTOCOL%25,"
        "service.name=overridden",
        **more,
    }
    literals = {"ENVOY_BEDROCK_OTLP_HEADER_AUTHORIZATION": f"Bearer {HEADER_SECRET}"}
    return Gateway(config(deployments(Parameters(emulator))), env=environment, literals=literals)


def as_body(line: str) -> str:
    """A line of the file as in the record, where Envoy writes its own empty values as `-`."""
    row, found, envoy = line.partition('"envoy":')
    assert found, line
    return row + found + envoy.replace('""', '"-"')


def lines(gateway) -> list:
    return gateway.access_log().splitlines()


def call_id(text: str) -> str | None:
    return json.loads(text).get("request_id")


def milliseconds(text: str) -> int:
    """A time of a row as Unix time."""
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def until(condition):
    """The first true result of `condition`."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError(f"{condition.__name__} was not true within {WAIT_SECONDS} s")


def every_kind_of_request(gateway, emulator) -> int:
    """Sends them and returns the number of lines that they leave in the log."""
    assert post(gateway, "both").status == 200
    assert post(gateway, "both", "converse-stream").status == 200
    assert (
        post(
            gateway, "both", headers={"x-litellm-tags": 'quote",back\\slash,%REQ(authorization)%'}
        ).status
        == 200
    )
    assert post(gateway, "both", key="sk-wrong").status == 401
    assert post(gateway, "no-such-model").status == 400
    emulator.fault("status", status=429, operation="invoke")
    assert post(gateway, "both", "invoke").status == 429
    emulator.pace(events=50, interval_ms=100, operation="converse-stream")
    leaving = connection(gateway.url)
    assert send(leaving, "both", "converse-stream").read(10)
    leaving.close()
    # Envoy refuses a request without a host before any filter sees it.
    assert exchange_bytes(gateway, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")
    return 8


@pytest.mark.parametrize("over_tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_every_line_of_the_file_is_a_record(bedrock, certificate, ca_file, protocol, over_tls):
    trust = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(ca_file)} if over_tls else {}
    with (
        Collector(protocol, certificate=certificate if over_tls else None) as collector,
        gateway_with(collector, bedrock, **trust) as gateway,
    ):
        count = every_kind_of_request(gateway, bedrock)

        def all_lines():
            found = lines(gateway)
            return found if sum(PROBE not in line for line in found) == count else None

        written = until(all_lines)
        records = collector.wait(lambda found: len(found) >= len(written))
        assert sorted(record.body for record in records) == sorted(map(as_body, written))
        assert [record.attributes for record in records if call_id(record.body) is None] == [
            {"event.name": "envoy_bedrock.request", "http.response.status_code": "400"}
        ]
        for record in records:
            row = json.loads(record.body)
            assert record.resource == RESOURCE
            assert record.attributes["event.name"] == "envoy_bedrock.request"
            status = record.attributes["http.response.status_code"]
            assert status == row["envoy"]["response_code"]
            assert record.headers["authorization"] == f"Bearer {HEADER_SECRET}"
            assert not UNWANTED & set(record.headers)
            assert record.time_unix_nano // 1_000_000 == milliseconds(row["envoy"]["time"])
        bodies = [record.body for record in records]
        for text in [gateway.rendered(), gateway.log(), gateway.notes, *bodies]:
            assert HEADER_SECRET not in text
            assert [secret for secret in SECRETS if secret in text] == []
        assert "ENVOY_BEDROCK_OTLP_HEADER_AUTHORIZATION" in gateway.notes
        assert gateway.leaks() == []


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_collector_that_starts_late_gets_later_records(bedrock, protocol):
    with Collector(protocol) as gone:
        pass
    with gateway_with(gone, bedrock) as gateway:
        early = [post(gateway, "both") for _ in range(20)]
        assert [response.status for response in early] == [200] * 20

        def refused():
            name = "cluster.otlp.upstream_cx_connect_fail"
            return gateway.stats(name).get(name)

        until(refused)
        with Collector(protocol, port=gone.port) as collector:
            sent = {response.headers["x-litellm-call-id"] for response in early}

            def arrived():
                """Sends one more request."""
                sent.add(post(gateway, "both").headers["x-litellm-call-id"])
                return collector.records

            until(arrived)
            until(lambda: sent <= {call_id(line) for line in lines(gateway)})
            assert {record.body for record in collector.records} <= set(
                map(as_body, lines(gateway))
            )


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_collector_that_never_responds_delays_no_request(bedrock, protocol):
    timeouts = {
        GRPC: "cluster.otlp.upstream_rq_max_duration_reached",
        HTTP: "cluster.otlp.upstream_rq_timeout",
    }[protocol]
    with (
        Collector(protocol, silent=True) as collector,
        gateway_with(collector, bedrock, OTEL_EXPORTER_OTLP_TIMEOUT="1000") as gateway,
    ):
        for _ in range(20):
            assert post(gateway, "both").status == 200
        until(lambda: collector.requests)
        assert post(gateway, "both").status == 200
        until(lambda: gateway.stats(timeouts).get(timeouts))
        active = "cluster.otlp.upstream_rq_active"
        until(lambda: gateway.stats(active)[active] == 0)
        assert post(gateway, "both").status == 200
        assert collector.records == []


def probes(gateway, count: int):
    """Sends requests that leave a line in the log and need no upstream."""
    probing = connection(gateway.url)
    for _ in range(count):
        probing.request("GET", "/health/liveliness")
        response = probing.getresponse()
        response.read()
        assert response.status == 200
    probing.close()


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_the_backlog_for_a_collector_is_bounded(bedrock, protocol):
    active, dropped = (
        "cluster.otlp.upstream_rq_active",
        "access_logs.open_telemetry_access_log.logs_dropped",
    )
    with (
        Collector(protocol, silent=True) as collector,
        gateway_with(collector, bedrock, OTEL_EXPORTER_OTLP_TIMEOUT="60000") as gateway,
    ):

        def is_full():
            """The maximum number of batches is under way, and at least one was dropped."""
            probes(gateway, 1000)
            stats = gateway.stats(f"{active}$|{dropped}")
            return stats[active] == BATCHES_MAX and stats[dropped]

        until(is_full)
        probes(gateway, 1000)
        assert gateway.stats(active)[active] == BATCHES_MAX
        assert post(gateway, "both").status == 200

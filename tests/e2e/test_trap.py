"""A trap fails the requests in flight on one worker, and no others.

With `failure_policy: FAIL_RELOAD` Envoy replaces the VM, but the requests in flight still belong to
the old one: Envoy ends each at its next event. Requests on other workers and later requests are
unaffected. No failed request ends as if it were complete.
"""

import concurrent.futures
import http.client
import time

import pytest

from clients import COUNT_TOKENS, anthropic, connection, post
from deployments import EAST, WEST
from gateway import KEY
from runtime import filter_module, wasm_only
from trap_module import TRAP_HEADER, write_trapping

pytestmark = wasm_only

REQUESTS_IN_FLIGHT = 24
TRAP = {TRAP_HEADER: "1"}
SAVED, ABORTED, UNAVAILABLE = "saved", "aborted", "503 ServiceUnavailableException"


@pytest.fixture(params=[1, 2])
def trapping(request, gateway_over, tmp_path):
    module = write_trapping(filter_module(), tmp_path)
    with gateway_over("http", module=module, workers=request.param) as running:
        yield running


def outcome(ask) -> str:
    try:
        response = ask()
    except (http.client.HTTPException, ConnectionError):
        return ABORTED
    if response.status == 200:
        return SAVED
    return f"{response.status} {response.headers['x-amzn-errortype']}"


def upload(gateway):
    """A request whose body takes a second to upload."""
    body = anthropic("x" * 1000)
    slow = connection(gateway.url)
    slow.putrequest("POST", "/model/both/invoke")
    slow.putheader("authorization", f"Bearer {KEY}")
    slow.putheader("content-length", str(len(body)))
    slow.endheaders()
    slow.send(body[:100])
    time.sleep(1)
    slow.send(body[100:])
    return slow.getresponse()


def test_a_trap_fails_only_the_requests_in_flight_on_its_worker(trapping, bedrock):
    bedrock.pace(latency_ms=1000, operation="converse")
    bedrock.pace(events=20, interval_ms=50, operation="converse-stream")
    bedrock.fault("status", status=429, region=WEST, operation="count-tokens")
    kinds = {
        "waiting": lambda: post(trapping, "both", "converse"),
        "streaming": lambda: post(trapping, "both", "converse-stream"),
        "uploading": lambda: upload(trapping),
    }
    for _ in range(2):
        with concurrent.futures.ThreadPoolExecutor(REQUESTS_IN_FLIGHT) as pool:
            started = {
                kind: [pool.submit(outcome, ask) for _ in range(REQUESTS_IN_FLIGHT // 3)]
                for kind, ask in kinds.items()
            }
            time.sleep(0.5)
            assert post(trapping, "both", headers=TRAP).status == 503
            for _ in range(20):
                response = post(trapping, "west-first", "count-tokens", COUNT_TOKENS)
                assert response.status == 200, "the VM was not replaced, in one of its two roles"
            found = {kind: [each.result() for each in futures] for kind, futures in started.items()}
        lost = {"waiting": {UNAVAILABLE}, "streaming": {ABORTED}, "uploading": {UNAVAILABLE}}
        for kind, outcomes in found.items():
            expected = lost[kind] if trapping.workers == 1 else lost[kind] | {SAVED}
            assert set(outcomes) <= expected, (kind, outcomes)
        if trapping.workers > 1:
            survived = any(SAVED in outcomes for outcomes in found.values())
            assert survived, "the trap also failed the requests of the other worker"
    seen = [entry for entry in bedrock.quiet_log() if entry["operation"] == "count-tokens"]
    assert {(entry["region"], entry["status"]) for entry in seen} == {(WEST, 429), (EAST, 200)}
    assert trapping.log().count("Uncaught RuntimeError: unreachable") == 2


def test_a_request_without_a_key_cannot_trap(trapping):
    assert post(trapping, "both", key="wrong", headers=TRAP).status == 401
    assert "unreachable" not in trapping.log()


def test_the_shipped_module_has_no_trap(over_http, bedrock):
    assert post(over_http, "both", headers=TRAP).status == 200

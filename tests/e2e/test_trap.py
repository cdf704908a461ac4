"""What a trap costs. `failure_policy: FAIL_RELOAD` replaces the VM, but not what was in it: every request that the
worker had under way belongs to the dead VM, and Envoy ends it at its next event. So a trap costs all of one worker's
requests, none of the others', and none that comes after it. No clean end is among the failures."""

import concurrent.futures
import http.client
import time

import pytest

from clients import anthropic, connection, post
from conftest import EAST, WEST, Region, deployments
from gateway import KEY, Gateway, config, filter_module
from trap_module import TRAP_HEADER, write_trapping

UNDER_WAY = 24
TRAP = {TRAP_HEADER: "1"}
SAVED, ABORTED, UNAVAILABLE = "saved", "aborted", "503 ServiceUnavailableException"


@pytest.fixture(params=[1, 2])
def trapping(request, shared_emulator, tmp_path):
    text = config(deployments(Region(shared_emulator)))
    module = write_trapping(filter_module(), tmp_path)
    with Gateway(text, module=module, workers=request.param) as running:
        yield running


def outcome(ask) -> str:
    try:
        response = ask()
    except (http.client.HTTPException, ConnectionError):
        return ABORTED
    return (
        SAVED
        if response.status == 200
        else f"{response.status} {response.headers['x-amzn-errortype']}"
    )


def upload(gateway):
    """A request whose body takes its time."""
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


def test_a_trap_costs_what_its_worker_had_under_way_and_nothing_after_it(trapping, bedrock):
    bedrock.pace(latency_ms=1000, operation="converse")
    bedrock.pace(events=20, interval_ms=50, operation="converse-stream")
    bedrock.fault("status", status=429, region=WEST, operation="count-tokens")
    kinds = {
        "waiting": lambda: post(trapping, "both", "converse"),
        "streaming": lambda: post(trapping, "both", "converse-stream"),
        "uploading": lambda: upload(trapping),
    }
    for _ in range(2):
        with concurrent.futures.ThreadPoolExecutor(UNDER_WAY) as pool:
            started = {
                kind: [pool.submit(outcome, ask) for _ in range(UNDER_WAY // 3)]
                for kind, ask in kinds.items()
            }
            time.sleep(0.5)
            assert post(trapping, "both", headers=TRAP).status == 503
            for _ in range(20):
                response = post(
                    trapping,
                    "west-first",
                    "count-tokens",
                    b'{"input":{"converse":{"messages":[]}}}',
                )
                assert response.status == 200, (
                    "what comes after a trap meets a new VM, in both roles"
                )
            found = {kind: [each.result() for each in futures] for kind, futures in started.items()}
        lost = {"waiting": {UNAVAILABLE}, "streaming": {ABORTED}, "uploading": {UNAVAILABLE}}
        for kind, outcomes in found.items():
            expected = lost[kind] if trapping.workers == 1 else lost[kind] | {SAVED}
            assert set(outcomes) <= expected, (kind, outcomes)
        if trapping.workers > 1:
            assert any(SAVED in outcomes for outcomes in found.values()), (
                "the other worker has its own VM"
            )
    seen = [entry for entry in bedrock.quiet_log() if entry["operation"] == "count-tokens"]
    assert {(entry["region"], entry["status"]) for entry in seen} == {(WEST, 429), (EAST, 200)}
    assert trapping.log().count("Uncaught RuntimeError: unreachable") == 2


def test_without_a_key_nothing_is_trapped(trapping):
    assert post(trapping, "both", key="wrong", headers=TRAP).status == 401
    assert "unreachable" not in trapping.log()


def test_the_module_that_ships_has_no_trap(over_http, bedrock):
    assert post(over_http, "both", headers=TRAP).status == 200

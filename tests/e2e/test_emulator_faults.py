"""The emulator without a gateway: its faults, its pace, its log and its command line."""

import json
import socket
import time

import botocore.eventstream
import botocore.exceptions
import pytest
import urllib3

import direct
from clients import anthropic, messages
from deployments import CLAUDE, EAST, WEST
from emulator import DEMO_ACCESS_KEY_ID, Emulator, judge
from gateway import SESSION_TOKEN

# What botocore raises before the response headers, and while a stream is read.
BROKEN = (botocore.exceptions.HTTPClientError, urllib3.exceptions.HTTPError)


# Faults.


@pytest.mark.parametrize("status, code", [*direct.ERROR_TYPES.items(), (502, "502")])
def test_a_status_fault_returns_bedrocks_error_for_the_given_count(emulator, status, code):
    emulator.fault("status", status=status, count=1, region=WEST)
    direct.converse(emulator, region=EAST)
    assert direct.error_of(direct.converse, emulator)[:2] == (code, status)
    direct.converse(emulator)
    assert [entry["fault"] for entry in emulator.quiet_log()] == [None, "status", None]


def test_faults_can_match_a_model_an_operation_or_a_key(emulator):
    emulator.fault("status", status=429, model="amazon.nova-lite-v1:0")
    emulator.fault("status", status=500, operation="converse-stream")
    emulator.fault("status", status=503, access_key_id=direct.TEMPORARY["aws_access_key_id"])
    direct.converse(emulator)
    assert direct.error_of(direct.converse, emulator, model="amazon.nova-lite-v1:0")[1] == 429
    assert direct.error_of(direct.stream, emulator)[1] == 500
    temporary = {"aws_session_token": SESSION_TOKEN, **direct.TEMPORARY}
    assert direct.error_of(direct.converse, emulator, **temporary)[1] == 503


def test_a_refused_region_accepts_no_connections_until_the_fault_is_cleared(emulator):
    pooled = direct.client(emulator)
    pooled.converse(modelId=CLAUDE, messages=messages("x"))
    emulator.fault("refused", region=WEST)
    for tls in [False, True]:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", emulator.port(WEST, tls)))
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        pooled.converse(modelId=CLAUDE, messages=messages("x"))
    direct.converse(emulator, region=EAST)
    emulator.clear_faults()
    direct.converse(emulator)


@pytest.mark.parametrize("kind", ["reset", "reset_after_request_headers"])
def test_a_reset_comes_before_any_response(emulator, kind):
    emulator.fault(kind, count=1)
    with pytest.raises(botocore.exceptions.ConnectionClosedError, match=r"reset|closed"):
        direct.converse(emulator)
    (entry,) = emulator.quiet_log()
    assert entry["status"] is None and entry["ended"] == "fault"
    assert entry["verified"] is (True if kind == "reset" else None)


@pytest.mark.parametrize("tls", [False, True])
def test_a_cut_stream_breaks_off_and_reports_no_usage(emulator, tls):
    emulator.fault("cut", after_events=3, count=1)
    seen = []
    with pytest.raises(BROKEN):
        for event in direct.stream(emulator, tls=tls):
            seen.append(event)
    assert len(seen) == 3
    (entry,) = emulator.quiet_log()
    assert entry["ended"] == "fault" and entry["usage"] and not entry["usage_reported"]


def test_a_cut_response_breaks_off_in_the_middle(emulator):
    emulator.fault("cut", count=1)
    with pytest.raises(botocore.exceptions.BotoCoreError):
        direct.converse(emulator)
    assert emulator.quiet_log()[0]["usage_reported"] is False


def test_an_exception_is_sent_inside_a_stream(emulator):
    emulator.fault("exception", after_events=2, error_type="modelStreamErrorException", count=1)
    seen = []
    with pytest.raises(botocore.exceptions.EventStreamError, match="modelStreamErrorException"):
        for event in direct.stream(emulator):
            seen.append(event)
    assert len(seen) == 2 and emulator.quiet_log()[0]["error_type"] == "modelStreamErrorException"


def test_a_corrupt_frame_fails_its_checksum(emulator):
    emulator.fault("corrupt_frame", after_events=1, count=1)
    with pytest.raises(botocore.eventstream.ChecksumMismatch):
        list(direct.stream(emulator))


def test_a_stalled_stream_sends_its_first_events_and_never_ends(emulator):
    emulator.fault("stall", after_events=2, count=1)
    seen = []
    with pytest.raises(BROKEN):
        for event in direct.stream(emulator, read_timeout=0.3):
            seen.append(event)
    assert len(seen) == 2
    assert [entry["ended"] for entry in emulator.quiet_log()] == ["client_gone"]


def test_counts_in_headers_are_reported_even_if_the_response_breaks_off(emulator):
    emulator.fault("cut")
    with pytest.raises(BROKEN):
        direct.converse(emulator)
    with pytest.raises(BROKEN):
        direct.client(emulator).invoke_model(modelId=CLAUDE, body=anthropic("ping"))["body"].read()
    assert [entry["usage_reported"] for entry in emulator.quiet_log()] == [False, True]


def test_slow_and_silent_responses_arrive_late(emulator):
    emulator.fault("slow", delay_ms=300, count=1)
    direct.converse(emulator)
    emulator.fault("silent_start", delay_ms=300, count=1)
    list(direct.stream(emulator))
    slow, silent = emulator.quiet_log()
    assert slow["headers_unix_ms"] - slow["received_unix_ms"] >= 300
    assert silent["frames_unix_ms"][0] - silent["headers_unix_ms"] >= 299


@pytest.mark.parametrize("kind", ["hang", "silent_start"])
def test_the_log_shows_that_a_client_gave_up(emulator, kind):
    emulator.fault(kind, count=1)
    with pytest.raises(BROKEN):
        list(direct.stream(emulator, read_timeout=0.3))
    (entry,) = emulator.quiet_log()
    assert (
        entry["ended"] == "client_gone"
        and entry["client_gone_unix_ms"]
        and not entry["usage_reported"]
    )


def test_a_blackhole_swallows_connections_until_the_fault_is_cleared(emulator):
    emulator.fault("blackhole", region=WEST)
    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        direct.converse(emulator, read_timeout=0.3)
    emulator.clear_faults()
    direct.converse(emulator)


def test_the_pace_sets_the_number_and_interval_of_events(emulator):
    emulator.pace(events=20, interval_ms=20, operation="converse-stream")
    assert len(list(direct.stream(emulator))) == 24
    sent = emulator.quiet_log()[0]["frames_unix_ms"]
    assert sent[-1] - sent[0] >= 23 * 20 - 5
    emulator.pace(response_bytes=100_000)
    assert len(direct.converse_text(emulator)) >= 100_000


# Log and command line.


def test_the_journal_has_every_entry(tmp_path):
    journal = tmp_path / "journal.jsonl"
    with Emulator([WEST], "--lenient", env={"BEDROCK_EMULATOR_JOURNAL": str(journal)}) as running:
        direct.converse(running)
        list(direct.stream(running))
        assert running.stop() == 0
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [entry["operation"] for entry in entries] == ["converse", "converse-stream"]
    assert all(entry["verified"] and entry["expected_to_verify"] for entry in entries)


def test_the_journal_shows_wrong_requests(tmp_path):
    journal = tmp_path / "journal.jsonl"
    wrong = {"aws_access_key_id": DEMO_ACCESS_KEY_ID, "aws_secret_access_key": "wrong"}
    with Emulator([WEST], "--lenient", "--journal", str(journal)) as running:
        running.mode(hostile=True)
        direct.error_of(direct.converse, running, **wrong)
        assert judge(journal) == []
        running.mode(hostile=False)
        direct.error_of(direct.converse, running, **wrong)
        direct.converse(running)
    found = judge(journal)
    assert [entry["reason"] for entry in found] == ["wrong signature", "signature"]
    assert found[1]["violations"]


def test_the_summary_sums_only_reported_usage(emulator):
    first = direct.converse(emulator)["usage"]
    second = list(direct.stream(emulator))[-1]["metadata"]["usage"]
    emulator.fault("cut", after_events=2, count=1)
    with pytest.raises(BROKEN):
        list(direct.stream(emulator))
    emulator.quiet_log()
    summary = emulator.summary()[WEST]
    assert summary["seen"] == 3 and summary["reported"]["answers"] == 2
    assert summary["reported"]["input_tokens"] == first["inputTokens"] + second["inputTokens"]
    assert summary["reported"]["output_tokens"] == first["outputTokens"] + second["outputTokens"]


def test_a_port_in_use_is_named():
    with Emulator([WEST]) as running:
        taken = running.port(WEST)
        with pytest.raises(RuntimeError, match=f"http of {EAST}.*{taken}"):
            Emulator([f"{EAST}={taken}"])


def test_the_control_api_explains_invalid_requests(emulator):
    for wrong in [
        lambda: emulator.fault("nonsense"),
        lambda: emulator.fault("status", region="mars", status=429),
        lambda: emulator.pace(events=1_000_000),
        lambda: emulator.mode(other=True),
    ]:
        with pytest.raises(RuntimeError, match=r"expected|unknown"):
            wrong()


def test_garbage_on_the_wire_does_no_harm(emulator):
    for garbage in [
        b"\0\1\2",
        b"GET / HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
        b"POST /model/%zz/converse HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab",
    ]:
        with socket.create_connection(("127.0.0.1", emulator.port(WEST))) as raw:
            raw.sendall(garbage)
            time.sleep(0.05)
    direct.converse(emulator)

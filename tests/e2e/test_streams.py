"""Events arrive as Bedrock sends them. A stream that breaks off looks broken to the client."""

import statistics
import time

import botocore.exceptions
import pytest
import urllib3.exceptions

from clients import boto, connection, curl, messages, question, send
from gateway import KEY

# The median must be unnoticeable; on a busy machine, single events may be later.
TYPICAL_MS, WORST_MS = 100, 1000
EVENTS, INTERVAL_MS = 30, 30
BROKEN = (botocore.exceptions.HTTPClientError, urllib3.exceptions.HTTPError)
# Exit codes of curl: a truncated response, a reset connection, a reset HTTP/2 stream.
ABORTED = (18, 56, 92)


def test_every_event_arrives_when_it_is_sent(gateway, bedrock):
    bedrock.pace(events=EVENTS, interval_ms=INTERVAL_MS, operation="converse-stream")
    kept = connection(gateway.url)
    response = send(kept, "both", "converse-stream")
    arrived_ms, received, pending = [], b"", b""
    while chunk := response.read1(65_536):
        now_ms = time.time() * 1000
        received += chunk
        pending += chunk
        while len(pending) >= 4 and len(pending) >= (length := int.from_bytes(pending[:4], "big")):
            arrived_ms.append(now_ms)
            pending = pending[length:]
    kept.close()
    sent_ms = bedrock.quiet_log()[0]["frames_unix_ms"]
    assert pending == b"" and len(arrived_ms) == len(sent_ms) > EVENTS
    late_ms = [arrived - sent for arrived, sent in zip(arrived_ms, sent_ms, strict=True)]
    assert statistics.median(late_ms) < TYPICAL_MS and max(late_ms) < WORST_MS, late_ms
    assert arrived_ms[-1] - arrived_ms[0] > EVENTS * INTERVAL_MS / 2, "the events were held back"


def test_the_headers_of_a_stream_do_not_wait_for_its_events(gateway, bedrock):
    bedrock.fault("silent_start", delay_ms=1500)
    kept = connection(gateway.url)
    response = send(kept, "both", "converse-stream")
    headers_ms = time.time() * 1000
    assert response.status == 200
    assert response.headers["content-type"] == "application/vnd.amazon.eventstream"
    response.read()
    kept.close()
    assert headers_ms < bedrock.quiet_log()[0]["frames_unix_ms"][0]


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_curl_fails_if_a_stream_breaks_off(gateway, bedrock, version):
    bedrock.fault("cut", after_events=3)
    curl(version, *stream_request(gateway), exit_codes=ABORTED)
    assert len(bedrock.quiet_log()) == 1, "the request was retried after its first byte"


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_curl_succeeds_if_a_stream_is_complete(gateway, version):
    curl(version, *stream_request(gateway))


def stream_request(gateway) -> list:
    """Arguments of curl."""
    url = f"{gateway.url}/model/both/converse-stream"
    return [url, "-H", f"authorization: Bearer {KEY}", "-d", question("x").decode()]


def test_boto3_raises_when_a_stream_breaks_off(gateway, bedrock):
    bedrock.fault("cut", after_events=3)
    seen = []
    response = boto(gateway).converse_stream(modelId="both", messages=messages("x"))
    with pytest.raises(BROKEN):
        for event in response["stream"]:
            seen.append(event)
    assert len(seen) == 3 and len(bedrock.quiet_log()) == 1

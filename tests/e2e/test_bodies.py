"""Request and response bodies pass through byte for byte, on a retry too."""

import hashlib
import os

import pytest

import direct
from clients import anthropic, connection, post, question, send
from deployments import CLAUDE, EAST, WEST
from gateway import KEY

LIMIT_BYTES = 32 * 1024 * 1024
SEEN = [
    "x-amzn-requestid",
    "x-amzn-bedrock-input-token-count",
    "x-amzn-bedrock-output-token-count",
    "content-type",
]


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("size", [5_000_000, 20_000_000])
def test_a_large_body_is_retried_in_the_next_region(gateway, bedrock, size):
    bedrock.fault("status", status=429, region=WEST)
    body = question(os.urandom(size // 2).hex())
    response = post(gateway, "west-first", body=body)
    assert response.status == 200
    seen = bedrock.quiet_log()
    assert [(entry["region"], entry["status"]) for entry in seen] == [(WEST, 429), (EAST, 200)]
    assert {entry["body_sha256"] for entry in seen} == {digest(body)} and all(
        entry["verified"] for entry in seen
    )


def test_a_large_body_survives_a_refused_connection(gateway_over, bedrock):
    bedrock.fault("refused", region=WEST)
    body = question(os.urandom(10_000_000).hex())
    with gateway_over("tls") as running:
        assert post(running, "west-first", body=body).status == 200
    (entry,) = bedrock.quiet_log()
    assert (entry["region"], entry["body_sha256"], entry["verified"]) == (EAST, digest(body), True)


def test_a_body_over_bedrocks_limit_is_refused_by_bedrock(gateway, bedrock):
    assert post(gateway, "both", "invoke", anthropic("x" * 25_000_000)).status == 413
    assert len(bedrock.quiet_log()) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_gateways_limit_is_refused_in_json(gateway, bedrock, chunked):
    """By its declared length, or once it exceeds the limit. test_refusals.py sends larger ones."""
    sender = connection(gateway.url)
    sender.putrequest("POST", "/model/both/invoke")
    sender.putheader("authorization", f"Bearer {KEY}")
    if chunked:
        sender.putheader("transfer-encoding", "chunked")
        sender.endheaders()
        sender.send(b"%x\r\n" % (LIMIT_BYTES + 1) + b"x" * (LIMIT_BYTES + 1) + b"\r\n0\r\n\r\n")
    else:
        sender.putheader("content-length", str(LIMIT_BYTES + 1))
        sender.endheaders(b"x" * (LIMIT_BYTES + 1))
    response = sender.getresponse()
    assert (response.status, response.headers["x-amzn-errortype"]) == (413, "ValidationException")
    assert b'"code":"413"' in response.read()
    sender.close()
    assert bedrock.quiet_log() == []


def test_a_body_of_exactly_the_limit_reaches_bedrock(gateway, bedrock):
    assert post(gateway, "both", "invoke", b" " * LIMIT_BYTES).status == 413
    (entry,) = bedrock.quiet_log()
    assert entry["body_bytes"] == LIMIT_BYTES, "Bedrock did not receive the whole body"


def test_a_smaller_limit_can_be_configured(gateway_over, bedrock):
    sections = {"general_settings": {"max_request_size_mb": 1}}
    with gateway_over("http", sections=sections) as running:
        assert post(running, "both", body=question("x" * 1_000_000)).status == 200
        refused = post(running, "both", body=question("x" * 1_100_000))
        assert (refused.status, refused.json["error"]["code"]) == (413, "413")
    assert len(bedrock.quiet_log()) == 1


@pytest.mark.parametrize(
    "operation, body",
    [
        ("converse", question("Grüße, 世界 \U0001f980 \u0000")),
        ("converse-stream", question("bytes as they are")),
        ("invoke", anthropic("spaced   out")),
        ("invoke-with-response-stream", anthropic("x")),
        ("count-tokens", b'{"input": {"converse": {"messages": []}}}'),
        ("converse", b"{broken"),
        ("invoke", b"\xff\xfe\x00"),
        ("converse", b""),
    ],
)
def test_responses_are_bedrocks_byte_for_byte(gateway, bedrock, operation, body):
    # CountTokens takes the foundation model of the inference profile.
    model = CLAUDE.removeprefix("us.") if operation == "count-tokens" else CLAUDE
    expected = direct.request(bedrock, WEST, model, operation, body)
    response = post(gateway, "west-first", operation, body)
    assert (response.status, response.error_type, response.body) == (
        expected.status,
        expected.error_type,
        expected.body,
    )
    first, second = bedrock.quiet_log()
    assert first["body_sha256"] == second["body_sha256"] == digest(body)
    assert response.headers["x-amzn-requestid"] == second["request_id"]
    names = {name.lower() for name in expected.headers} - {
        "connection",
        "transfer-encoding",
        "content-length",
    }
    assert names <= {name.lower() for name in response.headers}
    for name in SEEN[1:]:
        assert response.headers[name] == expected.headers[name]


def test_a_large_response_and_a_long_stream_arrive_complete(gateway, bedrock):
    bedrock.pace(response_bytes=3_000_000)
    expected = direct.request(bedrock, WEST, CLAUDE)
    assert post(gateway, "west-first").body == expected.body and len(expected.body) > 3_000_000
    bedrock.clear_pace()
    bedrock.pace(events=2000, operation="converse-stream")
    expected = direct.request(bedrock, WEST, CLAUDE, "converse-stream")
    assert post(gateway, "west-first", "converse-stream").body == expected.body


def test_only_the_headers_that_bedrock_needs_go_upstream(gateway, bedrock):
    sent = {
        "accept": "application/json",
        "x-amzn-bedrock-trace": "ENABLED",
        "x-amzn-trace-id": "Root=1-2-3",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "user-agent": "mine/1",
        "x-amz-date": "20200101T000000Z",
        "x-amz-security-token": "theirs",
        "amz-sdk-request": "attempt=1",
        "cookie": "a=b",
        "x-api-key": "other",
        "x-eb-pace": "us-west-2",
        "x-eb-route": "stream",
        "x-envoy-max-retries": "9",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-forwarded-for": "1.2.3.4",
        "forwarded": "for=1",
        "x-request-id": "theirs",
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        "x-eb-rejected": "1",
        "x-eb-retry": "1",
    }
    response = post(gateway, "west-first", headers=sent)
    assert response.status == 200
    (entry,) = bedrock.quiet_log()
    found = dict(entry["headers"])
    for name in ["accept", "x-amzn-bedrock-trace", "x-amzn-trace-id", "traceparent", "user-agent"]:
        assert found[name] == sent[name]
    gone = set(sent) - {
        "accept",
        "x-amzn-bedrock-trace",
        "x-amzn-trace-id",
        "traceparent",
        "user-agent",
        "x-amz-date",
    }
    assert not gone & set(found) and found["x-amz-date"] != sent["x-amz-date"]
    assert entry["violations"] == []


def test_the_query_is_not_forwarded(gateway, bedrock):
    sender = connection(gateway.url)
    sender.request(
        "POST",
        "/model/both/converse?api-version=1&x=%2e",
        question("x"),
        {"authorization": f"Bearer {KEY}"},
    )
    assert sender.getresponse().status == 200
    sender.close()
    assert "?" not in bedrock.quiet_log()[0]["path"]


def test_one_connection_serves_many_requests_of_every_kind(gateway, bedrock):
    kept = connection(gateway.url)
    for number in range(20):
        for operation in ["converse", "converse-stream", "nonsense"]:
            response = send(kept, "both", operation, question(f"turn {number:02}."))
            text = response.read()
            assert response.status == 404 if operation == "nonsense" else b"turn" in text
    kept.close()
    assert len(bedrock.quiet_log()) == 40

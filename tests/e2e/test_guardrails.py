"""A deployment's guardrailConfig applies to every request, whatever guardrail the client names."""

import hashlib
import json
import socket

import botocore.exceptions
import h2.config
import h2.connection
import h2.events
import pytest

from clients import anthropic, boto, connection, messages, post, question, streamed_text, text_of
from deployments import EAST, WEST, Parameters
from gateway import KEY, Gateway, config

CONFIG = {
    "guardrailIdentifier": "gr7x2kq9p4aa",
    "guardrailVersion": 3,
    "trace": "enabled",
    "streamProcessingMode": "async",
}
SEEN = {
    "identifier": "gr7x2kq9p4aa",
    "version": "3",
    "trace": "enabled",
    "stream_processing_mode": None,
}
STREAMED = {**SEEN, "stream_processing_mode": "async"}
OURS = (
    b'"guardrailConfig":'
    b'{"guardrailIdentifier":"gr7x2kq9p4aa","guardrailVersion":"3","trace":"enabled"}'
)
THEIRS = {"guardrailIdentifier": "theirs", "guardrailVersion": "1"}
LIMIT_BYTES = 32 * 1024 * 1024
# The emulator's guardrail blocks this text.
BLOCKED = "blocked by the guardrail of this test"


def guarded_deployments(at: Parameters) -> list:
    return [
        ("guarded", at(WEST, order=1, guardrailConfig=CONFIG)),
        ("guarded", at(EAST, order=2, guardrailConfig=CONFIG)),
        ("open", at(WEST)),
    ]


@pytest.fixture(scope="module", params=["http", "tls"])
def guarded_gateway(request, gateway_over):
    with gateway_over(request.param, guarded_deployments) as running:
        yield running


@pytest.fixture
def guarded(guarded_gateway, bedrock):
    """The gateway with guardrails, with an emulator without faults."""
    return guarded_gateway


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def with_ours(body: bytes) -> bytes:
    """This JSON object with our guardrailConfig as its first member."""
    assert body.startswith(b"{") and body != b"{}"
    return b"{" + OURS + b"," + body[1:]


def only_entry(bedrock) -> dict:
    (entry,) = bedrock.quiet_log()
    assert entry["verified"] and entry["violations"] == []
    return entry


def test_the_guardrail_is_added_to_every_boto3_operation(guarded, bedrock):
    client = boto(guarded)
    assert text_of(client.converse(modelId="guarded", messages=messages("one."))).endswith("one.")
    stream = client.converse_stream(modelId="guarded", messages=messages("two."))["stream"]
    assert streamed_text(stream).endswith("two.")
    body = client.invoke_model(modelId="guarded", body=anthropic("three."))["body"].read()
    assert json.loads(body)["amazon-bedrock-guardrailAction"] == "NONE"
    list(
        client.invoke_model_with_response_stream(modelId="guarded", body=anthropic("four."))["body"]
    )
    client.count_tokens(modelId="guarded", input={"converse": {"messages": messages("five")}})
    client.converse(modelId="open", messages=messages("six."))
    seen = bedrock.quiet_log()
    assert [entry.get("guardrail") for entry in seen] == [SEEN, STREAMED, SEEN, SEEN, None, None]
    assert all(entry["verified"] and entry["status"] == 200 for entry in seen)


def test_the_guardrail_overrides_that_of_boto3(guarded, bedrock):
    client = boto(guarded)
    client.converse(
        modelId="guarded", messages=messages("x"), guardrailConfig={**THEIRS, "trace": "disabled"}
    )
    request = {"modelId": "guarded", "messages": messages("x"), "guardrailConfig": THEIRS}
    list(client.converse_stream(**request)["stream"])
    request = {"modelId": "guarded", "body": anthropic("x"), **THEIRS, "trace": "ENABLED_FULL"}
    client.invoke_model(**request)
    list(client.invoke_model_with_response_stream(**request)["body"])
    client.converse(modelId="open", messages=messages("x"), guardrailConfig=THEIRS)
    seen = [entry["guardrail"] for entry in bedrock.quiet_log()]
    assert seen == [
        SEEN,
        STREAMED,
        SEEN,
        SEEN,
        {"identifier": "theirs", "version": "1", "trace": None, "stream_processing_mode": None},
    ]


def test_the_client_learns_that_the_guardrail_intervened(guarded, bedrock):
    client = boto(guarded)
    assert (
        client.converse(modelId="guarded", messages=messages(BLOCKED))["stopReason"]
        == "guardrail_intervened"
    )
    assert client.converse(modelId="open", messages=messages(BLOCKED))["stopReason"] == "end_turn"
    invoked = json.loads(
        client.invoke_model(modelId="guarded", body=anthropic(BLOCKED))["body"].read()
    )
    assert invoked["amazon-bedrock-guardrailAction"] == "INTERVENED"


@pytest.mark.parametrize(
    "operation, body", [("converse", question("again")), ("invoke", anthropic("again"))]
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_carries_the_guardrail_too(guarded, bedrock, operation, body, status):
    bedrock.fault("status", status=status, region=WEST)
    assert post(guarded, "guarded", operation, body).status == 200
    seen = bedrock.quiet_log()
    assert [(entry["region"], entry["status"], entry["guardrail"]) for entry in seen] == [
        (WEST, status, SEEN),
        (EAST, 200, SEEN),
    ]
    sent = with_ours(body) if operation == "converse" else body
    assert {entry["body_sha256"] for entry in seen} == {digest(sent)} and all(
        entry["verified"] for entry in seen
    )


def test_all_other_bytes_stay_unchanged(guarded, bedrock):
    text = b"Gr\xc3\xbc\xc3\x9fe \\ud83e\\udd80 \\u0000"
    messages = b'"messages":[{"role":"user","content":[{"text":"' + text + b'"}]}]'
    body = b' {"a" : 1.50e+2,\n' + messages + b" }\r\n"
    assert post(guarded, "guarded", body=body).status == 200
    assert only_entry(bedrock)["body_sha256"] == digest(b" {" + OURS + b"," + body[2:])


@pytest.mark.parametrize("size", [100, 300_000, 5_000_000, 20_000_000])
@pytest.mark.parametrize("place", ["none", "front", "back", "both"])
def test_a_body_of_any_size_is_edited_and_loses_the_clients_guardrail(
    guarded, bedrock, size, place
):
    theirs = b'"guardrail\\u0043onfig":' + json.dumps(THEIRS).encode()
    rest = question("x" * size)[1:-1]
    front, back = (
        (theirs + b"," if place in ("front", "both") else b""),
        (b" , " + theirs if place in ("back", "both") else b""),
    )
    assert post(guarded, "guarded", body=b"{" + front + rest + back + b"}").status == 200
    entry = only_entry(bedrock)
    sent = b"{" + OURS + b"," + rest + b"}"
    # White space before the comma belongs to the preceding member.
    assert entry["body_sha256"] == digest(sent if place in ("none", "front") else sent[:-1] + b" }")
    assert (entry["guardrail"], entry["body_bytes"]) == (
        SEEN,
        len(sent) + (place in ("back", "both")),
    )


def test_a_large_edited_body_is_retried(guarded, bedrock):
    bedrock.fault("status", status=429, region=WEST)
    body = question("x" * 20_000_000)
    mine = b'{"guardrailConfig":null,' + body[1:]
    assert post(guarded, "guarded", body=mine).status == 200
    seen = bedrock.quiet_log()
    assert [(entry["region"], entry["body_sha256"]) for entry in seen] == [
        (region, digest(with_ours(body))) for region in (WEST, EAST)
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{broken",
        b'{"messages":[]',
        b'{"a":1}{"guardrailConfig":{}}',
        b"\xef\xbb\xbf{}",
        b"\x1f\x8b\x08",
        b'{"guardrail\xc1\x83onfig":{}}',
        b'{"guardrailConfig\\u0000":{}}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":' + b"[" * 200 + b"]" * 200 + b"}",
    ],
)
@pytest.mark.parametrize("operation", ["converse", "converse-stream"])
def test_a_body_that_is_not_a_json_object_is_refused(guarded, bedrock, body, operation):
    response = post(guarded, "guarded", operation, body)
    assert (response.status, response.error_type, response.json["error"]["code"]) == (
        400,
        "ValidationException",
        "400",
    )
    assert "must be a JSON object" in response.json["message"]
    assert bedrock.quiet_log() == []


def test_boto3_raises_the_refusal_as_its_own_exception(guarded, bedrock):
    client = boto(guarded)

    def broken(request, **_):
        request.body = b"[]"

    client.meta.events.register("before-send.bedrock-runtime.Converse", broken)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client.converse(modelId="guarded", messages=messages("x"))
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert bedrock.quiet_log() == []


def of_length(length: int) -> bytes:
    body = question("x" * (length - len(question(""))))
    assert len(body) == length
    return body


@pytest.mark.parametrize("length", [LIMIT_BYTES - 1, LIMIT_BYTES])
def test_the_limit_applies_to_the_body_that_the_client_sends(guarded, bedrock, length):
    body = of_length(length)
    assert post(guarded, "guarded", body=body).status == 200
    assert only_entry(bedrock)["body_sha256"] == digest(with_ours(body))


def test_one_byte_over_the_limit_is_refused(guarded, bedrock):
    sender = connection(guarded.url)
    sender.putrequest("POST", "/model/guarded/converse")
    sender.putheader("authorization", f"Bearer {KEY}")
    sender.putheader("transfer-encoding", "chunked")
    sender.endheaders()
    # No final chunk: the byte that breaks the limit is the last one sent.
    sender.send(b"%x\r\n" % (LIMIT_BYTES + 1) + of_length(LIMIT_BYTES + 1))
    assert sender.getresponse().status == 413
    sender.close()
    assert bedrock.quiet_log() == []


def test_a_chunked_body_is_edited(guarded, bedrock):
    body = question("x" * 700_000)
    mine = body[:-1] + b',"guardrailConfig":{}}'
    sender = connection(guarded.url)
    pieces = [mine[at : at + 99_991] for at in range(0, len(mine), 99_991)]
    sender.request(
        "POST",
        "/model/guarded/converse",
        iter(pieces),
        {"authorization": f"Bearer {KEY}"},
        encode_chunked=True,
    )
    response = sender.getresponse()
    assert (response.status, len(response.read()) > 0) == (200, True)
    sender.close()
    assert only_entry(bedrock)["body_sha256"] == digest(with_ours(body))


@pytest.mark.parametrize("ending", ["data", "empty data", "trailers"])
@pytest.mark.parametrize("mine", [b"", b'"guardrailConfig":{},'])
def test_http2_bodies_may_end_in_any_way(guarded, bedrock, ending, mine):
    body = question("x" * 40_000)
    status = over_http2(guarded, [b"{" + mine, body[1:20_000], body[20_000:]], ending)
    assert status == "200"
    assert only_entry(bedrock)["body_sha256"] == digest(with_ours(body))


@pytest.mark.parametrize("ending", ["headers", "empty data", "trailers"])
def test_an_empty_http2_body_is_refused(guarded, bedrock, ending):
    assert over_http2(guarded, [], ending) == "400"
    assert bedrock.quiet_log() == []


def over_http2(gateway, pieces, ending) -> str:
    """The response status of a Converse request with these DATA frames."""
    state = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as raw:
        state.initiate_connection()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", "/model/guarded/converse"),
            ("authorization", f"Bearer {KEY}"),
        ]
        state.send_headers(1, headers, end_stream=ending == "headers")
        for number, piece in enumerate(pieces, 1):
            ends = ending == "data" and number == len(pieces)
            for at in range(0, len(piece), 16_384):
                frame = piece[at : at + 16_384]
                state.send_data(1, frame, end_stream=ends and at + len(frame) == len(piece))
            raw.sendall(state.data_to_send())
        if ending == "empty data":
            state.send_data(1, b"", end_stream=True)
        if ending == "trailers":
            state.send_headers(1, [("x-checksum", "1")], end_stream=True)
        raw.sendall(state.data_to_send())
        while True:
            for event in state.receive_data(raw.recv(65_536)):
                if isinstance(event, h2.events.ResponseReceived):
                    return dict(event.headers)[":status"]


def test_the_clients_content_type_does_not_reach_bedrock(guarded, bedrock):
    body = question("x")
    headers = {"content-type": "application/json; charset=utf-7"}
    assert post(guarded, "guarded", body=body, headers=headers).status == 200
    assert dict(only_entry(bedrock)["headers"])["content-type"] == "application/json"


def test_a_group_with_different_guardrails_is_an_error(shared_emulator):
    at = Parameters(shared_emulator)
    text = config([("one", at(WEST, guardrailConfig=CONFIG)), ("one", at(EAST))])
    with pytest.raises(
        RuntimeError,
        match=r"model_list\[1\]: this deployment has no guardrailConfig, unlike .*config.yaml:\d+",
    ):
        Gateway(text)

"""The emulator without a gateway: its operations, and the requests that it refuses."""

import concurrent.futures
import datetime
import hashlib
import http.client
import json

import boto3
import botocore.auth
import pytest

import direct
from clients import anthropic, messages
from deployments import CLAUDE, EAST, WEST
from emulator import DEMO_ACCESS_KEY_ID, DEMO_API_KEY
from gateway import SESSION_TOKEN

ARNS = [
    f"arn:aws:bedrock:{WEST}::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
    f"arn:aws:bedrock:{WEST}:123456789012:inference-profile/{CLAUDE}",
    f"arn:aws:bedrock:{WEST}:123456789012:application-inference-profile/abc123def456",
    f"arn:aws:bedrock:{WEST}:123456789012:provisioned-model/abc123def456",
    f"arn:aws:bedrock:{WEST}:123456789012:custom-model-deployment/abc123def456",
    f"arn:aws:bedrock:{WEST}:123456789012:default-prompt-router/anthropic.claude:1",
    f"arn:aws:sagemaker:{WEST}:123456789012:endpoint/mine",
]


# Operations.


@pytest.mark.parametrize("tls", [False, True])
def test_converse_echoes_text_region_and_model(emulator, tls):
    response = direct.converse(emulator, "what is up", tls=tls)
    text = response["output"]["message"]["content"][0]["text"]
    assert "what is up" in text and WEST in text and CLAUDE in text
    usage = response["usage"]
    cached = usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"] + cached
    (entry,) = emulator.quiet_log()
    assert entry["verified"] and entry["reason"] == "signature" and entry["usage_reported"]
    assert {name: entry["usage"][name] for name in usage} == usage


def test_converse_stream_sends_every_event_in_order(emulator):
    events = list(direct.stream(emulator, "count to three"))
    names = [next(iter(event)) for event in events]
    assert names[0] == "messageStart" and names[-3:] == [
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    assert set(names[1:-3]) == {"contentBlockDelta"} and len(names) == 10
    text = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events[1:-3])
    assert text.endswith("count to three")
    (entry,) = emulator.quiet_log()
    assert len(entry["frames_unix_ms"]) == len(events) and entry["usage_reported"]
    assert entry["usage"]["totalTokens"] == events[-1]["metadata"]["usage"]["totalTokens"]


def test_invoke_responds_in_anthropics_format_with_counts_in_headers(emulator):
    response = direct.client(emulator).invoke_model(
        modelId=CLAUDE, body=anthropic("ping"), serviceTier="flex"
    )
    body = json.loads(response["body"].read())
    headers = response["ResponseMetadata"]["HTTPHeaders"]
    assert body["content"][0]["text"].endswith("ping")
    assert body["usage"]["input_tokens"] == int(headers["x-amzn-bedrock-input-token-count"])
    assert body["usage"]["output_tokens"] == int(headers["x-amzn-bedrock-output-token-count"])
    assert response["serviceTier"] == "flex"


def test_invoke_stream_sends_anthropics_events_in_chunks(emulator):
    response = direct.client(emulator).invoke_model_with_response_stream(
        modelId=CLAUDE, body=anthropic("ping")
    )
    events = [json.loads(event["chunk"]["bytes"]) for event in response["body"]]
    assert response["contentType"] == "application/json"
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]
    text = "".join(
        event["delta"]["text"] for event in events if event["type"] == "content_block_delta"
    )
    assert text.endswith("ping")
    metrics = events[-1]["amazon-bedrock-invocationMetrics"]
    assert metrics["outputTokenCount"] == events[-2]["usage"]["output_tokens"]


def test_count_tokens_counts_for_foundation_models_only(emulator):
    body = {"converse": {"messages": messages("x" * 400)}}
    counted = direct.client(emulator).count_tokens(modelId=CLAUDE.removeprefix("us."), input=body)
    assert counted["inputTokens"] > 100
    with pytest.raises(
        direct.client(emulator).exceptions.ValidationException,
        match="doesn't support counting tokens",
    ):
        direct.client(emulator).count_tokens(modelId=CLAUDE, input=body)


def test_embeddings_report_their_tokens(emulator):
    response = direct.client(emulator).invoke_model(
        modelId="amazon.titan-embed-text-v2:0", body=json.dumps({"inputText": "embed me"})
    )
    assert len(json.loads(response["body"].read())["embedding"]) == 32


@pytest.mark.parametrize("arn", ARNS)
def test_every_kind_of_arn_is_signed_and_served(emulator, arn):
    assert arn in direct.converse_text(emulator, model=arn)
    (entry,) = emulator.quiet_log()
    assert entry["model"] == arn and "%2F" in entry["path"]


def test_requested_service_tier_and_latency_are_returned(emulator):
    response = direct.client(emulator).converse(
        modelId=CLAUDE,
        messages=messages("x"),
        serviceTier={"type": "priority"},
        performanceConfig={"latency": "optimized"},
    )
    assert response["serviceTier"] == {"type": "priority"}
    assert response["performanceConfig"] == {"latency": "optimized"}


def test_max_tokens_ends_the_response(emulator):
    response = direct.client(emulator).converse(
        modelId=CLAUDE, messages=messages("x"), inferenceConfig={"maxTokens": 2}
    )
    assert response["stopReason"] == "max_tokens" and response["usage"]["outputTokens"] == 2


def test_usage_varies_from_request_to_request(emulator):
    usages = [direct.converse(emulator, f"request {number}")["usage"] for number in range(30)]
    ttls = {detail["ttl"] for usage in usages for detail in usage.get("cacheDetails", [])}
    assert ttls == {"5m", "1h"}
    assert any("cacheReadInputTokens" not in usage for usage in usages)


def test_concurrent_requests_each_get_their_own_response(emulator):
    def echoes(number):
        text = f"question {number:03}."
        return text in direct.converse_text(emulator, text)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(echoes, range(64)))
    assert emulator.summary()[WEST]["verified"] == 64


def test_the_digest_of_the_body_is_in_the_log_and_a_header(emulator):
    body = anthropic("x" * 1_000_000)
    response = direct.client(emulator).invoke_model(modelId=CLAUDE, body=body)
    digest = hashlib.sha256(body).hexdigest()
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-emulator-body-sha256"] == digest
    assert emulator.quiet_log()[0]["body_sha256"] == digest


# Refusals.


@pytest.mark.parametrize(
    "options, code, reason",
    [
        (
            {"aws_access_key_id": DEMO_ACCESS_KEY_ID, "aws_secret_access_key": "wrong"},
            "InvalidSignatureException",
            "wrong signature",
        ),
        (
            {"aws_access_key_id": "AKIANOBODY", "aws_secret_access_key": "x"},
            "UnrecognizedClientException",
            "unknown access key id",
        ),
        ({"signed_for": EAST}, "InvalidSignatureException", "wrong region"),
        (direct.TEMPORARY, "UnrecognizedClientException", "wrong security token"),
        (
            {**direct.TEMPORARY, "aws_session_token": "other"},
            "UnrecognizedClientException",
            "wrong security token",
        ),
    ],
)
def test_a_wrongly_signed_request_is_refused_as_by_aws(emulator, options, code, reason):
    emulator.mode(hostile=True)
    found, status, _ = direct.error_of(direct.converse, emulator, **options)
    assert (found, status) == (code, 403)
    (entry,) = emulator.quiet_log()
    assert (
        entry["verified"] is False
        and entry["reason"] == reason
        and entry["expected_to_verify"] is False
    )
    assert emulator.summary()[WEST]["refused"] == {reason: 1}


def test_a_correct_session_token_is_accepted(emulator):
    direct.converse(emulator, aws_session_token=SESSION_TOKEN, **direct.TEMPORARY)
    (entry,) = emulator.quiet_log()
    assert entry["verified"] and SESSION_TOKEN not in json.dumps(entry)


@pytest.mark.parametrize("minutes, reason", [(-6, "expired"), (6, "not yet current")])
def test_a_signature_from_a_wrong_clock_is_refused(emulator, monkeypatch, minutes, reason):
    emulator.mode(hostile=True)
    off = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: off)
    code, status, _ = direct.error_of(direct.converse, emulator)
    assert (code, status) == ("InvalidSignatureException", 403)
    assert emulator.quiet_log()[0]["reason"] == reason


def test_a_known_api_key_is_accepted_over_tls(emulator, monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", DEMO_API_KEY)
    session = boto3.session.Session()
    caller = session.client(
        "bedrock-runtime",
        region_name=WEST,
        endpoint_url=emulator.url(WEST, tls=True),
        verify=emulator.ca_file,
    )
    caller.converse(modelId=CLAUDE, messages=messages("x"))
    (entry,) = emulator.quiet_log()
    assert entry["reason"] == "api key" and entry["tls"] and DEMO_API_KEY not in json.dumps(entry)


def test_another_bearer_token_is_refused_with_the_message_of_aws(emulator, monkeypatch):
    emulator.mode(hostile=True)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "sk-1234")
    caller = boto3.session.Session().client(
        "bedrock-runtime",
        region_name=WEST,
        endpoint_url=emulator.url(WEST, tls=True),
        verify=emulator.ca_file,
    )
    code, status, text = direct.error_of(caller.converse, modelId=CLAUDE, messages=messages("x"))
    assert (code, status) == ("AccessDeniedException", 403)
    assert text.startswith("Invalid API Key format")
    (entry,) = emulator.quiet_log()
    assert "virtual key in header authorization" in entry["violations"]
    assert "sk-1234" not in json.dumps(entry)


def test_an_unsigned_request_is_refused(emulator):
    emulator.mode(hostile=True)
    connection = http.client.HTTPConnection(emulator.address(WEST))
    connection.request("POST", f"/model/{CLAUDE}/converse", "{}")
    response = connection.getresponse()
    error_type = response.headers["x-amzn-errortype"]
    assert (response.status, error_type) == (403, "MissingAuthenticationTokenException")
    assert response.headers["x-amzn-requestid"] and json.loads(response.read())["Message"]


def test_sdk_headers_are_violations_and_refused_in_strict_mode(emulator):
    direct.converse(emulator)
    assert "header amz-sdk-invocation-id" in emulator.quiet_log()[0]["violations"]
    emulator.mode(strict=True)
    code, status, text = direct.error_of(direct.converse, emulator)
    assert (code, status) == ("ValidationException", 400) and "amz-sdk-request" in text


def test_an_unknown_model_and_an_arn_of_another_region_are_invalid(emulator):
    for model in ["no.such-model", ARNS[0].replace(WEST, EAST)]:
        found = direct.error_of(direct.converse, emulator, model=model)
        message = "The provided model identifier is invalid."
        assert found == ("ValidationException", 400, message)


def test_wrong_bodies_are_refused_as_by_bedrock(emulator):
    plain = direct.client(emulator)
    assert direct.error_of(plain.converse, modelId=CLAUDE, messages=[])[:2] == (
        "ValidationException",
        400,
    )
    assert direct.error_of(plain.invoke_model, modelId=CLAUDE, body="not json")[:2] == (
        "ValidationException",
        400,
    )
    too_large = anthropic("x" * 25_000_000)
    assert direct.error_of(plain.invoke_model, modelId=CLAUDE, body=too_large)[1] == 413

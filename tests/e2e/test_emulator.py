"""The emulator against plain boto3 and real signatures, pointed straight at it."""

import concurrent.futures
import functools
import hashlib
import http.client
import json
import socket
import time

import boto3
import botocore.eventstream
import botocore.exceptions
import pytest
import urllib3
from botocore.config import Config

from emulator import DEMO_ACCESS_KEY_ID, DEMO_API_KEY, DEMO_SECRET_ACCESS_KEY, Emulator, judge

# What botocore raises before the response headers, and what comes out of the stream after them.
BROKEN = (botocore.exceptions.HTTPClientError, urllib3.exceptions.HTTPError)
WEST, EAST = "us-west-2", "us-east-1"
CLAUDE = "us.anthropic.claude-3-5-sonnet-20240620-v1:0"
ARNS = [
    f"arn:aws:bedrock:{WEST}::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
    f"arn:aws:bedrock:{WEST}:123456789012:inference-profile/{CLAUDE}",
    f"arn:aws:bedrock:{WEST}:123456789012:application-inference-profile/abc123def456",
    f"arn:aws:bedrock:{WEST}:123456789012:provisioned-model/abc123def456",
    f"arn:aws:bedrock:{WEST}:123456789012:custom-model-deployment/abc123def456",
    f"arn:aws:bedrock:{WEST}:123456789012:default-prompt-router/anthropic.claude:1",
    f"arn:aws:sagemaker:{WEST}:123456789012:endpoint/mine",
]
TOKEN = "IQoJ/long+session==" * 60
TEMPORARY = {"aws_access_key_id": "ASIATEMPORARY0000001", "aws_secret_access_key": "tem/po+rary"}


@pytest.fixture(scope="module")
def emulator():
    demo = f"{DEMO_ACCESS_KEY_ID}:{DEMO_SECRET_ACCESS_KEY}"
    temporary = f"{TEMPORARY['aws_access_key_id']}:{TEMPORARY['aws_secret_access_key']}:{TOKEN}"
    with Emulator(
        [WEST, EAST], "--lenient", "--credential", demo, "--credential", temporary
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def healthy(request):
    yield
    if "emulator" in request.fixturenames:
        running = request.getfixturevalue("emulator")
        running.reset()
        running.mode(strict=False)


def client(emulator, region=WEST, tls=False, signed_for=None, read_timeout=20, **credentials):
    credentials = credentials or {
        "aws_access_key_id": DEMO_ACCESS_KEY_ID,
        "aws_secret_access_key": DEMO_SECRET_ACCESS_KEY,
    }
    return boto3.client(
        "bedrock-runtime",
        region_name=signed_for or region,
        endpoint_url=emulator.url(region, tls),
        verify=emulator.ca_file if tls else None,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout),
        **credentials,
    )


def messages(text):
    return [{"role": "user", "content": [{"text": text}]}]


def converse(emulator, text="hello", model=CLAUDE, **options):
    return client(emulator, **options).converse(modelId=model, messages=messages(text))


def stream(emulator, text="hello", model=CLAUDE, **options):
    response = client(emulator, **options).converse_stream(modelId=model, messages=messages(text))
    return response["stream"]


def error_of(call):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call()
    error = caught.value.response
    return (
        error["Error"]["Code"],
        error["ResponseMetadata"]["HTTPStatusCode"],
        error["Error"]["Message"],
    )


def anthropic(text):
    return json.dumps(
        {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 4000,
            "messages": [{"role": "user", "content": text}],
        }
    )


# Operations.


@pytest.mark.parametrize("tls", [False, True])
def test_converse_answers_with_echo_region_and_model(emulator, tls):
    response = converse(emulator, "what is up", tls=tls)
    text = response["output"]["message"]["content"][0]["text"]
    assert "what is up" in text and WEST in text and CLAUDE in text
    usage = response["usage"]
    cached = usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"] + cached
    (entry,) = emulator.quiet_log()
    assert entry["verified"] and entry["reason"] == "signature" and entry["usage_reported"]
    assert {name: entry["usage"][name] for name in usage} == usage


def test_converse_stream_has_every_event_in_its_order(emulator):
    events = list(stream(emulator, "count to three"))
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


def test_invoke_answers_in_anthropics_form_with_counts_in_headers(emulator):
    response = client(emulator).invoke_model(
        modelId=CLAUDE, body=anthropic("ping"), serviceTier="flex"
    )
    body = json.loads(response["body"].read())
    headers = response["ResponseMetadata"]["HTTPHeaders"]
    assert body["content"][0]["text"].endswith("ping")
    assert body["usage"]["input_tokens"] == int(headers["x-amzn-bedrock-input-token-count"])
    assert body["usage"]["output_tokens"] == int(headers["x-amzn-bedrock-output-token-count"])
    assert response["serviceTier"] == "flex"


def test_invoke_stream_is_anthropics_events_in_chunks(emulator):
    response = client(emulator).invoke_model_with_response_stream(
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


def test_count_tokens_counts(emulator):
    asked = {"converse": {"messages": messages("x" * 400)}}
    counted = client(emulator).count_tokens(modelId=CLAUDE.removeprefix("us."), input=asked)
    assert counted["inputTokens"] > 100
    with pytest.raises(
        client(emulator).exceptions.ValidationException, match="doesn't support counting tokens"
    ):
        client(emulator).count_tokens(modelId=CLAUDE, input=asked)


def test_embeddings_report_their_tokens(emulator):
    response = client(emulator).invoke_model(
        modelId="amazon.titan-embed-text-v2:0", body=json.dumps({"inputText": "embed me"})
    )
    assert len(json.loads(response["body"].read())["embedding"]) == 32


@pytest.mark.parametrize("arn", ARNS)
def test_every_kind_of_arn_is_signed_and_served(emulator, arn):
    assert arn in converse(emulator, model=arn)["output"]["message"]["content"][0]["text"]
    (entry,) = emulator.quiet_log()
    assert entry["model"] == arn and "%2F" in entry["path"]


def test_service_tier_and_latency_come_back_when_asked_for(emulator):
    response = client(emulator).converse(
        modelId=CLAUDE,
        messages=messages("x"),
        serviceTier={"type": "priority"},
        performanceConfig={"latency": "optimized"},
    )
    assert response["serviceTier"] == {"type": "priority"} and response["performanceConfig"] == {
        "latency": "optimized"
    }


def test_max_tokens_ends_the_answer(emulator):
    response = client(emulator).converse(
        modelId=CLAUDE, messages=messages("x"), inferenceConfig={"maxTokens": 2}
    )
    assert response["stopReason"] == "max_tokens" and response["usage"]["outputTokens"] == 2


def test_usage_varies_from_request_to_request(emulator):
    usages = [converse(emulator, f"request {n}")["usage"] for n in range(30)]
    ttls = {detail["ttl"] for usage in usages for detail in usage.get("cacheDetails", [])}
    assert ttls == {"5m", "1h"}
    assert any("cacheReadInputTokens" not in usage for usage in usages)


def test_concurrent_requests_each_get_their_own_answer(emulator):
    def ask(n):
        return (
            f"question {n:03}."
            in converse(emulator, f"question {n:03}.")["output"]["message"]["content"][0]["text"]
        )

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(64)))
    assert emulator.summary()[WEST]["verified"] == 64


def test_the_digest_of_the_body_is_in_log_and_header(emulator):
    body = anthropic("x" * 1_000_000)
    response = client(emulator).invoke_model(modelId=CLAUDE, body=body)
    digest = hashlib.sha256(body.encode()).hexdigest()
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
        (TEMPORARY, "UnrecognizedClientException", "wrong security token"),
        (
            {**TEMPORARY, "aws_session_token": "other"},
            "UnrecognizedClientException",
            "wrong security token",
        ),
    ],
)
def test_a_request_that_is_not_right_is_refused_as_aws_does(emulator, options, code, reason):
    emulator.mode(hostile=True)
    found, status, _ = error_of(lambda: converse(emulator, **options))
    assert (found, status) == (code, 403)
    (entry,) = emulator.quiet_log()
    assert (
        entry["verified"] is False
        and entry["reason"] == reason
        and entry["expected_to_verify"] is False
    )
    assert emulator.summary()[WEST]["refused"] == {reason: 1}


def test_a_session_token_that_is_right_is_believed(emulator):
    converse(emulator, aws_session_token=TOKEN, **TEMPORARY)
    (entry,) = emulator.quiet_log()
    assert entry["verified"] and TOKEN not in json.dumps(entry)


@pytest.mark.parametrize("minutes, reason", [(-6, "expired"), (6, "not yet current")])
def test_a_clock_that_is_off_is_refused(emulator, monkeypatch, minutes, reason):
    import datetime

    import botocore.auth

    emulator.mode(hostile=True)
    off = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: off)
    code, status, _ = error_of(lambda: converse(emulator))
    assert (code, status) == ("InvalidSignatureException", 403)
    assert emulator.quiet_log()[0]["reason"] == reason


def test_a_known_api_key_is_believed_over_tls(emulator, monkeypatch):
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


def test_another_bearer_is_refused_with_awss_words(emulator, monkeypatch):
    emulator.mode(hostile=True)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "sk-1234")
    caller = boto3.session.Session().client(
        "bedrock-runtime",
        region_name=WEST,
        endpoint_url=emulator.url(WEST, tls=True),
        verify=emulator.ca_file,
    )
    code, status, text = error_of(lambda: caller.converse(modelId=CLAUDE, messages=messages("x")))
    assert (code, status) == ("AccessDeniedException", 403) and text.startswith(
        "Invalid API Key format"
    )
    (entry,) = emulator.quiet_log()
    assert "virtual key in header authorization" in entry[
        "violations"
    ] and "sk-1234" not in json.dumps(entry)


def test_an_unsigned_request_is_refused(emulator):
    emulator.mode(hostile=True)
    connection = http.client.HTTPConnection(emulator.address(WEST))
    connection.request("POST", f"/model/{CLAUDE}/converse", "{}")
    response = connection.getresponse()
    assert (response.status, response.headers["x-amzn-errortype"]) == (
        403,
        "MissingAuthenticationTokenException",
    )
    assert response.headers["x-amzn-requestid"] and json.loads(response.read())["Message"]


def test_sdk_headers_are_violations_and_refused_when_strict(emulator):
    converse(emulator)
    assert "header amz-sdk-invocation-id" in emulator.quiet_log()[0]["violations"]
    emulator.mode(strict=True)
    code, status, text = error_of(lambda: converse(emulator))
    assert (code, status) == ("ValidationException", 400) and "amz-sdk-request" in text


def test_an_unknown_model_and_the_arn_of_another_region_are_invalid(emulator):
    for model in ["no.such-model", ARNS[0].replace(WEST, EAST)]:
        found = error_of(functools.partial(converse, emulator, model=model))
        message = "The provided model identifier is invalid."
        assert found == ("ValidationException", 400, message)


def test_wrong_bodies_are_refused_as_bedrock_does(emulator):
    plain = client(emulator)
    assert error_of(lambda: plain.converse(modelId=CLAUDE, messages=[]))[:2] == (
        "ValidationException",
        400,
    )
    assert error_of(lambda: plain.invoke_model(modelId=CLAUDE, body="not json"))[:2] == (
        "ValidationException",
        400,
    )
    too_large = anthropic("x" * 25_000_000)
    assert error_of(lambda: plain.invoke_model(modelId=CLAUDE, body=too_large))[1] == 413


# Faults.


@pytest.mark.parametrize(
    "status, code",
    [
        (400, "ValidationException"),
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
        (408, "ModelTimeoutException"),
        (424, "ModelErrorException"),
        (429, "ThrottlingException"),
        (500, "InternalServerException"),
        (502, "502"),
        (503, "ServiceUnavailableException"),
    ],
)
def test_a_status_fault_is_bedrocks_error_for_the_next_requests_only(emulator, status, code):
    emulator.fault("status", status=status, count=1, region=WEST)
    converse(emulator, region=EAST)
    assert error_of(lambda: converse(emulator))[:2] == (code, status)
    converse(emulator)
    assert [entry["fault"] for entry in emulator.quiet_log()] == [None, "status", None]


def test_faults_can_be_for_a_model_an_operation_or_a_key(emulator):
    emulator.fault("status", status=429, model="amazon.nova-lite-v1:0")
    emulator.fault("status", status=500, operation="converse-stream")
    emulator.fault("status", status=503, access_key_id=TEMPORARY["aws_access_key_id"])
    converse(emulator)
    assert error_of(lambda: converse(emulator, model="amazon.nova-lite-v1:0"))[1] == 429
    assert error_of(lambda: stream(emulator))[1] == 500
    assert error_of(lambda: converse(emulator, aws_session_token=TOKEN, **TEMPORARY))[1] == 503


def test_a_refused_region_takes_no_connection_until_it_is_cleared(emulator):
    pooled = client(emulator)
    pooled.converse(modelId=CLAUDE, messages=messages("x"))
    emulator.fault("refused", region=WEST)
    for tls in [False, True]:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", emulator.port(WEST, tls)))
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        pooled.converse(modelId=CLAUDE, messages=messages("x"))
    converse(emulator, region=EAST)
    emulator.clear_faults()
    converse(emulator)


@pytest.mark.parametrize("kind", ["reset", "reset_after_request_headers"])
def test_a_reset_comes_before_any_answer(emulator, kind):
    emulator.fault(kind, count=1)
    with pytest.raises(botocore.exceptions.ConnectionClosedError, match=r"reset|closed"):
        converse(emulator)
    (entry,) = emulator.quiet_log()
    assert entry["status"] is None and entry["ended"] == "fault"
    assert entry["verified"] is (True if kind == "reset" else None)


@pytest.mark.parametrize("tls", [False, True])
def test_a_cut_stream_breaks_off_and_reports_no_usage(emulator, tls):
    emulator.fault("cut", after_events=3, count=1)
    seen = []
    with pytest.raises(BROKEN):
        for event in stream(emulator, tls=tls):
            seen.append(event)
    assert len(seen) == 3
    (entry,) = emulator.quiet_log()
    assert entry["ended"] == "fault" and entry["usage"] and not entry["usage_reported"]


def test_a_cut_answer_breaks_off_in_its_middle(emulator):
    emulator.fault("cut", count=1)
    with pytest.raises(botocore.exceptions.BotoCoreError):
        converse(emulator)
    assert emulator.quiet_log()[0]["usage_reported"] is False


def test_an_exception_comes_inside_a_stream(emulator):
    emulator.fault("exception", after_events=2, error_type="modelStreamErrorException", count=1)
    seen = []
    with pytest.raises(botocore.exceptions.EventStreamError, match="modelStreamErrorException"):
        for event in stream(emulator):
            seen.append(event)
    assert len(seen) == 2 and emulator.quiet_log()[0]["error_type"] == "modelStreamErrorException"


def test_a_corrupt_frame_does_not_pass_its_checksum(emulator):
    emulator.fault("corrupt_frame", after_events=1, count=1)
    with pytest.raises(botocore.eventstream.ChecksumMismatch):
        list(stream(emulator))


def test_a_stalled_stream_has_its_first_events_and_no_end(emulator):
    emulator.fault("stall", after_events=2, count=1)
    seen = []
    with pytest.raises(BROKEN):
        for event in stream(emulator, read_timeout=0.3):
            seen.append(event)
    assert len(seen) == 2
    assert [entry["ended"] for entry in emulator.quiet_log()] == ["client_gone"]


def test_counts_in_headers_are_reported_though_the_answer_breaks_off(emulator):
    emulator.fault("cut")
    with pytest.raises(BROKEN):
        converse(emulator)
    with pytest.raises(BROKEN):
        client(emulator).invoke_model(modelId=CLAUDE, body=anthropic("ping"))["body"].read()
    assert [entry["usage_reported"] for entry in emulator.quiet_log()] == [False, True]


def test_slow_and_silent_answers_come_late(emulator):
    emulator.fault("slow", delay_ms=300, count=1)
    converse(emulator)
    emulator.fault("silent_start", delay_ms=300, count=1)
    list(stream(emulator))
    slow, silent = emulator.quiet_log()
    assert slow["headers_unix_ms"] - slow["received_unix_ms"] >= 300
    assert silent["frames_unix_ms"][0] - silent["headers_unix_ms"] >= 299


@pytest.mark.parametrize("kind", ["hang", "silent_start"])
def test_a_client_that_gives_up_is_noticed(emulator, kind):
    emulator.fault(kind, count=1)
    with pytest.raises(BROKEN):
        list(stream(emulator, read_timeout=0.3))
    (entry,) = emulator.quiet_log()
    assert (
        entry["ended"] == "client_gone"
        and entry["client_gone_unix_ms"]
        and not entry["usage_reported"]
    )


def test_a_blackhole_swallows_connections_until_it_is_cleared(emulator):
    emulator.fault("blackhole", region=WEST)
    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        converse(emulator, read_timeout=0.3)
    emulator.clear_faults()
    converse(emulator)


def test_pace_sets_the_number_and_distance_of_events(emulator):
    emulator.pace(events=20, interval_ms=20, operation="converse-stream")
    assert len(list(stream(emulator))) == 24
    sent = emulator.quiet_log()[0]["frames_unix_ms"]
    assert sent[-1] - sent[0] >= 23 * 20 - 5
    emulator.pace(response_bytes=100_000)
    assert len(converse(emulator)["output"]["message"]["content"][0]["text"]) >= 100_000


# The command.


def test_a_journal_has_every_entry(tmp_path):
    journal = tmp_path / "journal.jsonl"
    with Emulator([WEST], "--lenient", env={"BEDROCK_EMULATOR_JOURNAL": str(journal)}) as running:
        converse(running)
        list(stream(running))
        assert running.stop() == 0
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [entry["operation"] for entry in entries] == ["converse", "converse-stream"]
    assert all(entry["verified"] and entry["expected_to_verify"] for entry in entries)


def test_a_journal_shows_what_should_not_have_been_sent(tmp_path):
    journal = tmp_path / "journal.jsonl"
    wrong = {"aws_access_key_id": DEMO_ACCESS_KEY_ID, "aws_secret_access_key": "wrong"}
    with Emulator([WEST], "--lenient", "--journal", str(journal)) as running:
        running.mode(hostile=True)
        error_of(lambda: converse(running, **wrong))
        assert judge(journal) == []
        running.mode(hostile=False)
        error_of(lambda: converse(running, **wrong))
        converse(running)
    found = judge(journal)
    assert [entry["reason"] for entry in found] == ["wrong signature", "signature"]
    assert found[1]["violations"]


def test_the_summary_sums_what_was_reported_and_nothing_else(emulator):
    first = converse(emulator)["usage"]
    second = list(stream(emulator))[-1]["metadata"]["usage"]
    emulator.fault("cut", after_events=2, count=1)
    with pytest.raises(BROKEN):
        list(stream(emulator))
    emulator.quiet_log()
    summary = emulator.summary()[WEST]
    assert summary["seen"] == 3 and summary["reported"]["answers"] == 2
    assert summary["reported"]["input_tokens"] == first["inputTokens"] + second["inputTokens"]
    assert summary["reported"]["output_tokens"] == first["outputTokens"] + second["outputTokens"]


def test_a_port_that_is_taken_is_named():
    with Emulator([WEST]) as running:
        taken = running.port(WEST)
        with pytest.raises(RuntimeError, match=f"http of {EAST}.*{taken}"):
            Emulator([f"{EAST}={taken}"])


def test_the_control_api_says_what_is_wrong(emulator):
    for wrong in [
        lambda: emulator.fault("nonsense"),
        lambda: emulator.fault("status", region="mars", status=429),
        lambda: emulator.pace(events=1_000_000),
        lambda: emulator.mode(other=True),
    ]:
        with pytest.raises(RuntimeError, match=r"expected|unknown"):
            wrong()


def test_garbage_on_the_wire_leaves_it_healthy(emulator):
    for garbage in [
        b"\0\1\2",
        b"GET / HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
        b"POST /model/%zz/converse HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab",
    ]:
        with socket.create_connection(("127.0.0.1", emulator.port(WEST))) as raw:
            raw.sendall(garbage)
            time.sleep(0.05)
    converse(emulator)

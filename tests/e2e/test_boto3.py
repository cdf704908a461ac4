"""boto3, over TLS with a bearer token and over HTTP with the proxy key as access key id."""

import json

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

import direct
from clients import anthropic, boto, messages, post, streamed_text, text_of
from deployments import CLAUDE, EAST, PROFILE, WEST, Parameters
from gateway import KEY, Gateway, config

ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=20)


@pytest.fixture(params=["bearer over TLS", "access key id over http"])
def caller(request, gateway, ca_file, monkeypatch):
    if request.param == "access key id over http":
        return boto(gateway)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(ca_file))
    return boto3.session.Session().client(
        "bedrock-runtime", region_name=WEST, endpoint_url=f"{gateway.tls_url}/bedrock", config=ONCE
    )


def test_every_operation_works(caller, bedrock):
    assert text_of(caller.converse(modelId="both", messages=messages("one."))).endswith("one.")
    stream = caller.converse_stream(modelId="both", messages=messages("two."))["stream"]
    assert streamed_text(stream).endswith("two.")
    response = caller.invoke_model(modelId="both", body=anthropic("three."))
    assert json.loads(response["body"].read())["content"][0]["text"].endswith("three.")
    response = caller.invoke_model_with_response_stream(modelId="both", body=anthropic("four."))
    events = [json.loads(event["chunk"]["bytes"]) for event in response["body"]]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta["text"] for delta in deltas).endswith("four.")
    counted = caller.count_tokens(
        modelId="both", input={"converse": {"messages": messages("five" * 100)}}
    )
    assert counted["inputTokens"] > 50
    seen = bedrock.quiet_log()
    assert [entry["operation"] for entry in seen] == [
        "converse",
        "converse-stream",
        "invoke",
        "invoke-with-response-stream",
        "count-tokens",
    ]
    assert all(entry["verified"] and entry["reason"] == "signature" for entry in seen)


def test_tokens_are_counted_by_the_foundation_model(caller, bedrock):
    counted = {"converse": {"messages": messages("count me")}}
    assert caller.count_tokens(modelId="only-west", input=counted)["inputTokens"] > 0
    caller.converse(modelId="only-west", messages=messages("ask me"))
    assert [(entry["operation"], entry["model"]) for entry in bedrock.quiet_log()] == [
        ("count-tokens", CLAUDE.removeprefix("us.")),
        ("converse", CLAUDE),
    ]


def test_counting_tokens_for_a_profile_of_unknown_model_is_a_validation_exception(caller, bedrock):
    with pytest.raises(caller.exceptions.ValidationException, match=r"Set model_info\.base_model"):
        caller.count_tokens(
            modelId="profile", input={"converse": {"messages": messages("count me")}}
        )
    assert bedrock.quiet_log() == []


def test_an_alias_may_contain_a_slash_and_a_colon(caller):
    response = caller.converse(modelId="team/alias:1", messages=messages("x"))
    assert text_of(response).startswith(f"{CLAUDE} in {WEST}")


def test_an_arn_is_signed_as_one_path_segment(caller, bedrock):
    assert PROFILE in text_of(caller.converse(modelId="profile", messages=messages("x")))
    (entry,) = bedrock.quiet_log()
    assert entry["model"] == PROFILE and "%3A" in entry["path"] and "%2F" in entry["path"]


def test_embeddings_and_temporary_credentials_and_api_keys_work(caller, bedrock):
    response = caller.invoke_model(modelId="titan", body=json.dumps({"inputText": "embed me"}))
    assert len(json.loads(response["body"].read())["embedding"]) == 32
    caller.converse(modelId="temporary", messages=messages("x"))
    caller.converse(modelId="api-key", messages=messages("x"))
    assert [entry["reason"] for entry in bedrock.quiet_log()] == [
        "signature",
        "signature",
        "api key",
    ]


def test_service_tier_and_latency_reach_bedrock(caller, bedrock):
    response = caller.converse(
        modelId="both",
        messages=messages("x"),
        serviceTier={"type": "priority"},
        performanceConfig={"latency": "optimized"},
    )
    assert response["serviceTier"] == {"type": "priority"}
    assert response["performanceConfig"] == {"latency": "optimized"}
    response = caller.invoke_model(modelId="both", body=anthropic("x"), serviceTier="flex")
    assert response["serviceTier"] == "flex"


@pytest.mark.parametrize("status, name", direct.ERROR_TYPES.items())
@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_bedrocks_errors_are_raised_as_their_types(gateway, bedrock, status, name, operation):
    bedrock.fault("status", status=status, message="from the emulator")
    caller = boto(gateway)
    with pytest.raises(getattr(caller.exceptions, name)) as caught:
        getattr(caller, operation)(modelId="both", messages=messages("x"))
    error = caught.value.response
    assert error["Error"] == {"Code": name, "Message": "from the emulator"}
    assert error["ResponseMetadata"]["HTTPStatusCode"] == status
    assert error["ResponseMetadata"]["RequestId"] == bedrock.quiet_log()[-1]["request_id"]


def test_an_unknown_model_is_a_validation_exception(caller, bedrock):
    with pytest.raises(caller.exceptions.ValidationException, match="no-such-model") as caught:
        caller.converse(modelId="no-such-model", messages=messages("x"))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert bedrock.quiet_log() == []


def test_the_refusal_of_an_unknown_model_says_how_to_allow_it(gateway, bedrock):
    response = post(gateway, CLAUDE)
    assert (response.status, response.error_type) == (400, "ValidationException")
    for word in [CLAUDE, "model_list", 'model_name "*"', "us.anthropic.*", "bedrock/*"]:
        assert word in response.json["message"]
    assert bedrock.quiet_log() == []


@pytest.mark.parametrize(
    "name, model", [("*", "bedrock/*"), ("us.anthropic.*", "bedrock/us.anthropic.*")]
)
def test_the_advice_in_that_refusal_works(shared_emulator, bedrock, name, model):
    at = Parameters(shared_emulator)
    with Gateway(config([(name, {**at(WEST), "model": model})])) as running:
        response = boto(running).converse(modelId=CLAUDE, messages=messages("x"))
    assert f"{CLAUDE} in {WEST}" in text_of(response)


def test_a_body_that_is_too_large_is_a_validation_exception(gateway, bedrock):
    caller = boto(gateway)
    with pytest.raises(caller.exceptions.ValidationException) as caught:
        caller.invoke_model(modelId="both", body=b"x" * (33 * 1024 * 1024))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert bedrock.quiet_log() == []


@pytest.mark.parametrize("model", ["both", "no-such-model"])
def test_a_wrong_key_is_unrecognized_whether_or_not_the_model_exists(gateway, bedrock, model):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        boto(gateway, key="sk-wrong").converse(modelId=model, messages=messages("x"))
    error = caught.value.response
    assert error["Error"]["Code"] == "UnrecognizedClientException"
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 401
    assert "sk-wrong" not in json.dumps(error) and model not in error["Error"]["Message"]
    assert bedrock.quiet_log() == []


def test_an_exception_inside_a_stream_is_raised(gateway, bedrock):
    bedrock.fault("exception", after_events=2, error_type="throttlingException")
    seen = []
    response = boto(gateway).converse_stream(modelId="both", messages=messages("x"))
    with pytest.raises(botocore.exceptions.EventStreamError, match="throttlingException"):
        for event in response["stream"]:
            seen.append(event)
    assert len(seen) == 2 and len(bedrock.quiet_log()) == 1


@pytest.mark.parametrize(
    "header", ["x-api-key", "api-key", "x-litellm-api-key", "litellm_user_api_key"]
)
def test_a_key_header_is_accepted_next_to_a_signature_with_aws_keys(gateway, bedrock, header):
    """A client that finds AWS keys in its environment also gets the proxy key as a header."""
    for key, is_good in [(KEY, True), ("sk-wrong", False)]:
        caller = boto(gateway, key="AKIAIOSFODNN7EXAMPLE")
        caller.meta.events.register(
            "before-send.bedrock-runtime.*",
            lambda request, key=key, **_: request.headers.update({header: key}),
        )
        if is_good:
            caller.converse(modelId="both", messages=messages("x"))
        else:
            with pytest.raises(
                botocore.exceptions.ClientError, match="UnrecognizedClientException"
            ):
                caller.converse(modelId="both", messages=messages("x"))
    (entry,) = bedrock.quiet_log()
    assert header not in [name for name, _ in entry["headers"]]


@pytest.mark.parametrize("prefix", ["/", "/bedrock/", "//bedrock//"])
def test_an_endpoint_with_a_trailing_slash_works(gateway, bedrock, prefix):
    for operation in ["converse", "converse-stream"]:
        assert post(gateway, "team/alias:1", operation, prefix=prefix).status == 200
        assert post(gateway, "team/alias:1", operation, prefix=prefix, key=None).status == 401
    assert {entry["path"].count("//") for entry in bedrock.quiet_log()} == {0}


def test_the_path_without_bedrock_works_too(gateway):
    response = boto(gateway, prefix="").converse(modelId="east-first", messages=messages("x"))
    assert f"in {EAST}" in text_of(response)

"""The demo with the emulator: `docker compose --env-file deploy/emulator.env up`."""

import json
import subprocess
import time

import boto3
import botocore.config
import pytest

from stack import DEMO

MODEL = "my-bedrock-model"
KEY = "sk-1234"
BODY = (
    '{"messages":[{"role":"user","content":[{"text":"Hello, how are you?"}]}],'
    '"inferenceConfig":{"temperature":0.5,"maxTokens":100}}'
)


def curl(operation: str) -> bytes:
    """The README's command, with its status checked."""
    command = ["curl", "-sS", "--fail-with-body", "--max-time", "20", "-X", "POST"]
    command += [f"http://0.0.0.0:4000/bedrock/model/{MODEL}/{operation}", "-d", BODY]
    command += ["-H", f"Authorization: Bearer {KEY}", "-H", "Content-Type: application/json"]
    result = subprocess.run(command, capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def bedrock():
    """boto3 over plain HTTP, with the proxy key as access key id."""
    return boto3.client(
        "bedrock-runtime",
        endpoint_url="http://127.0.0.1:4000/bedrock",
        region_name="us-west-2",
        aws_access_key_id=KEY,
        aws_secret_access_key="any",
        config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=20),
    )


def converse(bedrock) -> dict:
    return bedrock.converse(
        modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hello"}]}]
    )


def logged(demo, request_id: str) -> dict:
    """The row of a request in Envoy's log, once Envoy has written it."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        entries = [
            json.loads(line) for line in demo.logs("envoy").splitlines() if line.startswith("{")
        ]
        for entry in entries:
            if entry.get("x_amzn_requestid") == request_id:
                return entry
        time.sleep(0.2)
    pytest.fail(f"Envoy's log has {len(entries)} rows, but none of request {request_id}")


def assert_all_verified(entries):
    assert entries, "no request reached the emulator"
    wrong = [entry for entry in entries if not entry["verified"] or entry["violations"]]
    assert not wrong, wrong


def test_curl_converses(control):
    response = json.loads(curl("converse"))
    assert response["output"]["message"]["role"] == "assistant"
    assert_all_verified(control.log())


def test_curl_receives_a_stream(control):
    stream = curl("converse-stream")
    assert b"messageStart" in stream and b"messageStop" in stream
    assert_all_verified(control.log())


def test_boto3_converses(control, bedrock):
    assert converse(bedrock)["usage"]["totalTokens"] > 0
    assert_all_verified(control.log())


def test_boto3_receives_a_stream(control, bedrock):
    response = bedrock.converse_stream(
        modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hello"}]}]
    )
    kinds = [kind for event in response["stream"] for kind in event]
    assert kinds[0] == "messageStart" and "messageStop" in kinds and kinds[-1] == "metadata"
    assert_all_verified(control.log())


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 429}, {"kind": "refused"}], ids=["throttled", "refusing"]
)
@pytest.mark.parametrize("region", ["us-west-2", "us-east-1"])
def test_clients_do_not_notice_a_failing_region(control, bedrock, region, fault):
    control.fault(**fault, match={"region": region})
    for _ in range(10):
        assert converse(bedrock)["output"]
    entries = control.log()
    assert_all_verified([entry for entry in entries if entry["region"] != region])
    answered = [entry["region"] for entry in entries if entry["status"] == 200]
    assert len(answered) == 10 and region not in answered, entries
    if fault["kind"] == "status":
        assert any(entry["region"] == region for entry in entries), (
            "no attempt went to the failing region"
        )


def test_a_request_with_a_wrong_key_does_not_reach_bedrock(control, bedrock):
    other = boto3.client(
        "bedrock-runtime",
        endpoint_url="http://127.0.0.1:4000/bedrock",
        region_name="us-west-2",
        aws_access_key_id="sk-wrong",
        aws_secret_access_key="any",
    )
    with pytest.raises(other.exceptions.ClientError) as refused:
        converse(other)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 401
    assert control.log() == []
    assert converse(bedrock)["output"]


def test_secrets_are_only_in_the_environment_of_envoy(demo, bedrock):
    curl("converse")
    last = converse(bedrock)
    logged(demo, last["ResponseMetadata"]["RequestId"])
    variables = dict(
        line.split("=", 1) for line in DEMO.read_text().splitlines() if line[:1] not in ("", "#")
    )
    secrets = [variables["EMULATOR_SECRET_ACCESS_KEY"], variables["LITELLM_MASTER_KEY"]]
    of_envoy = demo.inspect("envoy")
    environment = of_envoy["Config"].pop("Env")
    places = {
        "inspect envoy": json.dumps(of_envoy),
        "inspect emulator": json.dumps(demo.inspect("emulator")),
        "logs envoy": demo.logs("envoy"),
        "logs emulator": demo.logs("emulator"),
    }
    for secret in secrets:
        assert any(line.endswith("=" + secret) for line in environment), (
            "the secret is not in Envoy's environment"
        )
        assert [place for place, text in places.items() if secret in text] == []


def test_a_variable_that_is_not_set_is_not_passed_to_envoy(demo):
    environment = demo.execute(
        "envoy", "while IFS= read -r -d '' line; do echo \"$line\"; done < /proc/1/environ"
    )
    names = {line.split("=", 1)[0] for line in environment.splitlines()}
    assert "LITELLM_MASTER_KEY" in names
    assert names.isdisjoint({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}), (
        names
    )


def test_requests_are_logged_to_standard_output(demo, bedrock):
    entry = logged(demo, converse(bedrock)["ResponseMetadata"]["RequestId"])
    assert (entry["http_status"], entry["call_type"], entry["model_group"]) == (
        200,
        "converse",
        MODEL,
    )


@pytest.mark.parametrize("service", ["envoy", "emulator"])
def test_a_service_has_no_privileges(demo, service):
    script = "while IFS=$'\\t' read -r name value _; do echo \"$name$value\"; done < /proc/1/status"
    status = dict(line.split(":", 1) for line in demo.execute(service, script).splitlines())
    assert int(status["CapEff"], 16) == 0 and int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Uid"] != "0"
    writable = demo.execute(service, "(: > /tmp/file) 2>/dev/null && echo writable || true")
    assert writable == "", "the root file system is writable"

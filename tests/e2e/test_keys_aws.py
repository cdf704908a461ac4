"""AWS pairs of virtual keys: clients sign as for AWS, and the gateway verifies their signatures."""

import datetime
import http.client
import json
import secrets
import subprocess
import urllib.parse

import boto3
import botocore.auth
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from clients import curl, messages, question, streamed_text, text_of
from emulator import ROOT
from gateway import KEY, command_line
from supervised import Supervised, eventually
from test_keys import MODELS, Keys

SEALING_KEY = "ENVOY_BEDROCK_SEALING_KEY"
# A group whose requests are not hashed for Bedrock, and one whose bodies are changed.
CONFIG = f"""model_list:{MODELS}
  - model_name: keyed
    litellm_params:
      model: bedrock/anthropic.claude-v2:1
      aws_region_name: us-west-2
      api_key: os.environ/BEDROCK_API_KEY
  - model_name: "guarded:1"
    litellm_params:
      model: bedrock/anthropic.claude-v2:1
      aws_region_name: us-west-2
      guardrailConfig: {{guardrailIdentifier: gr7x2kq9p4aa, guardrailVersion: "3"}}
envoy_bedrock: {{keys_file: keys.json}}
"""
ALL = ["claude", "nova", "keyed", "guarded:1"]


@pytest.fixture(scope="module")
def sealing_key():
    return secrets.token_hex(32)


@pytest.fixture(scope="module")
def keys(tmp_path_factory, sealing_key):
    config = tmp_path_factory.mktemp("aws") / "config.yaml"
    config.write_text(CONFIG)
    return Keys(config, {SEALING_KEY: sealing_key})


@pytest.fixture(scope="module")
def pair(keys):
    return keys.json("new", "--alias", "signer", "--aws")


@pytest.fixture(scope="module")
def gateway(keys, pair, sealing_key):
    with Supervised(config=keys.config, env={SEALING_KEY: sealing_key}) as running:
        yield running


def tls(gateway) -> dict:
    port = gateway.wait_for(r"https://[^: ]+:(\d+)").group(1)
    return {
        "endpoint_url": f"https://localhost:{port}/bedrock",
        "verify": str(gateway.folder / "tls" / "ca.pem"),
    }


def client(gateway, pair, **more):
    return boto3.client(
        "bedrock-runtime",
        **{
            "region_name": "eu-central-1",
            "endpoint_url": f"{gateway.url}/bedrock",
            "aws_access_key_id": pair["aws_access_key_id"],
            "aws_secret_access_key": pair["aws_secret_access_key"],
            "config": Config(retries={"total_max_attempts": 1}),
            **more,
        },
    )


def refusal(gateway, pair, model="claude", **more) -> tuple:
    """The status and the error of a request."""
    try:
        client(gateway, pair, **more).converse(modelId=model, messages=messages("who am I"))
    except ClientError as error:
        response = error.response
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]
    return 200, None


def works(gateway, pair) -> bool:
    return refusal(gateway, pair) == (200, None)


def signed(gateway, pair, path="/bedrock/model/claude/converse", body=None, method="POST", **more):
    """A request that botocore has signed: method, path, headers and body."""
    body = question("who am I") if body is None else body
    headers = {"content-type": "application/json", **more}
    request = AWSRequest(method, gateway.url + path, data=body, headers=headers)
    credentials = Credentials(pair["aws_access_key_id"], pair["aws_secret_access_key"])
    SigV4Auth(credentials, "bedrock", "eu-central-1").add_auth(request)
    return method, path, dict(request.headers.items()), body


def send(gateway, method, path, headers, body) -> tuple:
    """Sends exactly this, and returns the status and the type of the error."""
    opened = http.client.HTTPConnection(urllib.parse.urlsplit(gateway.url).netloc, timeout=30)
    opened.request(method, path, body, headers)
    response = opened.getresponse()
    found = response.status, response.headers["x-amzn-errortype"]
    response.read()
    opened.close()
    return found


@pytest.mark.parametrize("transport", ["http", "https"])
@pytest.mark.parametrize("model", ALL)
def test_boto3_signs_as_usual(gateway, pair, transport, model):
    more = tls(gateway) if transport == "https" else {}
    runtime = client(gateway, pair, **more)
    response = runtime.converse(modelId=model, messages=messages("hello there"))
    assert "hello there" in text_of(response)
    stream = runtime.converse_stream(modelId=model, messages=messages("hello there"))["stream"]
    assert "hello there" in streamed_text(stream)


def test_the_rows_of_signed_requests_are_those_of_the_key(gateway, pair):
    assert works(gateway, pair)

    def rows():
        return [row for row in gateway.rows() if row.get("key_alias") == "signer"]

    row = eventually(rows, "a row of the key")[0]
    assert row["api_key"] == pair["token"]


def test_curl_signs_as_usual(gateway, pair):
    done = curl(
        "--aws-sigv4",
        "aws:amz:us-west-2:bedrock",
        "--user",
        f"{pair['aws_access_key_id']}:{pair['aws_secret_access_key']}",
        "-H",
        "content-type: application/json",
        "-d",
        question("signed by curl").decode(),
        f"{gateway.url}/model/claude/converse",
    )
    assert "signed by curl" in text_of(json.loads(done.stdout))


def test_a_large_body_and_a_body_without_a_length_are_verified(gateway, pair):
    body = question("x" * 3_000_000)
    request = signed(gateway, pair, body=body)
    assert send(gateway, *request) == (200, None)
    method, path, headers, _ = request
    pieces = (body[start : start + 100_000] for start in range(0, len(body), 100_000))
    assert send(gateway, method, path, headers, pieces) == (200, None)
    changed = bytearray(body)
    changed[-10] ^= 1
    assert send(gateway, method, path, headers, bytes(changed)) == (
        403,
        "InvalidSignatureException",
    )


INVALID, UNKNOWN = "InvalidSignatureException", "UnrecognizedClientException"
INCOMPLETE = "IncompleteSignatureException"
DIGEST = "x-amz-content-sha256"


def replaced(old, new):
    """Changes the authorization header."""

    def change(method, path, headers, body):
        value = headers["Authorization"]
        assert old in value
        return method, path, {**headers, "Authorization": value.replace(old, new, 1)}, body

    return change


def with_header(name, value):
    return lambda method, path, headers, body: (method, path, {**headers, name: value}, body)


def other_signature(method, path, headers, body):
    value = headers["Authorization"]
    last = "1" if value[-1] == "0" else "0"
    return method, path, {**headers, "Authorization": value[:-1] + last}, body


def without_signature(method, path, headers, body):
    value, _, _ = headers["Authorization"].partition(", Signature=")
    return method, path, {**headers, "Authorization": value}, body


MUTATIONS = {
    "the signature": (other_signature, INVALID),
    "the region": (replaced("eu-central-1", "eu-central-2"), INVALID),
    "the service": (replaced("/bedrock/", "/s3/"), INVALID),
    "the signed headers": (replaced("content-type;", ""), INVALID),
    "no signed host": (replaced("host;", ""), INVALID),
    "no signed date": (replaced(";x-amz-date", ""), INVALID),
    "no signature": (without_signature, INCOMPLETE),
    "the method": (lambda method, *rest: ("PUT", *rest), INVALID),
    "the path": (lambda method, path, *rest: (method, path + "-stream", *rest), INVALID),
    "another model": (
        lambda method, path, *rest: (method, path.replace("claude", "nova"), *rest),
        INVALID,
    ),
    "the query": (lambda method, path, *rest: (method, path + "?a=b", *rest), INVALID),
    "the body": (lambda *request: (*request[:3], request[3] + b" "), INVALID),
    "no body": (lambda *request: (*request[:3], b""), INVALID),
    "the host": (with_header("Host", "localhost:1"), INVALID),
    "a signed header": (with_header("content-type", "text/plain"), INVALID),
    "the date": (with_header("X-Amz-Date", "20200101T000000Z"), INVALID),
    "a malformed date": (with_header("X-Amz-Date", "yesterday"), INCOMPLETE),
    "another x-amz header": (with_header("x-amz-more", "1"), INVALID),
    "a token": (with_header("x-amz-security-token", "token"), UNKNOWN),
    "an unsigned digest": (with_header(DIGEST, "0" * 64), INVALID),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_changed_request_is_refused(gateway, pair, mutation):
    change, expected = MUTATIONS[mutation]
    request = signed(gateway, pair)
    assert send(gateway, *request) == (200, None), "the request itself"
    assert send(gateway, *change(*request)) == (403, expected)


@pytest.mark.parametrize(
    "payload",
    [
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    ],
)
def test_a_signature_that_does_not_cover_the_body_is_refused(gateway, pair, payload):
    request = signed(gateway, pair, **{"X-Amz-Content-SHA256": payload})
    assert send(gateway, *request) == (403, INVALID)


def test_a_presigned_request_is_refused(gateway, pair):
    path = "/model/claude/converse?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00"
    body = question("who am I")
    assert send(gateway, "POST", path, {}, body) == (403, INVALID)
    assert send(gateway, *signed(gateway, pair, path)) == (403, INVALID)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_signature_of_another_time_is_refused(gateway, pair, minutes, monkeypatch):
    moved = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    moved += datetime.timedelta(minutes=minutes)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: moved, raising=False)
    request = signed(gateway, pair)
    assert request[2]["X-Amz-Date"] == moved.strftime("%Y%m%dT%H%M%SZ")
    assert send(gateway, *request) == (403, INVALID)


def test_boto3_sees_the_errors_of_aws(gateway, pair):
    wrong = {**pair, "aws_secret_access_key": pair["aws_secret_access_key"][::-1]}
    assert refusal(gateway, wrong) == (403, INVALID)
    unknown = {**pair, "aws_access_key_id": "EBAKAAAAAAAAAAAAAAAA"}
    assert refusal(gateway, unknown) == (403, UNKNOWN)
    assert refusal(gateway, pair, aws_session_token="token") == (403, UNKNOWN)


def test_an_access_key_id_alone_is_worth_nothing(gateway, pair, keys):
    access_key_id = pair["aws_access_key_id"]
    for headers in (
        {"authorization": f"Bearer {access_key_id}"},
        {"x-api-key": access_key_id},
        {"x-litellm-api-key": access_key_id},
    ):
        response = requests.get(f"{gateway.url}/key/info", headers=headers, timeout=10)
        assert response.status_code in (401, 403), headers
    body = b""
    request = signed(gateway, pair, "/key/info", body, "GET")
    assert send(gateway, *request) == (200, None)
    assert send(gateway, *other_signature(*request)) == (403, INVALID)
    # It does not say which models exist, or what is left of a limit.
    limited = keys.json("new", "--alias", "one-a-minute", "--aws", "--rpm-limit", "1")
    eventually(
        lambda: refusal(gateway, {**limited, "aws_secret_access_key": "x"})[1] == INVALID, "it"
    )
    for model in ("claude", "unknown", "guarded%3A1"):
        request = signed(gateway, limited, f"/model/{model}/converse", b"no json")
        assert send(gateway, *other_signature(*request)) == (403, INVALID), model
    assert works(gateway, limited), "the wrong signatures were not counted"
    assert refusal(gateway, limited) == (429, "ThrottlingException")


def test_a_pair_has_the_rights_of_its_key(gateway, keys):
    made = keys.json("new", "--alias", "only-nova", "--models", "nova", "--aws")
    eventually(lambda: refusal(gateway, made) == (403, "AccessDeniedException"), "the key")
    keys.run("block", "only-nova")
    eventually(lambda: refusal(gateway, made, "nova") == (401, UNKNOWN), "the key is blocked")
    keys.run("delete", "only-nova")
    eventually(lambda: refusal(gateway, made, "nova") == (403, UNKNOWN), "the key is deleted")


def test_rotation_replaces_the_pair(gateway, keys):
    first = keys.json("new", "--alias", "rotated", "--aws")
    eventually(lambda: works(gateway, first), "the first pair")
    second = keys.json("rotate", "rotated")
    assert second["aws_access_key_id"] != first["aws_access_key_id"]
    eventually(lambda: works(gateway, second), "the second pair")
    assert works(gateway, first), "for the grace time"
    third = keys.json("rotate", "rotated", "--grace", "0s")
    eventually(lambda: works(gateway, third), "the third pair")
    assert not works(gateway, first) and not works(gateway, second)
    assert "former access key" in keys.run("info", "rotated")


def test_the_secret_is_nowhere(gateway, pair, keys):
    secret = pair["aws_secret_access_key"]
    assert works(gateway, pair)
    shown = keys.run("info", "signer") + keys.run("list") + keys.run("--json", "list")
    dump = requests.get(f"{gateway.admin}/config_dump?include_eds", timeout=30).text
    assert secret not in shown + dump + gateway.output() + gateway.log()
    files = [*gateway.folder.rglob("*"), *keys.config.parent.iterdir()]
    files = [path for path in files if path.is_file()]
    assert not [path for path in files if secret in path.read_text("latin-1")]


def checked(config, env) -> str:
    done = subprocess.run(
        [command_line(), "check", config],
        capture_output=True,
        text=True,
        env={"LITELLM_MASTER_KEY": KEY, "BEDROCK_API_KEY": "x", **env},
        cwd=ROOT,
    )
    return done.stdout + done.stderr


def test_a_missing_or_other_sealing_key_is_reported(keys, pair, sealing_key):
    other = {SEALING_KEY: secrets.token_hex(32)}
    assert f"{SEALING_KEY} is unset" in checked(keys.config, {})
    assert "was sealed with the key in" in checked(keys.config, other)
    assert SEALING_KEY not in checked(keys.config, {SEALING_KEY: sealing_key})
    assert f"{SEALING_KEY} is not set" in Keys(keys.config).run("new", "--aws", code=1)
    assert "was sealed with another key" in Keys(keys.config, other).run("new", "--aws", code=1)

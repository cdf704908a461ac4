"""The curl commands of the documentation, over every version of HTTP."""

import hashlib
import json

import pytest

from clients import curl, question
from gateway import KEY

# The commands of the README, with another host, key and model.
BODY = """{"messages":[{"role":"user","content":[{"text":"Hello, how are you?"}]}],
           "inferenceConfig":{"temperature":0.5,"maxTokens":100}}"""
AS_PRINTED = [
    "-H",
    f"Authorization: Bearer {KEY}",
    "-H",
    "Content-Type: application/json",
    "-d",
    BODY,
]


def versions(gateway, ca_file) -> dict:
    """Arguments and base URL for each version of HTTP."""
    return {
        "HTTP/1.1": (["--http1.1"], gateway.url),
        "h2c with prior knowledge": (["--http2-prior-knowledge"], gateway.url),
        "HTTP/1.1 over TLS": (["--http1.1", "--cacert", ca_file], gateway.tls_url),
        "HTTP/2 by ALPN": (["--cacert", ca_file], gateway.tls_url),
    }


EXPECTED = {
    "HTTP/1.1": "1.1",
    "h2c with prior knowledge": "2",
    "HTTP/1.1 over TLS": "1.1",
    "HTTP/2 by ALPN": "2",
}


def test_the_printed_commands_work(gateway, bedrock):
    response = json.loads(
        curl("-X", "POST", f"{gateway.url}/bedrock/model/both/converse", *AS_PRINTED).stdout
    )
    assert response["output"]["message"]["content"][0]["text"].endswith("Hello, how are you?")
    stream = curl(
        "-X", "POST", f"{gateway.url}/bedrock/model/both/converse-stream", *AS_PRINTED
    ).stdout
    assert stream.count(b":event-type") > 5 and b"metadata" in stream
    assert [entry["status"] for entry in bedrock.quiet_log()] == [200, 200]


@pytest.mark.parametrize("version", EXPECTED)
def test_every_version_of_http_works(gateway, bedrock, ca_file, version):
    arguments, base = versions(gateway, ca_file)[version]
    response = curl(
        *arguments, "-w", "\n%{http_version}", f"{base}/model/both/converse", *AS_PRINTED
    ).stdout
    body, _, spoken = response.rpartition(b"\n")
    assert json.loads(body)["output"] and spoken.decode() == EXPECTED[version]
    curl(*arguments, "--fail", f"{base}/model/both/converse-stream", *AS_PRINTED)
    refused = curl(
        *arguments, "-w", "\n%{http_code}", f"{base}/model/both/converse", *AS_PRINTED[2:]
    ).stdout
    assert refused.endswith(b"\n401") and len(bedrock.quiet_log()) == 2


@pytest.mark.parametrize("version", EXPECTED)
@pytest.mark.parametrize("how", ["with its length", "expecting 100-continue", "without a length"])
def test_large_uploads_arrive_complete(gateway, bedrock, ca_file, tmp_path, version, how):
    arguments, base = versions(gateway, ca_file)[version]
    body = question("x" * 3_000_000)
    upload = tmp_path / "body"
    upload.write_bytes(body)
    more = {
        "with its length": ["-H", "Expect:", "-T", upload],
        "expecting 100-continue": ["-H", "Expect: 100-continue", "-T", upload],
        "without a length": ["-T", "-"],
    }[how]
    curl(
        *arguments,
        *AS_PRINTED[:4],
        *more,
        "--fail",
        "-X",
        "POST",
        f"{base}/model/both/converse",
        stdin=body,
    )
    (entry,) = bedrock.quiet_log()
    assert entry["body_sha256"] == hashlib.sha256(body).hexdigest() and entry["verified"]

"""The gateway alone, with AWS credentials: `docker compose up` with the committed envoy.yaml."""

import re

import pytest
import requests

from stack import ROOT, Stack

PORT = 4010
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "AKIACOMPOSETEST00001",
    "AWS_SECRET_ACCESS_KEY": "compose+test/secret/that/opens/nothing",
    "LITELLM_MASTER_KEY": "sk-compose-test",
}


def dotenv(scratch, variables) -> str:
    path = scratch / "dotenv"
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    return path


def post(key: str) -> requests.Response:
    return requests.post(
        f"http://127.0.0.1:{PORT}/bedrock/model/my-bedrock-model/converse",
        headers={"Authorization": f"Bearer {key}"},
        json={"messages": [{"role": "user", "content": [{"text": "Hello"}]}]},
        timeout=30,
    )


def test_the_gateway_starts_alone_on_the_configured_port(engine, scratch):
    with Stack(engine, dotenv(scratch, VARIABLES), PORT=str(PORT)) as stack:
        stack.wait_until_healthy("envoy")
        assert stack.services() == {"envoy"}
        assert post("sk-wrong").status_code == 401
        # No host name resolves here. The error must be the gateway's, and typed.
        unreachable = post(VARIABLES["LITELLM_MASTER_KEY"])
        assert unreachable.status_code == 503, unreachable.text
        assert unreachable.headers["x-amzn-errortype"] == "ServiceUnavailableException"
        logs = stack.logs("envoy")
        assert [value for value in VARIABLES.values() if value in logs] == []


def test_envoy_stops_and_names_a_missing_key(engine, scratch):
    variables = {name: value for name, value in VARIABLES.items() if name != "LITELLM_MASTER_KEY"}
    with (
        Stack(engine, dotenv(scratch, variables), PORT=str(PORT)) as stack,
        pytest.raises(RuntimeError, match="LITELLM_MASTER_KEY"),
    ):
        stack.wait_until_healthy("envoy")


def test_a_missing_configuration_is_an_error_and_creates_no_folder(engine, scratch):
    missing = "no-such-file.yaml"
    stack = Stack(engine, dotenv(scratch, VARIABLES), PORT=str(PORT), ENVOY_CONFIG=missing)
    with pytest.raises(RuntimeError, match=re.escape(missing)), stack:
        pass
    assert not (ROOT / missing).exists()

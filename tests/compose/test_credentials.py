"""Credentials that the broker obtains: `docker compose --profile credentials up`."""

import os
import pathlib
import subprocess

import pytest
import requests

from stack import DEMO, ROOT, Control, Stack

ROLE = "arn:aws:iam::123456789012:role/bedrock"
KEY = "sk-1234"
CONFIG = f"""
model_list:
  - model_name: by-role
    litellm_params:
      model: bedrock/us.anthropic.claude-3-5-sonnet-20240620-v1:0
      aws_region_name: us-west-2
      aws_access_key_id: os.environ/EMULATOR_ACCESS_KEY_ID
      aws_secret_access_key: os.environ/EMULATOR_SECRET_ACCESS_KEY
      aws_role_name: {ROLE}
      aws_session_name: compose
      aws_sts_endpoint: http://emulator:9003
      aws_bedrock_runtime_endpoint: http://emulator:9001
  - model_name: by-profile
    litellm_params:
      model: bedrock/us.anthropic.claude-3-5-sonnet-20240620-v1:0
      aws_region_name: us-east-1
      aws_profile_name: team
      aws_bedrock_runtime_endpoint: http://emulator:9002
"""
PROFILE = f"""
[profile team]
role_arn = {ROLE}
source_profile = base
[profile base]
aws_access_key_id = AKIAEMULATORDEMO0001
aws_secret_access_key = emulator/demo+secret/worthless/elsewhere
"""


@pytest.fixture(scope="module")
def stack(engine, scratch):
    """The gateway, the emulator and the broker, all healthy."""
    # Compose takes paths in this folder only, and git ignores `dist`.
    config, rendered = "dist/compose-test.yaml", "dist/compose-test.envoy.yaml"
    (ROOT / config).write_text(CONFIG)
    command = pathlib.Path(os.environ["COMPOSE_TEST_TARGET"]) / "debug/envoy-bedrock"
    subprocess.run([command, "render", config, "--output", rendered], cwd=ROOT, check=True)
    shared_files = scratch / "aws"
    shared_files.mkdir()
    (shared_files / "config").write_text(PROFILE)
    variables = {
        "CONFIG": config,
        "ENVOY_CONFIG": rendered,
        "AWS_DIRECTORY": str(shared_files),
        "AWS_ENDPOINT_URL_STS": "http://emulator:9003",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        with Stack(engine, DEMO, ["emulator", "credentials"], **variables) as stack:
            stack.wait_until_healthy("emulator", "credentials", "envoy")
            yield stack
    finally:
        (ROOT / config).unlink()
        (ROOT / rendered).unlink()


def converse(model: str) -> requests.Response:
    return requests.post(
        f"http://127.0.0.1:4000/bedrock/model/{model}/converse",
        headers={"Authorization": f"Bearer {KEY}"},
        json={"messages": [{"role": "user", "content": [{"text": "Hello"}]}]},
        timeout=30,
    )


@pytest.mark.parametrize("model", ["by-role", "by-profile"])
def test_a_request_is_signed_with_credentials_of_the_broker(stack, model):
    control = Control()
    control.clear()
    response = converse(model)
    assert response.status_code == 200, response.text + stack.logs("credentials")
    (entry,) = control.log()
    assert entry["verified"] and entry["access_key_id"].startswith("ASIA"), entry


def test_the_socket_is_for_the_user_of_envoy_only(stack):
    script = "[[ -S /run/envoy-bedrock/credentials.sock ]] && echo there"
    assert stack.execute("envoy", script).strip() == "there"
    mode = (
        stack.inspect("credentials")["Config"]["User"],
        stack.inspect("envoy")["Config"]["User"],
    )
    assert mode == ("101:101", "101:101")


def test_envoy_keeps_serving_while_the_broker_restarts(stack):
    stack.compose("--profile", "emulator", "--profile", "credentials", "stop", "credentials")
    assert converse("by-role").status_code == 200
    stack.compose("--profile", "emulator", "--profile", "credentials", "start", "credentials")
    stack.wait_until_healthy("credentials")
    assert converse("by-profile").status_code == 200


def test_the_broker_has_no_privileges(stack):
    script = "while IFS=$'\\t' read -r name value _; do echo \"$name$value\"; done < /proc/1/status"
    status = dict(line.split(":", 1) for line in stack.execute("credentials", script).splitlines())
    assert int(status["CapEff"], 16) == 0 and status["NoNewPrivs"] == "1"

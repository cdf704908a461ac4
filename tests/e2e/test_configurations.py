"""LiteLLM configurations work unmodified: entries that are not for this gateway are skipped."""

import pytest

from clients import COUNT_TOKENS, anthropic, connection, post
from emulator import DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY, ROOT
from gateway import KEY, Gateway

CONFIGURATIONS = ROOT / "tools" / "cli" / "tests" / "configs"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": DEMO_ACCESS_KEY_ID,
    "AWS_SECRET_ACCESS_KEY": DEMO_SECRET_ACCESS_KEY,
    "PROD_KEY_ID": DEMO_ACCESS_KEY_ID,
    "PROD_SECRET": DEMO_SECRET_ACCESS_KEY,
    "MY_REGION": "eu-north-1",
    "LITELLM_MASTER_KEY": KEY,
}


BODIES = {"invoke": anthropic("x"), "count-tokens": COUNT_TOKENS}


@pytest.mark.parametrize(
    "name, regions, expected",
    [
        (
            "quick-start",
            ["us-west-2", "us-east-1"],
            {"my-bedrock-model": "us.anthropic.claude-3-5-sonnet-20240620-v1:0"},
        ),
        (
            "mixed-providers",
            ["us-west-2", "eu-north-1"],
            {
                "claude": "us.anthropic.claude-sonnet-4-5-20250929-v1:0 in us-west-2",
                "nova": "us.amazon.nova-pro-v1:0 in eu-north-1",
            },
        ),
        (
            "unknown-sections",
            ["eu-west-3", "eu-central-1"],
            {
                "claude": "anthropic.claude-3-haiku-20240307-v1:0 in eu-west-3",
                "claude-2": "anthropic.claude-v2:1 in eu-central-1",
            },
        ),
        (
            "brackets",
            ["us-east-1"],
            {
                "nova": "us.amazon.nova-pro-v1:0 in us-east-1",
                "fast": "us.amazon.nova-pro-v1:0 in us-east-1",
            },
        ),
        (
            "anchors",
            ["us-west-2", "us-east-2"],
            {
                "sonnet": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "haiku": "us.anthropic.claude-3-5-haiku-20241022-v1:0 in us-west-2",
            },
        ),
    ],
)
def test_an_unmodified_configuration_works(emulator_for, name, regions, expected):
    text = (CONFIGURATIONS / f"{name}.yaml").read_text(encoding="utf-8")
    with (
        emulator_for(regions) as emulator,
        Gateway(text, upstreams=emulator, env=ENVIRONMENT) as running,
    ):
        for model, response in expected.items():
            for operation in ["converse", "converse-stream", "invoke", "count-tokens"]:
                if operation == "invoke" and "nova" in response:
                    continue
                found = post(running, model, operation, BODIES.get(operation))
                assert found.status == 200, (model, operation, found.body)
            assert response.encode() in post(running, model).body
        assert post(running, "gpt-4o").status == 400
        assert "tops3cret" not in running.rendered() + running.log() + running.notes
        assert all(entry["verified"] for entry in emulator.quiet_log())


@pytest.mark.parametrize(
    "variables, region",
    [
        (
            {
                "AWS_REGION_NAME": "eu-west-1",
                "AWS_REGION": "eu-west-2",
                "AWS_DEFAULT_REGION": "eu-west-3",
            },
            "eu-west-1",
        ),
        (
            {"AWS_REGION_NAME": "", "AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"},
            "eu-west-2",
        ),
        ({"AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-3"),
        ({}, "us-west-2"),
    ],
)
def test_the_region_of_the_environment_is_used_and_signed_for(emulator_for, variables, region):
    text = "model_list: [{model_name: m, litellm_params: {model: bedrock/amazon.nova-lite-v1:0}}]"
    with (
        emulator_for([region]) as emulator,
        Gateway(text, upstreams=emulator, env={**ENVIRONMENT, **variables}) as running,
    ):
        response = post(running, "m")
        assert (response.status, response.headers["x-litellm-model-region"]) == (200, region)
        assert [(entry["region"], entry["verified"]) for entry in emulator.quiet_log()] == [
            (region, True)
        ]
        assert ("us-west-2" in running.notes) == (not variables)


def test_skipped_entries_are_noted(emulator_for):
    text = (CONFIGURATIONS / "mixed-providers.yaml").read_text(encoding="utf-8")
    with (
        emulator_for(["us-west-2", "eu-north-1"]) as emulator,
        Gateway(text, upstreams=emulator, env=ENVIRONMENT) as running,
    ):
        for word in ["model_list[0]", "model_list[2]", "model_list[3]"]:
            assert word in running.notes
        probe = connection(running.url)
        probe.request("GET", "/health/liveliness")
        assert probe.getresponse().status == 200
        probe.close()


def test_literal_secrets_are_written_to_no_file(emulator_for):
    """They reach Envoy only in environment variables, which `render` names."""
    text = f"""
model_list:
  - model_name: signed
    litellm_params:
      model: bedrock/anthropic.claude-3-haiku-20240307-v1:0
      aws_region_name: us-west-2
      aws_access_key_id: {DEMO_ACCESS_KEY_ID}
      aws_secret_access_key: {DEMO_SECRET_ACCESS_KEY}
general_settings:
  master_key: {KEY}
"""
    variables = {
        "ENVOY_BEDROCK_MODEL_LIST_0_AWS_ACCESS_KEY_ID": DEMO_ACCESS_KEY_ID,
        "ENVOY_BEDROCK_MODEL_LIST_0_AWS_SECRET_ACCESS_KEY": DEMO_SECRET_ACCESS_KEY,
        "ENVOY_BEDROCK_GENERAL_SETTINGS_MASTER_KEY": KEY,
    }
    with (
        emulator_for(["us-west-2"]) as emulator,
        Gateway(text, upstreams=emulator, literals=variables) as running,
    ):
        assert all(name in running.notes for name in variables)
        assert post(running, "signed").status == 200
        assert running.leaks() == []

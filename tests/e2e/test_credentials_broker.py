"""`envoy-bedrock credentials` with each source of credentials, and `check --credentials`."""

import json
import os
import stat
import subprocess
import time

import boto3
import pytest

from credential_broker import BASE, KEYS, OTHER, PROFILE, ROLE, Broker, config_of
from gateway import command_line


def caller(identity, credential: dict) -> str:
    """Who a credential belongs to, according to STS."""
    client = boto3.client(
        "sts",
        region_name="us-west-2",
        endpoint_url=identity.url,
        aws_access_key_id=credential["AccessKeyId"],
        aws_secret_access_key=credential["SecretAccessKey"],
        aws_session_token=credential["Token"],
    )
    return client.get_caller_identity()["Arn"]


def test_a_role_is_assumed_with_keys(identity, tmp_path):
    identity.register_role(ROLE, external_id="x-1")
    parameters = f"{KEYS}, aws_role_name: '{ROLE}', aws_session_name: apps, aws_external_id: x-1"
    with Broker(tmp_path, parameters, identity.environment(**BASE)) as broker:
        credential = broker.credential()
        assert caller(identity, credential).endswith("assumed-role/bedrock/apps")
        assert credential["Expiration"].endswith("Z")
        assert stat.S_IMODE(broker.socket.stat().st_mode) == 0o600
        secrets = [credential["SecretAccessKey"], credential["Token"], BASE["SECRET"]]
        assert [secret for secret in secrets if secret in broker.log()] == []


def test_a_profile_assumes_its_role(identity, tmp_path):
    environment = identity.profile(tmp_path, PROFILE)
    del environment["AWS_PROFILE"]
    with Broker(tmp_path, "aws_profile_name: team", environment) as broker:
        assert "assumed-role/bedrock/" in caller(identity, broker.credential())


def test_a_role_is_assumed_with_a_profile(identity, tmp_path):
    environment = identity.profile(tmp_path, PROFILE)
    with Broker(
        tmp_path, f"aws_profile_name: base, aws_role_name: '{OTHER}'", environment
    ) as broker:
        assert "210987654321:assumed-role/other/" in caller(identity, broker.credential())


def test_a_profile_runs_a_credential_process(identity, tmp_path):
    issued = identity.issue(ROLE)
    document = tmp_path / "credential.json"
    document.write_text(json.dumps({"Version": 1, **process_output(issued)}))
    environment = identity.profile(
        tmp_path, f"[profile team]\ncredential_process = cat {document}\n"
    )
    with Broker(tmp_path, "aws_profile_name: team", environment) as broker:
        assert broker.credential()["AccessKeyId"] == issued["AccessKeyId"]


def process_output(issued: dict) -> dict:
    return {
        "AccessKeyId": issued["AccessKeyId"],
        "SecretAccessKey": issued["SecretAccessKey"],
        "SessionToken": issued["Token"],
        "Expiration": issued["Expiration"],
    }


def test_sso_uses_the_token_of_the_last_login(identity, tmp_path):
    environment = identity.sso(tmp_path, "123456789012", "sso-role")
    del environment["AWS_PROFILE"]
    with Broker(tmp_path, "aws_profile_name: sso", environment) as broker:
        assert "assumed-role/" in caller(identity, broker.credential())


def test_a_web_identity_token_is_read_again_each_time(identity, tmp_path):
    token = tmp_path / "token"
    token.write_text("first-token")
    identity.register_token("first-token")
    identity.set_lifetime(3)
    parameters = f"aws_role_name: '{ROLE}', aws_web_identity_token: {token}"
    with Broker(tmp_path, parameters, identity.environment()) as broker:
        first = broker.credential()
        assert "assumed-role/bedrock/" in caller(identity, first)
        identity.register_token("second-token")
        token.write_text("second-token")
        broker.wait(lambda: broker.credential() != first, "renew the credential")


@pytest.mark.parametrize("source", ["web_identity", "instance", "task", "pod", "keys"])
def test_without_settings_the_sdks_chain_is_used(identity, tmp_path, source):
    environment = {
        "web_identity": lambda: identity.web_identity(tmp_path, ROLE),
        "instance": identity.instance,
        "task": identity.task,
        "pod": lambda: identity.pod(tmp_path),
        "keys": lambda: identity.profile(tmp_path, PROFILE, "team"),
    }[source]()
    with Broker(tmp_path, "weight: 1", environment) as broker:
        assert "assumed-role/" in caller(identity, broker.credential())


def test_a_role_that_the_profile_assumes_is_not_assumed_again(identity, tmp_path):
    environment = identity.profile(tmp_path, PROFILE)
    parameters = f"aws_profile_name: team, aws_role_name: '{ROLE}'"
    with Broker(tmp_path, parameters, environment) as broker:
        assert "assumed-role/bedrock/" in caller(identity, broker.credential())
    assert len(identity.calls("assume-role")) == 1


def test_a_role_that_one_already_has_is_not_assumed_again(identity, tmp_path):
    identity.settings(instance_role=ROLE)
    with Broker(tmp_path, f"aws_role_name: '{ROLE}'", identity.instance()) as broker:
        assert "assumed-role/bedrock/" in caller(identity, broker.credential())
    assert identity.calls("assume-role") == []


def test_credentials_are_renewed_before_they_expire(identity, tmp_path):
    identity.set_lifetime(4)
    with Broker(
        tmp_path, f"{KEYS}, aws_role_name: '{ROLE}'", identity.environment(**BASE)
    ) as broker:
        seen = set()
        broker.credential()

        def has_seen_three():
            status, credential = broker.get(f"/credentials/{broker.id}")
            assert status == 200
            seen.add(credential["AccessKeyId"])
            return len(seen) == 3

        broker.wait(has_seen_three, "renew the credential twice")


def test_a_rejected_credential_is_fetched_again_once(identity, tmp_path):
    with Broker(
        tmp_path, f"{KEYS}, aws_role_name: '{ROLE}'", identity.environment(**BASE)
    ) as broker:
        first = broker.credential()
        # The second rejection comes too soon.
        time.sleep(10.5)
        second = broker.credential(f"?rejected={first['AccessKeyId']}")
        assert second["AccessKeyId"] != first["AccessKeyId"]
        third = broker.credential(f"?rejected={second['AccessKeyId']}")
        assert third == second
        assert broker.credential("?rejected=ASIAUNKNOWN") == second


def test_an_api_key_is_made_for_each_region(identity, emulator, tmp_path):
    parameters = f"{KEYS}, aws_role_name: '{ROLE}'"
    with Broker(tmp_path, parameters, identity.environment(**BASE)) as broker:
        broker.credential()
        status, key = broker.get(f"/bearer/{broker.id}/us-west-2")
        assert status == 200 and key["Token"].startswith("bedrock-api-key-")
        assert key["Expiration"].endswith("Z")


def test_an_unknown_credential_is_not_found(identity, tmp_path):
    with Broker(tmp_path, "weight: 1", identity.environment()) as broker:
        assert broker.get("/credentials/0000000000000000")[0] == 404
        assert broker.get("/other")[0] == 404
        assert broker.get("/health") == (200, {"status": "ok"})


def test_a_changed_configuration_is_used(identity, tmp_path):
    environment = identity.environment(**BASE)
    with Broker(tmp_path, f"{KEYS}, aws_role_name: '{OTHER}'", environment) as broker:
        broker.credential()
        config = tmp_path / "config.yaml"
        config.write_text(config_of(f"{KEYS}, aws_role_name: '{ROLE}'"))
        broker.wait(lambda: f"obtained from role {ROLE}" in broker.log(), "use the new file")
        assert broker.get(f"/credentials/{broker.id}")[0] == 404


def check(folder, parameters: str, environment: dict, *arguments) -> subprocess.CompletedProcess:
    config = folder / "config.yaml"
    config.write_text(config_of(parameters))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [command_line(), "check", config, "--credentials", *arguments],
        env={**clean, "LITELLM_MASTER_KEY": "sk-test", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_check_lists_whose_credentials_a_deployment_has(identity, tmp_path):
    environment = identity.environment(**BASE)
    result = check(tmp_path, f"{KEYS}, aws_role_name: '{ROLE}'", environment)
    assert result.returncode == 0, result.stdout + result.stderr
    for part in ("m in us-west-2", ROLE, "123456789012", "assumed-role/bedrock/"):
        assert part in result.stdout, result.stdout
    secrets = [secret for secret in identity.issued_secrets() if secret in result.stdout]
    assert secrets == []


def test_check_says_why_credentials_cannot_be_obtained(identity, tmp_path):
    identity.fault(endpoint="assume-role", code="AccessDenied", status=403, message="not you")
    environment = identity.environment(**BASE)
    result = check(tmp_path, f"{KEYS}, aws_role_name: '{ROLE}'", environment, "--json")
    assert result.returncode == 1
    (trial,) = json.loads(result.stdout)["credentials"]
    assert trial["outcome"] == "fails" and "AccessDenied" in trial["reason"], trial
    assert "trust policy" in trial["remedy"]


def test_check_tries_plain_access_keys(identity, tmp_path):
    environment = identity.environment(**BASE)
    assert check(tmp_path, KEYS, environment).returncode == 0
    wrong = check(tmp_path, KEYS, {**environment, "SECRET": "wrong+secret/of/broker/test"})
    assert wrong.returncode == 1 and "FAILED" in wrong.stdout, wrong.stdout
    assert "Check ID and SECRET" in wrong.stdout and "wrong+secret" not in wrong.stdout

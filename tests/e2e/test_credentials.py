"""`envoy-bedrock run` with each source of AWS credentials, from config.yaml to a signed request."""

import concurrent.futures
import json
import pathlib
import time

import pytest
import requests

from deployments import EAST, WEST, Parameters
from supervised import Supervised, eventually

ROLE = "arn:aws:iam::123456789012:role/bedrock"
OTHER = "arn:aws:iam::210987654321:role/other"
MODEL = "my-bedrock-model"
BASE = {"ID": "AKIABASE000000000001", "SECRET": "base+secret/of/credential/test"}
KEYS = {
    "aws_access_key_id": "os.environ/ID",
    "aws_secret_access_key": "os.environ/SECRET",
}
PROFILE = f"""[profile team]
role_arn = {ROLE}
source_profile = base
[profile base]
aws_access_key_id = {BASE["ID"]}
aws_secret_access_key = {BASE["SECRET"]}
"""


@pytest.fixture
def bedrock(issuing_emulator):
    issuing_emulator.quiet_log()
    issuing_emulator.reset()
    issuing_emulator.identity.register_key(BASE["ID"], BASE["SECRET"], "123456789012")
    yield issuing_emulator
    issuing_emulator.reset()


def written(folder: pathlib.Path, bedrock, *deployments, **sections) -> pathlib.Path:
    """A config.yaml. Each deployment is a region and its parameters."""
    at = Parameters(bedrock)
    entries = [
        {"model_name": MODEL, "litellm_params": at(region, **more)} for region, more in deployments
    ]
    path = folder / "config.yaml"
    path.write_text(json.dumps({"model_list": entries, **sections}))
    return path


def running(config, environment, *arguments, bedrock="aws", **options) -> Supervised:
    env = {**environment, **options.pop("env", {})}
    return Supervised(*arguments, config=config, bedrock=bedrock, env=env, **options)


def without(environment: dict, *names) -> dict:
    return {name: value for name, value in environment.items() if name not in names}


# Each source: the deployment's parameters, and the environment.
SOURCES = {
    "role with keys": lambda identity, folder: (
        {**KEYS, "aws_role_name": ROLE, "aws_session_name": "apps"},
        identity.environment(**BASE),
    ),
    "role with a profile": lambda identity, folder: (
        {"aws_profile_name": "base", "aws_role_name": ROLE},
        identity.profile(folder, PROFILE),
    ),
    "role of the instance": lambda identity, folder: (
        {"aws_role_name": OTHER},
        identity.instance(),
    ),
    "profile": lambda identity, folder: (
        {"aws_profile_name": "team"},
        without(identity.profile(folder, PROFILE), "AWS_PROFILE"),
    ),
    "sso": lambda identity, folder: (
        {"aws_profile_name": "sso"},
        without(identity.sso(folder, "123456789012", "sso-role"), "AWS_PROFILE"),
    ),
    "web identity": lambda identity, folder: (
        {
            "aws_role_name": ROLE,
            "aws_session_name": "apps",
            "aws_web_identity_token": "os.environ/TOKEN_FILE",
        },
        with_token_file(identity.web_identity(folder, ROLE)),
    ),
    "chain: profile": lambda identity, folder: ({}, identity.profile(folder, PROFILE, "team")),
    "chain: IRSA": lambda identity, folder: ({}, identity.web_identity(folder, ROLE)),
    "chain: ECS": lambda identity, folder: ({}, identity.task()),
    "chain: EKS": lambda identity, folder: ({}, identity.pod(folder)),
    "chain: EC2": lambda identity, folder: ({}, identity.instance()),
}


def with_token_file(environment: dict) -> dict:
    """The token file of IRSA under another name, so that only config.yaml names it."""
    file = environment["AWS_WEB_IDENTITY_TOKEN_FILE"]
    names = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME")
    return {**without(environment, *names), "TOKEN_FILE": file}


def everything_written(gateway: Supervised) -> str:
    """All that the gateway prints, writes and shows, and the environment of Envoy."""
    files = [path for path in gateway.folder.rglob("*") if path.is_file()]
    texts = [path.read_bytes() for path in files if path.suffix != ".wasm"]
    texts.append(pathlib.Path(f"/proc/{gateway.envoy()}/environ").read_bytes())
    for page in ("config_dump", "stats", "clusters", "listeners"):
        texts.append(requests.get(f"{gateway.admin}/{page}", timeout=10).content)
    return b"\n".join(texts).decode(errors="replace")


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_signs_requests_and_leaves_no_secret(bedrock, tmp_path, source):
    parameters, environment = SOURCES[source](bedrock.identity, tmp_path)
    config = written(tmp_path, bedrock, (WEST, parameters))
    with running(config, environment, bedrock="auto") as gateway:
        for operation in ("converse", "converse-stream"):
            response = gateway.post(operation)
            assert response.status_code == 200, response.text + gateway.log()
        entries = bedrock.quiet_log()
        assert len(entries) == 2
        assert all(
            entry["verified"] and entry["access_key_id"].startswith("ASIA") for entry in entries
        )
        shown = everything_written(gateway)
        assert [secret for secret in bedrock.identity.issued_secrets() if secret in shown] == []


def test_two_accounts_serve_one_model(bedrock, tmp_path):
    config = written(
        tmp_path,
        bedrock,
        (WEST, {**KEYS, "aws_role_name": ROLE}),
        (WEST, {**KEYS, "aws_role_name": OTHER}),
    )
    with running(config, bedrock.identity.environment(**BASE)) as gateway:
        assert all(gateway.post().status_code == 200 for _ in range(20))
        accounts = {entry["account"] for entry in bedrock.quiet_log()}
        assert accounts == {"123456789012", "210987654321"}


def test_short_term_api_keys_replace_signatures(bedrock, tmp_path):
    config = written(
        tmp_path,
        bedrock,
        (WEST, {**KEYS, "aws_role_name": ROLE}),
        (EAST, {**KEYS, "aws_role_name": ROLE}),
        envoy_bedrock={"bearer": True},
    )
    with running(config, bedrock.identity.environment(**BASE)) as gateway:
        assert all(gateway.post().status_code == 200 for _ in range(20)), gateway.log()
        entries = bedrock.quiet_log()
        assert {entry["reason"] for entry in entries} == {"short-term api key"}
        assert {entry["region"] for entry in entries} == {WEST, EAST}
        shown = everything_written(gateway)
        assert [secret for secret in bedrock.identity.issued_secrets() if secret in shown] == []


def test_a_deployment_whose_credentials_cannot_be_obtained_costs_nothing(bedrock, tmp_path):
    bedrock.identity.fault(endpoint="assume-role", role_arn=OTHER, code="AccessDenied", status=403)
    config = written(
        tmp_path,
        bedrock,
        (WEST, {**KEYS, "aws_role_name": OTHER}),
        (EAST, {**KEYS, "aws_role_name": ROLE}),
    )
    with running(config, bedrock.identity.environment(**BASE)) as gateway:
        assert all(gateway.post().status_code == 200 for _ in range(20)), gateway.log()
        assert {entry["region"] for entry in bedrock.quiet_log()} == {EAST}
        line = "the credentials of my-bedrock-model in us-west-2 cannot be obtained"
        assert gateway.log().count(line) == 1 and OTHER in gateway.log()


def test_run_waits_for_the_first_credentials_and_says_for_what(bedrock, tmp_path):
    bedrock.identity.fault(endpoint="sts", code="Throttling", status=400, message="Rate exceeded")
    config = written(tmp_path, bedrock, (WEST, {**KEYS, "aws_role_name": ROLE}))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        started = pool.submit(running, config, bedrock.identity.environment(**BASE))
        eventually(lambda: bedrock.identity.calls("assume-role"), "an attempt")
        time.sleep(6)
        assert not started.done()
        bedrock.identity.clear_faults()
        with started.result() as gateway:
            waiting = "waiting for the credentials of my-bedrock-model in us-west-2"
            assert waiting in gateway.log() and "Throttling" in gateway.log()
            # A worker asks the broker again within seconds.
            eventually(gateway.is_served, "a response")


def test_a_source_that_hangs_does_not_keep_the_others_from_serving(bedrock, tmp_path):
    hanging = "[profile hanging]\ncredential_process = sleep 60\n"
    environment = {**bedrock.identity.profile(tmp_path, hanging), **BASE}
    config = written(
        tmp_path,
        bedrock,
        (WEST, {"aws_profile_name": "hanging"}),
        (EAST, {**KEYS, "aws_role_name": ROLE}),
    )
    with running(config, environment) as gateway:
        assert "cannot be obtained" not in gateway.log(), "its time limit is not over"
        assert "waiting for the credentials of my-bedrock-model in us-west-2" in gateway.log()
        assert all(gateway.post().status_code == 200 for _ in range(10)), gateway.log()


def test_a_role_that_changes_in_config_yaml_is_used_without_a_restart(bedrock, tmp_path):
    config = written(tmp_path, bedrock, (WEST, {**KEYS, "aws_role_name": ROLE}))
    with running(config, bedrock.identity.environment(**BASE)) as gateway:
        assert gateway.post().status_code == 200
        process = gateway.envoy()
        written(tmp_path, bedrock, (WEST, {**KEYS, "aws_role_name": OTHER}))

        def is_used():
            assert gateway.post().status_code == 200, gateway.log()
            return bedrock.quiet_log()[-1]["account"] == "210987654321"

        eventually(is_used, "a request with the other role")
        assert gateway.envoy() == process


def test_a_restarted_envoy_has_credentials_before_it_serves(bedrock, tmp_path):
    config = written(tmp_path, bedrock, (WEST, {**KEYS, "aws_role_name": ROLE}))
    with running(config, bedrock.identity.environment(**BASE)) as gateway:
        assert gateway.post().status_code == 200
        gateway.kill_envoy()
        gateway.wait_for("Envoy serves again")
        assert gateway.post().status_code == 200, gateway.log()


def test_a_standby_that_has_waited_for_long_has_fresh_credentials(bedrock, tmp_path):
    bedrock.identity.set_lifetime(5)
    config = written(tmp_path, bedrock, (WEST, {**KEYS, "aws_role_name": ROLE}))
    with running(config, bedrock.identity.environment(**BASE)) as gateway:
        standby = gateway.standby()
        issued = len(bedrock.identity.calls())
        renewed = issued + 3
        eventually(lambda: len(bedrock.identity.calls()) >= renewed, "renewed credentials")
        gateway.kill_envoy()
        gateway.wait_for("Envoy serves again")
        assert gateway.post().status_code == 200, gateway.log()
        assert gateway.envoy() == standby
        assert not bedrock.quiet_log()[-1]["credential_expired"]


def test_rotation_under_load_costs_no_request(bedrock, tmp_path):
    bedrock.identity.set_lifetime(5)
    config = written(tmp_path, bedrock, (WEST, {**KEYS, "aws_role_name": ROLE}))
    seconds, rate = 20, 20
    with running(config, bedrock.identity.environment(**BASE)) as gateway:
        operations = ["converse", "converse-stream"] * (seconds * rate // 2)
        started = time.monotonic()
        answers = []
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for number, operation in enumerate(operations):
                time.sleep(max(0, started + number / rate - time.monotonic()))
                answers.append(pool.submit(gateway.post, operation))
        assert {answer.result().status_code for answer in answers} == {200}, gateway.log()
        entries = bedrock.quiet_log()
        assert len(entries) == len(operations), "a request was retried"
        assert not [entry for entry in entries if entry["credential_expired"]]
        assert len({entry["access_key_id"] for entry in entries}) >= 4


def test_without_credentials_anywhere_auto_starts_the_emulator_and_names_them(tmp_path):
    """A profile with only a region has no credentials, and a wrong name no profile."""
    deployments = [
        (WEST, {"aws_profile_name": "nobody", "aws_role_name": ROLE}),
        (EAST, {"aws_role_name": ROLE, **KEYS}),
        (EAST, {"aws_role_name": OTHER}),
        (WEST, {"aws_role_name": ROLE, "aws_web_identity_token": "/nowhere/token"}),
        (EAST, {"aws_access_key_id": "os.environ/A", "aws_secret_access_key": "os.environ/B"}),
    ]
    config = written(tmp_path, None, *deployments)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = us-west-2\n")
    environment = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    with Supervised(config=config, bedrock="auto", env=environment) as gateway:
        assert gateway.is_served()
        output = gateway.output()
        assert "BEDROCK IS EMULATED: no AWS credentials were found." in output
        for line in (
            f"{MODEL} in us-west-2: role {ROLE} with profile nobody",
            f"{MODEL} in us-east-1: role {ROLE} with access keys in ID",
            f"{MODEL} in us-east-1: role {OTHER} with the default credential chain",
            f"{MODEL} in us-west-2: role {ROLE} with the token in /nowhere/token",
            "The default chain takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile",
        ):
            assert line in output, output

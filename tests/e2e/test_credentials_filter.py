"""The filter gets temporary credentials from a credential broker, here a fake one."""

import concurrent.futures
import datetime
import time

import pytest
import requests

from clients import post, question
from deployments import EAST, WEST, Parameters
from fake_broker import ROLE, FakeBroker
from gateway import Gateway, config

DEADLINE_SECONDS = 60
WORKERS = 2
# A role of the west, and static keys in the east.
ROLE_PARAMETERS = {"aws_role_name": ROLE, "aws_session_name": "gateway"}


@pytest.fixture
def bedrock(issuing_emulator):
    issuing_emulator.quiet_log()
    issuing_emulator.reset()
    return issuing_emulator


@pytest.fixture
def broker(bedrock):
    with FakeBroker(bedrock.identity) as running:
        yield running


def start(bedrock, broker, deployments, **options) -> Gateway:
    sections = {"router_settings": {"disable_cooldowns": True}} | options.pop("sections", {})
    text = config(deployments(Parameters(bedrock)), **sections)
    arguments = ("--credentials", broker.socket)
    return Gateway(text, workers=WORKERS, arguments=arguments, **options)


def only_role(at):
    return [("role", at(WEST, **ROLE_PARAMETERS))]


def role_or_keys(at):
    return [
        ("either", at(WEST, **ROLE_PARAMETERS, weight=1)),
        ("either", at(EAST, weight=1)),
        ("role", at(WEST, **ROLE_PARAMETERS)),
        ("role-first", at(WEST, **ROLE_PARAMETERS, order=1)),
        ("role-first", at(EAST, order=2)),
    ]


def mixed(at):
    """The first order has a role and access keys, the second an API key."""
    return [
        ("mixed", at(WEST, **ROLE_PARAMETERS, order=1)),
        ("mixed", at(EAST, order=1)),
        ("mixed", at(EAST, api_key="os.environ/BEDROCK_API_KEY", order=2)),
    ]


def eventually(condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (result := condition()):
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)
    return result


def ask(gateway, model="role", operation="converse"):
    return post(gateway, model, operation, question("who am I"))


def readiness(gateway):
    return requests.get(f"{gateway.url}/health/readiness", timeout=10)


def no_secret(gateway, broker):
    """Nothing that the broker has issued may be in a log, a stat or the configuration dump."""
    dump = requests.get(f"{gateway.admin}/config_dump", timeout=10).text
    stats = requests.get(f"{gateway.admin}/stats", timeout=10).text
    written = gateway.log() + gateway.access_log() + gateway.rendered() + dump + stats
    for issued in broker.issued.values():
        assert issued["SecretAccessKey"] not in written
        assert issued["Token"] not in written


def test_a_rotation_under_load_costs_no_request(bedrock, broker):
    broker.lifetime_seconds = 5
    seconds, rate = 15, 20
    with start(bedrock, broker, only_role) as gateway:
        bedrock.clear_log()
        broker.calls.clear()
        operations = ["converse", "converse-stream"] * (seconds * rate // 2)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = []
            started = time.monotonic()
            for number, operation in enumerate(operations):
                time.sleep(max(0, started + number / rate - time.monotonic()))
                answers.append(pool.submit(ask, gateway, "role", operation))
            statuses = {answer.result().status for answer in answers}
        assert statuses == {200}, gateway.log_tail()
        calls = len(broker.calls)
        entries = bedrock.quiet_log()
        used = {entry["access_key_id"] for entry in entries}
        assert len(entries) == len(operations), "a request was retried"
        assert not [entry for entry in entries if entry["credential_expired"]]
        assert used <= set(broker.issued) and len(used) >= 4
        # Both workers and the main thread ask for each renewal.
        assert calls <= (WORKERS + 1) * (len(broker.issued) + 1), broker.calls
        no_secret(gateway, broker)


def test_a_refused_credential_is_replaced_and_the_request_goes_elsewhere(bedrock, broker):
    with start(bedrock, broker, role_or_keys) as gateway:
        assert ask(gateway, "role").status == 200
        bedrock.identity.revoke()
        broker.calls.clear()
        assert ask(gateway, "role-first").status == 200
        refused, served = bedrock.quiet_log()[-2:]
        assert (refused["region"], served["region"]) == (WEST, EAST)
        eventually(lambda: [call for call in broker.calls if "?rejected=ASIA" in call])
        eventually(lambda: all(ask(gateway, "role").status == 200 for _ in range(10)))
        no_secret(gateway, broker)


def test_a_deployment_without_credentials_is_passed_over(bedrock, broker):
    broker.failures[""] = (502, "AccessDenied")
    with start(bedrock, broker, role_or_keys) as gateway:
        body = readiness(gateway).json()
        assert body["status"] == "healthy"
        (missing,) = body["credentials"]
        assert missing["status"] == "failed" and "AccessDenied" in missing["error"]
        assert "role in us-west-2" in str(missing["deployments"])
        assert {ask(gateway, "either").status for _ in range(20)} == {200}, gateway.log_tail()
        assert {ask(gateway, "role-first").status for _ in range(20)} == {200}, "the next order"
        assert {entry["region"] for entry in bedrock.quiet_log()} == {EAST}
        refused = ask(gateway, "role")
        assert refused.status == 503 and refused.headers["retry-after"] == "1"
        assert refused.headers["x-amzn-errortype"] == "ServiceUnavailableException"
        assert "ask the administrator" in gateway.log()
        broker.failures.clear()
        eventually(lambda: ask(gateway, "role").status == 200)
        eventually(lambda: "credentials" not in readiness(gateway).json())
        assert all(entry["reason"] == "signature" for entry in bedrock.quiet_log())


def test_a_retry_passes_over_a_deployment_without_credentials(bedrock, broker):
    broker.failures[""] = (502, "AccessDenied")
    with start(bedrock, broker, mixed) as gateway:
        for _ in range(5):
            bedrock.fault("status", status=429, region=EAST, count=1)
            assert ask(gateway, "mixed").status == 200, gateway.log_tail()
        entries = bedrock.quiet_log()
        assert [(entry["region"], entry["reason"]) for entry in entries] == [
            (EAST, "signature"),
            (EAST, "api key"),
        ] * 5


def test_credentials_serve_until_they_expire_when_the_broker_is_gone(bedrock, broker):
    broker.lifetime_seconds = 8
    with start(bedrock, broker, only_role) as gateway:
        assert ask(gateway).status == 200
        [issued] = broker.issued.values()
        [(name, expires)] = gateway.stats("credentials_expire_seconds").items()
        assert "model_group=role;deployment=" in name and name.endswith("region=us-west-2")
        assert expires == datetime.datetime.fromisoformat(issued["Expiration"]).timestamp()
        broker.stop()
        eventually(lambda: "Unreachable" in readiness(gateway).text)
        eventually(lambda: readiness(gateway).status_code == 503)
        refused = ask(gateway)
        assert refused.status == 503 and b"credentials" in refused.body
        broker.start()
        eventually(lambda: ask(gateway).status == 200)
        eventually(lambda: readiness(gateway).status_code == 200)
        assert not [entry for entry in bedrock.quiet_log() if entry["credential_expired"]]


def test_a_request_waits_for_the_first_answer_of_the_broker(bedrock, broker):
    with start(bedrock, broker, role_or_keys) as gateway:
        assert ask(gateway).status == 200
    broker.answering.clear()
    broker.calls.clear()
    with (
        concurrent.futures.ThreadPoolExecutor(4) as pool,
        start(bedrock, broker, role_or_keys, waits=False) as gateway,
    ):
        eventually(lambda: len(broker.calls) > WORKERS)
        assert readiness(gateway).status_code == 503
        assert "waiting" in readiness(gateway).text
        assert ask(gateway, "either").status == 200, "it has other credentials"
        late = ask(gateway)
        assert late.status == 503 and late.headers["retry-after"] == "1"
        assert "no valid AWS credentials for role in us-west-2" in gateway.log()
        operations = ["converse", "converse-stream"] * 2
        waiting = [pool.submit(ask, gateway, "role", operation) for operation in operations]
        time.sleep(0.5)
        broker.answering.set()
        assert [each.result().status for each in waiting] == [200] * 4, gateway.log_tail()
        eventually(lambda: readiness(gateway).status_code == 200)


def test_an_upload_waits_for_an_api_key(bedrock, broker):
    """The request is held unread while it waits. If it is refused, its upload is drained first."""
    broker.answering.clear()
    body = question("x" * (20 << 20))
    sections = {"envoy_bedrock": {"bearer": True}}
    with (
        concurrent.futures.ThreadPoolExecutor(1) as pool,
        start(bedrock, broker, only_role, sections=sections, waits=False) as gateway,
    ):
        eventually(lambda: len(broker.calls) > WORKERS)
        late = post(gateway, "role", body=body)
        assert (late.status, late.error_type) == (503, "ServiceUnavailableException")
        waiting = pool.submit(post, gateway, "role", body=body)
        time.sleep(0.5)
        broker.answering.set()
        assert waiting.result().status == 200, gateway.log_tail()
        assert [entry["body_bytes"] for entry in bedrock.quiet_log()] == [len(body)]

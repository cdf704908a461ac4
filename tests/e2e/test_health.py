"""`GET /health`: which deployments get requests, from what their traffic shows."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
import requests

from clients import post
from deployments import EAST, NOVA, WEST
from gateway import KEY
from supervised import eventually

COOLDOWN_SECONDS = 2
LISTED = "sk-for-the-health-of-one-model"


def models(at) -> list:
    return [
        ("both", at(WEST, order=1)),
        ("both", at(EAST, order=2)),
        ("private", at(EAST, NOVA)),
        ("wild/*", at(WEST, "*")),
        ("wild/*", at(EAST, "*")),
    ]


@pytest.fixture(scope="module", params=["http", "tls"])
def gateway(request, gateway_over):
    digest = hashlib.sha256(LISTED.encode()).hexdigest()
    sections = {
        "router_settings": {"cooldown_time": COOLDOWN_SECONDS, "num_retries": 1},
        "envoy_bedrock": {"keys": [{"token": digest, "key_alias": "one", "models": ["both"]}]},
    }
    with gateway_over(request.param, models, sections) as running:
        yield running


def health(gateway, query="", key=KEY) -> dict:
    headers = {"authorization": f"Bearer {key}"}
    response = requests.get(f"{gateway.url}/health{query}", headers=headers, timeout=10)
    assert response.status_code == 200
    body = response.json()
    for word in ["healthy", "unhealthy"]:
        assert body[f"{word}_count"] == len(body[f"{word}_endpoints"])
    return body


def regions(body: dict, word: str) -> list:
    return [endpoint["aws_region_name"] for endpoint in body[f"{word}_endpoints"]]


def test_a_throttled_region_is_unhealthy_until_its_cooldown_is_over(gateway, bedrock):
    before = health(gateway, "?model=both")
    assert regions(before, "healthy") == [WEST, EAST]
    bedrock.fault("status", status=429, region=WEST)
    assert post(gateway, "both").status == 200
    bedrock.clear_faults()
    body = health(gateway, "?model=both")
    assert regions(body, "healthy") == [EAST]
    (west,) = body["unhealthy_endpoints"]
    assert (west["state"], west["last_status"]) == ("cooling", 429)
    assert (west["aws_region_name"], west["model_group"]) == (WEST, "both")
    assert west["model_id"] == before["healthy_endpoints"][0]["model_id"]
    until = datetime.fromisoformat(west["cooldown_until"])
    assert until < datetime.now(UTC) + timedelta(seconds=COOLDOWN_SECONDS)
    assert f"cools down until {west['cooldown_until']}" in west["error"]

    over = eventually(
        lambda: (found := health(gateway, "?model=both"))["unhealthy_count"] == 0 and found,
        "the end of the cooldown",
    )
    assert over["healthy_endpoints"][0]["state"] == "probe_due"
    assert post(gateway, "both").status == 200
    assert health(gateway, "?model=both")["healthy_endpoints"][0]["state"] == "ready"
    assert [entry["region"] for entry in bedrock.quiet_log()] == [WEST, EAST, WEST]


def test_a_cooldown_is_logged_and_counted(gateway, bedrock):
    bedrock.fault("status", status=429, region=WEST)
    counted = r"wasmcustom\.envoy_bedrock_cooldowns_total;model_group=both;.*region=us-west-2$"
    before = sum(gateway.stats(counted).values())
    assert post(gateway, "both").status == 200
    eventually(
        lambda: sum(gateway.stats(counted).values()) == before + 1,
        "one more cooldown in the metric",
    )
    assert f"both in {WEST} (deployment " in gateway.log()
    eventually(lambda: health(gateway)["unhealthy_count"] == 0, "the end of the cooldown")


def test_only_the_throttled_models_of_a_wildcard_cool_down(gateway, bedrock):
    bedrock.fault("status", status=429, region=WEST)
    for _ in range(8):
        assert post(gateway, f"wild/{NOVA}").status == 200
    found = health(gateway, "?model=wild/*")
    assert [each["state"] for each in found["healthy_endpoints"]] == ["ready", "ready"]
    assert [each["cooling_parts"] for each in found["healthy_endpoints"]] == [1, 0]
    bedrock.clear_faults()
    eventually(
        lambda: health(gateway, "?model=wild/*")["healthy_endpoints"][0]["cooling_parts"] == 0,
        "the end of the cooldown",
    )


def test_a_key_sees_only_the_deployments_of_its_models(gateway, bedrock):
    groups = {each["model_group"] for each in health(gateway)["healthy_endpoints"]}
    assert groups == {"both", "private", "wild/*"}
    own = health(gateway, key=LISTED)
    assert {each["model_group"] for each in own["healthy_endpoints"]} == {"both"}
    assert health(gateway, "?model=private", key=LISTED)["healthy_count"] == 0


def test_without_a_valid_key_nothing_is_said(gateway):
    assert requests.get(f"{gateway.url}/health", timeout=10).status_code == 401
    headers = {"authorization": "Bearer sk-wrong"}
    response = requests.get(f"{gateway.url}/health", headers=headers, timeout=10)
    assert response.status_code == 401
    assert WEST not in response.text


def test_no_request_is_sent_to_bedrock_for_it(gateway, bedrock):
    health(gateway)
    assert bedrock.quiet_log() == []

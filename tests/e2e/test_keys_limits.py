"""Limits of virtual keys and teams: what is refused, counted and shown, over all workers."""

import concurrent.futures
import hashlib
import json

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from clients import messages, question
from gateway import KEY
from supervised import Supervised, eventually
from test_keys import MODELS, Keys

ENTRIES = {
    "requests": {"rpm_limit": 3},
    "tokens": {"tpm_limit": 30},
    "budget": {"max_budget": 0.0005},
    "exhausted": {"max_budget": 0},
    "parallel": {"max_parallel_requests": 2},
    "burst": {"rpm_limit": 100},
    "of-model": {"model_rpm_limit": {"claude": 1}},
    "red-1": {"team_id": "red"},
    "red-2": {"team_id": "red"},
    "blue": {"team_id": "blue"},
    "free": {"aliases": {"mine": "nova"}, "models": ["nova"]},
}
TEAMS = [{"team_id": "red", "rpm_limit": 2}, {"team_id": "blue", "blocked": True}]


def secret(name: str) -> str:
    return f"sk-of-{name}"


def configuration() -> str:
    keys = [
        {"key_alias": name, "token": hashlib.sha256(secret(name).encode()).hexdigest(), **limits}
        for name, limits in ENTRIES.items()
    ]
    own = {"keys_file": "keys.json", "keys": keys, "teams": TEAMS}
    return f"model_list:{MODELS}\nenvoy_bedrock: {json.dumps(own)}\n"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("limits") / "config.yaml"
    path.write_text(configuration())
    return path


@pytest.fixture(scope="module")
def keys(config):
    return Keys(config)


@pytest.fixture(scope="module")
def gateway(config):
    with Supervised(config=config) as running:
        yield running


def ask(gateway, key, model="claude", operation="converse", **options):
    return requests.post(
        f"{gateway.url}/bedrock/model/{model}/{operation}",
        data=question("who am I", **options),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
        timeout=60,
    )


def info(gateway, key) -> dict:
    headers = {"authorization": f"Bearer {key}"}
    answer = requests.get(f"{gateway.url}/key/info", headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()["info"]


def error_of(gateway, key):
    client = boto3.client(
        "bedrock-runtime",
        region_name="us-west-2",
        endpoint_url=f"{gateway.url}/bedrock",
        aws_access_key_id=key,
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 3, "mode": "standard"}),
    )
    with pytest.raises(ClientError) as raised:
        client.converse(modelId="claude", messages=messages("who am I"))
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["RetryAttempts"]


def test_requests_per_minute(gateway):
    key = secret("requests")
    left = [ask(gateway, key).headers["x-ratelimit-remaining-requests"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    refused = ask(gateway, key)
    assert refused.status_code == 429
    assert refused.headers["x-amzn-errortype"] == "ThrottlingException"
    assert refused.headers["rate_limit_type"] == "requests"
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["reset_at"].endswith(" UTC")
    error = refused.json()["error"]
    assert error["type"] == "throttling_error"
    token = hashlib.sha256(key.encode()).hexdigest()
    assert error["message"].startswith(f"Rate limit exceeded for api_key: {token}. Limit type: req")
    assert info(gateway, key)["current_rpm"] == 3


def test_tokens_per_minute(gateway):
    key = secret("tokens")
    statuses = [ask(gateway, key).status_code for _ in range(30)]
    admitted = statuses.index(429)
    assert 1 <= admitted < 30 and set(statuses[admitted:]) == {429}, statuses
    refused = ask(gateway, key)
    assert refused.headers["rate_limit_type"] == "tokens"
    assert info(gateway, key)["current_tpm"] >= 30


def test_a_budget_is_spent_and_the_sdk_does_not_retry(gateway, keys):
    key = secret("budget")
    spent = 0
    for _ in range(1000):
        answer = ask(gateway, key)
        if answer.status_code != 200:
            break
        spent += float(answer.headers["x-litellm-response-cost"])
        assert float(answer.headers["x-litellm-key-spend"]) == pytest.approx(spent, rel=1e-9)
        assert answer.headers["x-litellm-key-max-budget"] == "0.0005"
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["type"] == "budget_exceeded"
    assert spent >= 0.0005 and info(gateway, key)["spend"] == pytest.approx(spent, rel=1e-9)
    assert error_of(gateway, key) == ("ServiceQuotaExceededException", 0)


def test_a_budget_of_nothing_admits_nothing(gateway):
    assert ask(gateway, secret("exhausted")).status_code == 422


def test_a_key_is_topped_up_and_rotated_with_its_spend(gateway, keys):
    made = keys.json("new", "--alias", "small", "--max-budget", "0.0003", "--rpm-limit", "1000")
    key = made["key"]
    eventually(lambda: ask(gateway, key).status_code == 200, "the new key works")
    eventually(lambda: ask(gateway, key).status_code == 422, "its budget is spent")
    spend = info(gateway, key)["spend"]
    keys.run("update", "small", "--max-budget", "1000")
    eventually(lambda: ask(gateway, key).status_code == 200, "it was topped up")
    assert info(gateway, key)["spend"] > spend, "nothing was forgotten"
    new = keys.json("rotate", "small", "--grace", "1h")["key"]
    eventually(lambda: ask(gateway, new).status_code == 200, "the new key works")
    assert ask(gateway, key).status_code == 200, "and the old one, for an hour"
    assert info(gateway, new)["spend"] > spend
    assert info(gateway, key) == info(gateway, new)


def test_requests_at_once_and_what_failed_is_returned(gateway):
    key = secret("parallel")
    gateway.pace(events=10, interval_ms=100)
    stream = lambda _: ask(gateway, key, operation="converse-stream").status_code  # noqa: E731
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(stream, range(8)))
    assert statuses.count(200) == 2 and set(statuses) == {200, 429}, statuses
    gateway.pace()
    for _ in range(5):
        with requests.post(
            f"{gateway.url}/bedrock/model/claude/converse-stream",
            data=question("who am I"),
            headers={"authorization": f"Bearer {key}"},
            stream=True,
            timeout=30,
        ) as broken:
            next(broken.iter_content(16))
        assert ask(gateway, key, model="nothing").status_code == 400

    def is_idle():
        return info(gateway, key)["current_parallel_requests"] == 0

    eventually(is_idle, "no request is left")


def test_a_burst_over_all_workers_admits_exactly_the_limit(gateway):
    key = secret("burst")
    session = requests.Session
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        sessions = [session() for _ in range(64)]

        def burst(number):
            answer = sessions[number].post
            url = f"{gateway.url}/bedrock/model/claude/converse"
            headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
            return [
                answer(url, data=question("hi"), headers=headers, timeout=60).status_code
                for _ in range(5)
            ]

        statuses = [status for many in pool.map(burst, range(64)) for status in many]
    assert statuses.count(200) == 100 and statuses.count(429) == 220, statuses
    assert info(gateway, key)["current_rpm"] == 100
    cost = [row["spend"] for row in rows_of(gateway, "burst", 320) if row["spend"]]
    assert info(gateway, key)["spend"] == pytest.approx(sum(map(float, cost)), rel=1e-9)


def rows_of(gateway, alias, count):
    def found():
        rows = [row for row in gateway.rows() if row.get("key_alias") == alias]
        return rows if len(rows) >= count else None

    return eventually(found, f"{count} rows of {alias}")


def test_a_limit_of_one_model_leaves_the_others(gateway):
    key = secret("of-model")
    assert [ask(gateway, key, model).status_code for model in ("claude", "claude", "nova")] == [
        200,
        429,
        200,
    ]


def test_the_keys_of_a_team_share_its_limits(gateway):
    answers = [ask(gateway, secret(name)) for name in ("red-1", "red-2", "red-1")]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "team: red" in answers[-1].json()["message"]
    assert info(gateway, secret("red-2"))["team"]["current_rpm"] == 2
    assert ask(gateway, secret("blue")).status_code == 401


def test_a_stream_says_what_the_key_has_spent_before(gateway):
    key = secret("free")
    assert ask(gateway, key, "nova").status_code == 200
    spend = info(gateway, key)["spend"]
    stream = ask(gateway, key, "nova", operation="converse-stream")
    assert spend > 0 and float(stream.headers["x-litellm-key-spend"]) == pytest.approx(spend)
    assert info(gateway, key)["spend"] > spend


def test_a_refused_request_has_the_key_in_its_row(gateway):
    assert ask(gateway, secret("free"), model="claude").status_code == 403
    refused = [row for row in rows_of(gateway, "free", 3) if row["http_status"] == 403]
    assert refused[0]["api_key"] == hashlib.sha256(secret("free").encode()).hexdigest()


def test_a_key_asks_about_itself_and_its_models(gateway):
    def get(path, key=None):
        headers = {"authorization": f"Bearer {key or secret('free')}"}
        return requests.get(gateway.url + path, headers=headers, timeout=10)

    assert [model["id"] for model in get("/v1/models").json()["data"]] == ["nova", "mine"]
    assert get("/v1/models/mine").json()["id"] == "mine"
    assert get("/v1/models/claude").status_code == 404
    [nova] = get("/model/info").json()["data"]
    assert nova["model_name"] == "nova" and "aws_access_key_id" not in str(nova)
    assert get("/key/info", KEY).json()["info"]["key_alias"] == "master_key"
    token = hashlib.sha256(secret("free").encode()).hexdigest()
    assert get(f"/key/info?key={token}", KEY).json()["info"]["key_alias"] == "free"
    assert get(f"/key/info?key={token}", secret("burst")).status_code == 403
    assert get("/v1/models", "sk-nobody").status_code == 401
    assert requests.post(f"{gateway.url}/v1/models", timeout=10).status_code == 404


def test_limits_survive_a_reload(gateway, keys):
    key = secret("requests")
    before = info(gateway, key)
    keys.run("new", "--alias", "another")
    eventually(lambda: keys.json("info", "another"), "a reload")
    made = keys.json("new", "--alias", "one-more")["key"]
    eventually(lambda: ask(gateway, made).status_code == 200, "the reload")
    assert info(gateway, key)["spend"] == before["spend"]

"""Virtual keys: made and changed by `envoy-bedrock keys` while the gateway runs."""

import hashlib
import json
import os
import subprocess

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from clients import messages, question
from emulator import ROOT
from gateway import KEY, command_line
from runtime import wait_for_counters
from supervised import Supervised, eventually

MODELS = """
  - model_name: claude
    litellm_params: {model: bedrock/anthropic.claude-v2:1, aws_region_name: us-west-2}
  - model_name: nova
    litellm_params: {model: bedrock/us.amazon.nova-lite-v1:0, aws_region_name: us-west-2}
"""
LISTED = "sk-listed-in-the-file"


def configuration(more="") -> str:
    digest = hashlib.sha256(LISTED.encode()).hexdigest()
    return f"""model_list:{MODELS}
envoy_bedrock:
  keys_file: keys.json
  keys:
    - {{token: "{digest}", key_alias: listed, models: ["n*"], team_id: search, tags: [nightly]}}
    - {{key: os.environ/APP_KEY, key_alias: by-variable, aliases: {{fast: nova}}}}
{more}"""


class Keys:
    """`envoy-bedrock keys` for a configuration."""

    def __init__(self, config, env=None):
        self.config = config
        self.env = env or {}

    def run(self, *arguments, code=0):
        done = subprocess.run(
            [command_line(), "keys", "--config", self.config, *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, **self.env},
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def json(self, *arguments):
        return json.loads(self.run("--json", *arguments))


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "config.yaml"
    path.write_text(configuration())
    return path


@pytest.fixture(scope="module")
def keys(config):
    keys = Keys(config)
    keys.run("new", "--alias", "first")
    return keys


@pytest.fixture(scope="module")
def gateway(config, keys):
    with Supervised(config=config, env={"APP_KEY": "sk-in-a-variable"}) as running:
        yield running


def ask(gateway, key, model="claude"):
    return requests.post(
        f"{gateway.url}/bedrock/model/{model}/converse",
        data=question("who am I"),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
        timeout=30,
    )


def status(gateway, key, model="claude"):
    return ask(gateway, key, model).status_code


def becomes(gateway, key, expected):
    eventually(lambda: status(gateway, key) == expected, f"{expected} for a key")


def error_of(gateway, key, model):
    client = boto3.client(
        "bedrock-runtime",
        region_name="us-west-2",
        endpoint_url=f"{gateway.url}/bedrock",
        aws_access_key_id=key,
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(ClientError) as raised:
        client.converse(modelId=model, messages=messages("who am I"))
    return raised.value.response["Error"]["Code"]


def test_a_key_is_made_changed_and_ended_while_the_gateway_runs(gateway, keys):
    made = keys.json("new", "--alias", "app1", "--models", "clau*", "--duration", "90d")
    key = made["key"]
    assert made["token"] == hashlib.sha256(key.encode()).hexdigest()
    becomes(gateway, key, 200)
    assert error_of(gateway, key, "nova") == "AccessDeniedException"
    refused = ask(gateway, key, "nova")
    assert (refused.status_code, refused.json()["error"]["type"]) == (
        403,
        "key_model_access_denied",
    )
    keys.run("block", "app1")
    becomes(gateway, key, 401)
    assert error_of(gateway, key, "claude") == "UnrecognizedClientException"
    keys.run("unblock", made["token"][:12])
    becomes(gateway, key, 200)
    rotated = keys.json("rotate", "app1", "--grace", "0s")
    becomes(gateway, rotated["key"], 200)
    assert ask(gateway, key).json()["error"]["type"] == "expired_key"
    assert rotated["models"] == ["clau*"] and rotated["key"] != key
    keys.run("delete", "app1")
    becomes(gateway, rotated["key"], 401)
    assert status(gateway, KEY) == 200, "the master key is not affected"
    for secret in (key, rotated["key"]):
        assert secret not in gateway.log() + gateway.output()
        assert not [path for path in written(gateway, keys) if secret in path.read_text("latin-1")]


def written(gateway, keys):
    files = [*gateway.folder.rglob("*"), *keys.config.parent.iterdir()]
    return [path for path in files if path.is_file()]


def test_keys_in_the_configuration_work_and_their_rows_say_whose_they_are(gateway):
    assert status(gateway, LISTED, "nova") == 200
    assert status(gateway, LISTED, "claude") == 403
    assert status(gateway, "sk-in-a-variable", "fast") == 200
    assert status(gateway, KEY, "fast") == 400, "the alias is that key's own"
    digest = hashlib.sha256(LISTED.encode()).hexdigest()

    def rows():
        rows = [row for row in gateway.rows() if row.get("key_alias") == "listed"]
        return rows if len(rows) == 2 else None

    for row in eventually(rows, "the rows of a key, also of a refused request"):
        assert row["api_key"] == digest
        assert (row["team_id"], row["request_tags"]) == ("search", ["nightly"])
    wait_for_counters()
    page = requests.get(f"{gateway.admin}/stats/prometheus", timeout=10).text
    assert 'key_alias="by-variable"' in page and 'key_alias="listed"' in page


def test_only_the_master_key_can_look_up_rows(gateway):
    def look_up(key):
        headers = {"authorization": f"Bearer {key}"}
        url = f"{gateway.url}/spend/logs?request_id=x"
        return requests.get(url, headers=headers, timeout=10).status_code

    assert [look_up(key) for key in (KEY, LISTED, "sk-nobody")] == [200, 403, 401]


def test_a_key_expires(gateway, keys):
    key = keys.json("new", "--alias", "short", "--duration", "5s")["key"]
    becomes(gateway, key, 200)
    becomes(gateway, key, 401)
    assert ask(gateway, key).json()["error"]["type"] == "expired_key"


def test_the_list_shows_no_key(keys):
    made = keys.json("new", "--alias", "shown", "--team-id", "ads")
    listed = keys.run("list")
    assert "shown" in listed and "ads" in listed and made["token"][:16] in listed
    assert made["key"] not in listed + keys.run("info", "shown") + keys.run("--json", "list")


def test_what_cannot_be_done_is_said(keys, tmp_path):
    assert "exists already" in keys.run("new", "--alias", "first", code=1)
    assert "a value is required for '--alias" in keys.run("new", "--alias=", code=2)
    assert "whole number that is not negative" in keys.run("new", "--rpm-limit", "-1", code=2)
    token = keys.json("info", "first")["token"]
    alike = keys.json("new", "--alias", token[:8])["token"]
    assert "several keys" in keys.run("block", token[:8], code=1)
    keys.run("delete", alike[:8])
    assert "no key has the alias" in keys.run("block", "nobody", code=1)
    assert "--duration: expected" in keys.run("new", "--duration", "soon", code=1)
    bare = tmp_path / "config.yaml"
    bare.write_text(f"model_list:{MODELS}")
    error = Keys(bare).run("list", code=1)
    assert "envoy_bedrock.keys_file" in error and "keys_file: keys.json" in error


def test_limits_of_models_that_do_not_exist_are_noted(tmp_path):
    config = tmp_path / "config.yaml"
    limits = "model_rpm_limit: {claude: 1, clau*: 1}, model_tpm_limit: {misspelt: 1}"
    entry = f"{{key: os.environ/APP_KEY, {limits}}}"
    config.write_text(f"model_list:{MODELS}\nenvoy_bedrock: {{keys: [{entry}]}}\n")
    done = subprocess.run(
        [command_line(), "check", config],
        capture_output=True,
        text=True,
        env={"APP_KEY": "sk-x", "LITELLM_MASTER_KEY": KEY},
    )
    assert done.returncode == 0
    assert 'not a model_name: "clau*", "misspelt"' in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "entry, expected",
    [
        ("{token: 'sk-a-key'}", "keys[0].token: expected the SHA-256"),
        ("{key_alias: a}", "missing token or key"),
        ("{key: os.environ/NOT_SET_ANYWHERE}", "NOT_SET_ANYWHERE is unset"),
        ("{key: os.environ/APP_KEY, max_budgets: 5}", "keys[0].max_budgets: expected one of"),
        ("{key: os.environ/APP_KEY, max_budget: much}", "keys[0].max_budget: expected an amount"),
        ("{key: os.environ/APP_KEY, rpm_limit: 1.5}", "keys[0].rpm_limit: expected a whole"),
        ("{key: os.environ/APP_KEY, budget_duration: 1y}", "keys[0].budget_duration: expected"),
        ("{key: os.environ/APP_KEY, model_rpm_limit: {claude: -1}}", "model_rpm_limit.claude"),
        ("{key: os.environ/APP_KEY, model: [a]}", "one of these fields"),
        ("{key: os.environ/APP_KEY, expires: tomorrow}", "keys[0].expires: expected a time"),
        (f"{{token: {hashlib.sha256(KEY.encode()).hexdigest()}}}", "found the master key"),
        ("{key: os.environ/LITELLM_MASTER_KEY, key_alias: a}", "the master key with the key_alias"),
        ("{key: os.environ/APP_KEY}, {key: os.environ/APP_KEY}", "APP_KEY is already used at"),
        (
            f"{{key: os.environ/APP_KEY, former_tokens: [{{token: {'a' * 64}, valid_until: "
            f"'2030-01-01T00:00:00Z'}}]}}, {{token: {'a' * 64}}}",
            "the key with the token aaaaaaaa is already used at",
        ),
        ("{key: os.environ/APP_KEY, models: [all-team-models]}", "names of models"),
    ],
)
def test_a_key_that_cannot_be_enforced_stops_the_start(tmp_path, entry, expected):
    config = tmp_path / "config.yaml"
    config.write_text(f"model_list:{MODELS}\nenvoy_bedrock: {{keys: [{entry}]}}\n")
    done = subprocess.run(
        [command_line(), "check", config],
        capture_output=True,
        text=True,
        env={"APP_KEY": "sk-x", "LITELLM_MASTER_KEY": KEY},
        cwd=ROOT,
    )
    assert done.returncode == 1 and expected in done.stdout + done.stderr, done.stdout


def test_an_import_leaves_out_the_row_of_the_master_key(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        f"model_list:{MODELS}\ngeneral_settings: {{master_key: sk-the-master}}\n"
        "envoy_bedrock: {keys_file: keys.json}\n"
    )
    rows = [
        {"token": hashlib.sha256(key.encode()).hexdigest(), "models": []}
        for key in ("sk-the-master", "sk-of-an-app")
    ]
    table = tmp_path / "table.json"
    table.write_text(json.dumps(rows))
    report = Keys(config).json("import", str(table))
    assert report["skipped"]["in_configuration"] == 1
    stored = json.loads((tmp_path / "keys.json").read_text())["keys"]
    assert [key["token"] for key in stored] == [rows[1]["token"]]

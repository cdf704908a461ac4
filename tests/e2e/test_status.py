"""`envoy-bedrock status`: what the deployments of a running gateway are doing."""

import json
import os
import subprocess

import pytest
import requests

from deployments import CLAUDE
from gateway import KEY, command_line
from supervised import Supervised, eventually

WEST, EAST = "us-west-2", "us-east-1"
CONFIG = f"""model_list:
  - model_name: my-bedrock-model
    litellm_params: {{model: bedrock/{CLAUDE}, aws_region_name: {WEST}, order: 1}}
  - model_name: my-bedrock-model
    litellm_params: {{model: bedrock/{CLAUDE}, aws_region_name: {EAST}, order: 2}}
router_settings: {{cooldown_time: 3600}}
general_settings: {{master_key: os.environ/LITELLM_MASTER_KEY}}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    path = tmp_path_factory.mktemp("status") / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    with Supervised("--no-standby", config=path) as gateway:
        yield gateway


def status(*arguments, key=KEY, **options) -> subprocess.CompletedProcess:
    environment = {"PATH": os.environ["PATH"], **({"LITELLM_MASTER_KEY": key} if key else {})}
    command = [command_line(), "status", *map(str, arguments)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=30, **options
    )


def shown(*arguments, key=KEY) -> str:
    done = status(*arguments, key=key)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_deployment_is_shown_with_what_it_has_done(running):
    fault = {"kind": "status", "status": 429, "match": {"region": WEST}}
    requests.post(f"{running.control}/faults", json=fault, timeout=10).raise_for_status()
    for _ in range(3):
        assert running.post().status_code == 200

    def counted():
        body = json.loads(shown("--state", running.folder, "--json"))
        return body if body["total"]["requests"] == 4 else None

    body = eventually(counted, "three requests and one retry")
    found = {each["region"]: each for each in body["deployments"]}
    west, east = found[WEST], found[EAST]
    assert (west["state"], west["last_status"]) == ("cooling", 429)
    assert (west["requests"], west["errors"], west["cooldowns"]) == (1, 1, 1)
    assert (west["tokens"], west["spend"]) == (0, 0)
    assert (east["state"], east["requests"], east["errors"], east["cooldowns"]) == (
        "ready",
        3,
        0,
        0,
    )
    assert east["tokens"] > 0 and east["spend"] > 0
    assert body["total"]["tokens"] == east["tokens"]
    assert body["note"] is None

    table = shown("--state", running.folder, "--once")
    heading, *rows, total = table.splitlines()
    assert heading.split()[:4] == ["MODEL", "DEPLOYMENT", "REGION", "STATE"]
    (row,) = [row for row in rows if WEST in row]
    assert " cooling " in row and " s (429) " in row
    assert total.split()[0] == "TOTAL"
    assert KEY not in table


def test_without_a_key_only_the_state_is_missing(running):
    table = shown("--admin", running.admin, "--once", key=None)
    assert WEST in table and EAST in table and " cooling " not in table
    assert "needs a key: set LITELLM_MASTER_KEY or --key" in table
    refused = shown("--admin", running.admin, "--once", key="sk-wrong")
    assert "expected status 200, found 401" in refused
    assert "sk-wrong" not in refused


def test_the_table_is_repeated_until_the_command_is_stopped(running):
    command = [command_line(), "status", "--state", str(running.folder)]
    environment = {"PATH": os.environ["PATH"], "LITELLM_MASTER_KEY": KEY}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        headings = (line for line in process.stdout if "DEPLOYMENT" in line)
        assert next(headings) == next(headings)
        process.kill()


def test_without_a_gateway_it_says_what_is_missing(tmp_path):
    done = status("--state", tmp_path)
    assert done.returncode == 1
    assert f"there is no {tmp_path}/admin-url" in done.stderr
    (tmp_path / "admin-url").write_text("http://127.0.0.1:1\n", encoding="ascii")
    done = status("--state", tmp_path)
    assert done.returncode == 1
    assert "no gateway is running at http://127.0.0.1:1" in done.stderr

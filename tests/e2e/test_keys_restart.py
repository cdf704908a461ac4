"""Budgets of virtual keys across restarts: the spend log is folded into opening balances."""

import hashlib
import json
import signal
import time

import pytest

from supervised import Supervised, eventually
from test_keys import MODELS
from test_keys_limits import ask, info

KEY = "sk-of-the-budget"
# Five requests.
BUDGET = 0.19
# Envoy writes the spend log once a second.
FLUSH_SECONDS = 1.5


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    token = hashlib.sha256(KEY.encode()).hexdigest()
    key = {"key_alias": "app", "token": token, "max_budget": BUDGET, "team_id": "red"}
    own = {"keys": [key], "teams": [{"team_id": "red", "max_budget": 1}]}
    path.write_text(f"model_list:{MODELS}\nenvoy_bedrock: {json.dumps(own)}\n")
    return path


def logged(gateway) -> float:
    return sum(float(row["spend"] or 0) for row in gateway.rows() if row.get("key_alias") == "app")


def test_a_budget_survives_a_restart_of_run_and_a_torn_log(config, tmp_path):
    log = tmp_path / "spend.jsonl"
    with Supervised(config=config, spend_log=log) as first:
        for _ in range(3):
            assert ask(first, KEY).status_code == 200
        spent = info(first, KEY)["spend"]
        first.signal(signal.SIGTERM)
        assert first.exit_code() == 0
    with log.open("a") as torn:
        torn.write('{"api_key": "torn')
    with Supervised(config=config, spend_log=log) as second:
        assert info(second, KEY)["spend"] == pytest.approx(spent, rel=1e-9)
        assert info(second, KEY)["team"]["spend"] == pytest.approx(spent, rel=1e-9)
        assert ask(second, KEY).status_code == 200
        assert info(second, KEY)["spend"] > spent
        eventually(lambda: ask(second, KEY).status_code == 422, "the budget is spent")
        assert info(second, KEY)["spend"] >= BUDGET


def test_a_budget_survives_the_death_of_envoy(config):
    with Supervised(config=config) as gateway:
        gateway.standby()
        for _ in range(4):
            assert ask(gateway, KEY).status_code == 200
        spent = info(gateway, KEY)["spend"]
        eventually(lambda: logged(gateway) == pytest.approx(spent, rel=1e-9), "the rows")
        gateway.kill_envoy()

        def is_known():
            try:
                return info(gateway, KEY)["spend"] == pytest.approx(spent, rel=1e-9)
            except (OSError, AssertionError):
                return False

        eventually(is_known, "the opening balance")
        assert ask(gateway, KEY).status_code == 200
        assert info(gateway, KEY)["spend"] > spent


def test_what_the_log_does_not_have_yet_is_lost(config):
    with Supervised(config=config) as gateway:
        gateway.standby()
        assert ask(gateway, KEY).status_code == 200
        time.sleep(FLUSH_SECONDS)
        kept = logged(gateway)
        assert ask(gateway, KEY).status_code == 200
        gateway.kill_envoy()

        def is_known():
            try:
                return info(gateway, KEY)["spend"] >= kept
            except (OSError, AssertionError):
                return False

        eventually(is_known, "the opening balance")

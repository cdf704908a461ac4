"""A changed configuration is in use within seconds, without a restart of Envoy.

Whatever the change is and however the file is saved. A configuration with errors changes nothing,
and says so in the log, in readiness and in a metric.
"""

import json
import os
import pathlib
import signal
import subprocess
import threading

import pytest
import requests

from gateway import KEY, config
from runtime import RUNTIME, filter_module, read_stats
from supervised import Supervised, eventually

MODEL = "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
HELLO = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
FAILURES = "envoy_bedrock_config_reloads;result=failure"


def deployment(region="us-west-2", model=MODEL, **parameters) -> dict:
    return {"model": model, "aws_region_name": region, **parameters}


def text(*names, **sections) -> str:
    return config([(name, deployment()) for name in names], **sections)


class Reloadable(Supervised):
    """A gateway on the emulator with its own configuration, `path`."""

    def __init__(self, path: pathlib.Path, content: str, *arguments, **options):
        self.path = path
        path.write_text(content, encoding="utf-8")
        super().__init__(*arguments, config=path, **options)

    def replace(self, content: str):
        """As most programs save a file: a new one takes its name."""
        new = self.path.with_suffix(".new")
        new.write_text(content, encoding="utf-8")
        os.replace(new, self.path)

    def ask(self, model: str, key=KEY, operation="converse") -> requests.Response:
        return requests.post(
            f"{self.url}/model/{model}/{operation}",
            json=HELLO,
            headers={"authorization": f"Bearer {key}"},
            timeout=30,
        )

    def open_stream(self, model: str) -> requests.Response:
        """A response whose first bytes have arrived."""
        response = requests.post(
            f"{self.url}/model/{model}/converse-stream",
            json=HELLO,
            headers={"authorization": f"Bearer {KEY}"},
            timeout=60,
            stream=True,
        )
        assert response.status_code == 200
        return response

    def serves(self, model: str, key=KEY) -> bool:
        return self.ask(model, key).status_code == 200

    def readiness(self) -> dict:
        response = requests.get(f"{self.url}/health/readiness", timeout=10)
        assert response.status_code == 200
        return response.json()

    def failure(self) -> dict | None:
        """What readiness says about the newest configuration."""
        return self.readiness().get("config_reload")

    def metric(self, name: str) -> int:
        found = self.stat(f"wasmcustom.{name}")
        return 0 if found is None else found

    def command(self, method="POST", path="/reload") -> tuple:
        """The status and the JSON of the control socket, by curl."""
        done = subprocess.run(
            [
                *("curl", "-s", "-w", "\n%{http_code}", "-X", method),
                *("--unix-socket", self.folder / "control.sock", f"http://localhost{path}"),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), json.loads(body)


@pytest.fixture
def path(tmp_path) -> pathlib.Path:
    return tmp_path / "config.yaml"


@pytest.fixture
def running(path):
    with Reloadable(path, text("first")) as gateway:
        yield gateway
        # Whatever a test has done, the gateway still serves.
        gateway.replace(text("last"))
        eventually(lambda: gateway.serves("last"), "the last configuration")


def test_models_and_regions_come_and_go(running):
    envoy = running.envoy()
    assert running.serves("first")
    running.replace(config([("second", deployment("eu-central-1"))]))
    eventually(lambda: running.serves("second"), "the new model")
    assert running.ask("first").status_code == 400
    assert running.ask("second").headers["x-litellm-model-region"] == "eu-central-1"
    assert running.envoy() == envoy


def test_a_changed_master_key_is_honoured_and_the_old_one_refused(running):
    def general(key):
        return {"general_settings": {"master_key": key}}

    for key in ["sk-second", "sk-third"]:
        running.replace(text("first", **general(key)))
        eventually(lambda key=key: running.serves("first", key), key)
        assert running.ask("first").status_code == 401
    assert running.ask("first", "sk-second").status_code == 401
    written = "".join(
        file.read_text(errors="replace") for file in running.folder.rglob("*") if file.is_file()
    )
    assert "filters.yaml" in {file.name for file in running.folder.rglob("*")}
    assert "sk-third" not in written


def test_literal_aws_credentials_can_change(running):
    for secret in ["worthless/secret/1", "worthless/secret/2"]:
        keys = {"aws_access_key_id": "AKIAE2ERELOAD000001", "aws_secret_access_key": secret}
        running.replace(config([(secret[-1], deployment(**keys))]))
        eventually(lambda name=secret[-1]: running.serves(name), secret)


def test_weights_prices_limits_and_timeouts_can_change(running):
    west = deployment(weight=0, input_cost_per_token=1, output_cost_per_token=0)
    east = deployment("us-east-1", weight=1, input_cost_per_token=2, output_cost_per_token=0)
    limits = {"general_settings": {"max_request_size_mb": 0.001}}
    timeouts = {"litellm_settings": {"request_timeout": 7, "num_retries": 0}}
    running.replace(config([("m", west), ("m", east)], **limits, **timeouts))
    eventually(lambda: running.serves("m"), "the new configuration")
    response = running.ask("m")
    assert response.headers["x-litellm-model-region"] == "us-east-1"
    cost = float(response.headers["x-litellm-response-cost"])
    assert cost == 2 * response.json()["usage"]["inputTokens"]
    large = {"messages": [{"role": "user", "content": [{"text": "x" * 2_000}]}]}
    refused = requests.post(
        f"{running.url}/model/m/converse",
        json=large,
        headers={"authorization": f"Bearer {KEY}"},
        timeout=30,
    )
    assert refused.status_code == 413
    routes = requests.get(f"{running.admin}/config_dump?resource=dynamic_route_configs", timeout=10)
    assert '"timeout": "7s"' in routes.text


def test_includes_and_the_price_list_are_watched(path, tmp_path):
    prices = tmp_path / "prices.json"

    def price(amount):
        entry = {"input_cost_per_token": amount, "output_cost_per_token": 0}
        entry |= {"litellm_provider": "bedrock_converse", "mode": "chat"}
        return json.dumps({MODEL.removeprefix("bedrock/"): entry})

    prices.write_text(price(1))
    more = tmp_path / "more.yaml"
    more.write_text(text("included"))
    with Reloadable(path, json.dumps({"include": ["more.yaml"]}), "--prices", prices) as running:
        assert running.serves("included")
        more.write_text(text("included", "added"))
        eventually(lambda: running.serves("added"), "the changed include")

        def cost_per_token():
            response = running.ask("added")
            cost = float(response.headers["x-litellm-response-cost"])
            return cost / response.json()["usage"]["inputTokens"]

        assert cost_per_token() == 1
        prices.write_text(price(3))
        eventually(lambda: cost_per_token() == 3, "the changed price")


@pytest.mark.parametrize(
    "broken, place, problem",
    [
        ("model_list: [", "config.yaml:", "YAML"),
        ("", "config.yaml", "model_list"),
        ("model_list:\n- model_name: 5\n  litellm_params: {model: bedrock/a.b}\n", ":2", "name"),
        (
            text("first", general_settings={"allowed_ips": ["10.0.0.1"]}),
            "config.yaml",
            "allowed_ips",
        ),
    ],
)
def test_a_broken_edit_changes_nothing_and_is_reported(running, broken, place, problem):
    running.replace(broken)
    failure = eventually(running.failure, "the failure in readiness")
    assert failure["status"] == "failed" and failure["since"].endswith("Z")
    assert place in failure["error"] and problem in failure["error"], failure
    assert running.serves("first")
    assert place in running.wait_for(r"cannot be used, and the previous one .*").group(0)
    assert running.metric("envoy_bedrock_config_last_reload_successful") == 0
    assert running.metric(FAILURES) == 1
    running.replace(broken + " ")
    eventually(lambda: running.metric(FAILURES) == 2, "the second failure")
    assert running.failure()["since"] == failure["since"]
    running.replace(text("repaired"))
    eventually(lambda: running.serves("repaired"), "the repaired configuration")
    assert running.failure() is None
    assert running.metric("envoy_bedrock_config_last_reload_successful") == 1


def test_a_request_that_began_before_ends_under_the_old_configuration(running):
    running.pace(interval_ms=200)
    streams = [running.open_stream("first") for _ in range(4)]
    # Its first attempt is slow, and its second one comes after the reload.
    fault = {"kind": "status", "status": 503, "count": 1, "match": {"operation": "converse"}}
    requests.post(f"{running.control}/faults", json=fault, timeout=10).raise_for_status()
    running.pace(interval_ms=200, latency_ms=3_000)
    answers = []
    retried = threading.Thread(target=lambda: answers.append(running.ask("first")))
    retried.start()
    running.replace(
        config([("second", deployment("eu-west-1"))], general_settings={"master_key": "sk-other"})
    )
    eventually(lambda: running.ask("first").status_code == 401, "the new key")
    retried.join()
    assert [answer.status_code for answer in answers] == [200]
    for stream in streams:
        assert b"totalTokens" in b"".join(stream.iter_content(256))


def test_a_reload_neither_loses_nor_doubles_a_count(running):
    sent = refused = 0
    for number in range(5):
        added = f"added-{number}"
        running.replace(text("first", added))
        while not running.serves(added):
            refused += 1
            assert running.serves("first")
            sent += 1
    assert sent > 0
    counters = (
        "envoy_bedrock_requests_total;model_group=first;|refusals_total;reason=unknown_model$"
    )
    counted = read_stats(running.admin, counters).items()
    assert sum(count for name, count in counted if "refusals" not in name) == sent
    assert sum(count for name, count in counted if "refusals" in name) == refused


def test_the_rows_of_earlier_requests_are_still_found_after_many_reloads(running):
    call = running.ask("first").headers["x-litellm-call-id"]
    for number in range(70):
        running.path.write_text(text("first", f"m{number}"))
        # "unchanged" if the watcher has noticed the change before.
        assert running.command() in [(200, {"status": each}) for each in ("reloaded", "unchanged")]
        eventually(lambda name=f"m{number}": running.serves(name), "the change")
    found = requests.get(
        f"{running.url}/spend/logs",
        params={"request_id": call},
        headers={"authorization": f"Bearer {KEY}"},
        timeout=10,
    ).json()
    assert [row["request_id"] for row in found] == [call]
    # A VM for each worker, one on the main thread and the one that the others are copies of.
    if RUNTIME == "wasm":
        assert running.stat("wasm.envoy.wasm.runtime.v8.active") <= 4


@pytest.mark.parametrize("save", ["in place", "editor", "symbolic link", "directory"])
def test_every_way_of_saving_is_noticed(tmp_path, save):
    folder = tmp_path / "configuration"
    folder.mkdir()
    path = folder / "config.yaml"

    def publish(content, release):
        """A Kubernetes ConfigMap, or a release that a link points to."""
        (folder / release).mkdir()
        (folder / release / "config.yaml").write_text(content)
        os.symlink(release, folder / "next")
        os.replace(folder / "next", folder / "..data")

    if save == "symbolic link":
        publish(text("first"), "one")
        os.symlink("..data/config.yaml", path)
    elif save == "directory":
        publish(text("first"), "one")
        path = folder / "..data" / "config.yaml"
    else:
        path.write_text(text("first"))
    with Supervised(config=path) as running:
        gateway = Reloadable.__new__(Reloadable)
        gateway.__dict__ |= running.__dict__
        assert gateway.serves("first")
        if save == "in place":
            path.write_text(text("second"))
        elif save == "editor":
            # vim keeps the old file as a backup and writes a new one.
            os.rename(path, folder / "config.yaml~")
            path.write_text(text("second"))
            os.unlink(folder / "config.yaml~")
        else:
            publish(text("second"), "two")
        eventually(lambda: gateway.serves("second"), "the saved configuration")


def test_a_storm_of_saves_settles_on_the_last(running):
    for number in range(200):
        running.replace(text(f"m{number}"))
    eventually(lambda: running.serves("m199"), "the last configuration")
    assert running.ask("m198").status_code == 400


def test_the_control_socket_reloads_and_reports_the_result(running):
    assert running.command() == (200, {"status": "unchanged"})
    running.path.write_text(text("second"))
    assert running.command()[0] == 200
    assert running.serves("second")
    running.path.write_text("model_list: {}")
    status, body = running.command()
    assert status == 422 and body["status"] == "failed" and "model_list" in body["error"]
    assert running.command("GET")[0] == 405
    assert running.command(path="/other")[0] == 404
    mode = (running.folder / "control.sock").stat().st_mode
    assert mode & 0o777 == 0o600


def test_sighup_reloads(running):
    running.signal(signal.SIGHUP)
    running.wait_for("the configuration is equivalent to the previous one")
    assert running.process.poll() is None and running.serves("first")


def test_a_restarted_envoy_has_the_newest_configuration_and_follows_changes(running):
    running.replace(text("second"))
    eventually(lambda: running.serves("second"), "the changed configuration")
    running.kill_envoy()
    running.wait_for("Envoy serves again")
    assert running.serves("second")
    running.replace(text("third"))
    eventually(lambda: running.serves("third"), "a change after the restart")
    running.replace("broken: [")
    eventually(running.failure, "the failure")
    running.kill_envoy()
    running.wait_for("Envoy serves again", count=2)
    assert running.serves("third") and running.failure()


def test_a_standby_follows_changes(running):
    standby = running.standby()
    running.path.write_text(text("second"))
    assert running.command()[0] == 200
    running.kill_envoy()
    running.wait_for("Envoy serves again")
    assert running.envoy() == standby
    assert running.serves("second") and running.ask("first").status_code == 400


def test_what_needs_a_restart_is_named(path):
    with Reloadable(path, text("first"), env={"OTEL_SDK_DISABLED": "true"}) as running:
        variables = {"environment_variables": {"OTEL_SDK_DISABLED": "false"}}
        running.replace(text("second", **variables))
        failure = eventually(running.failure, "the failure")
        assert failure["error"] == "it changes the OpenTelemetry collector: restart to use it"
        assert running.serves("first")


def test_a_filter_that_is_replaced_meanwhile_does_not_matter(path, tmp_path):
    module = tmp_path / "filter.wasm"
    module.write_bytes(filter_module().read_bytes())
    with Reloadable(path, text("first"), module=module) as running:
        module.write_bytes(b"another version")
        running.replace(text("second"))
        eventually(lambda: running.serves("second"), "the changed configuration")
        running.kill_envoy()
        running.wait_for("Envoy serves again")
        assert running.serves("second") and running.failure() is None

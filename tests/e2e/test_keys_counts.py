"""What virtual keys are charged for, whatever clients, Bedrock and the gateway do."""

import concurrent.futures
import contextlib
import hashlib
import itertools
import json
import random
import signal
import socket
import time

import httpx
import pytest
import requests

from clients import COUNT_TOKENS, anthropic, exchange, question
from emulator import ROOT, EmulatorControl
from runtime import filter_module, wasm_only
from supervised import Supervised, eventually
from test_keys import MODELS, Keys
from test_keys_limits import info
from trap_module import TRAP_HEADER, write_trapping

CLIENTS = 64
ROUNDS = 3
PARALLEL = 20
TOO_LARGE = b" " * (1024 * 1024 + 1)
LIMITS = {"rpm_limit": 100_000, "tpm_limit": 10**12, "max_budget": 10**6}
ENTRIES = {
    "app": {**LIMITS, "max_parallel_requests": 1000, "team_id": "red"},
    "few": {"max_parallel_requests": PARALLEL, "max_budget": 10**6, "team_id": "red"},
    "window": {"max_budget": 0.0005, "budget_duration": "5s"},
    "unlimited": {},
}
FAULTS = [
    {"kind": "status", "status": 429, "rate": 0.2},
    {"kind": "status", "status": 403, "rate": 0.05, "error_type": "AccessDeniedException"},
    {"kind": "reset", "rate": 0.05},
    {"kind": "cut", "rate": 0.1, "after_events": 2},
]


def secret(name: str) -> str:
    return f"sk-of-{name}"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("counts") / "config.yaml"
    keys = [
        {"key_alias": name, "token": hashlib.sha256(secret(name).encode()).hexdigest(), **limits}
        for name, limits in ENTRIES.items()
    ]
    own = {"keys_file": "keys.json", "keys": keys, "teams": [{"team_id": "red", **LIMITS}]}
    general = {"max_request_size_mb": 1}
    path.write_text(
        f"model_list:{MODELS}\nenvoy_bedrock: {json.dumps(own)}\n"
        f"general_settings: {json.dumps(general)}\n"
    )
    return path


@pytest.fixture(scope="module")
def gateway(config):
    with Supervised(config=config) as running:
        yield running


@pytest.fixture
def bedrock(gateway):
    control = EmulatorControl(gateway.control)
    yield control
    control.clear_faults()
    control.clear_pace()


def headers(key):
    return {"authorization": f"Bearer {key}", "content-type": "application/json"}


def path(operation, model="claude"):
    return f"/bedrock/model/{model}/{operation}"


class Client:
    """A client that does what clients do, good and bad."""

    def __init__(self, gateway, key, seed):
        self.gateway, self.key, self.random = gateway, key, random.Random(seed)
        self.session = requests.Session()
        self.deeds = [
            self.asks,
            self.streams,
            self.invokes,
            self.invokes_stream,
            self.uses_http2,
            self.counts,
            self.names_no_model,
            self.sends_too_much,
            self.leaves_before_its_headers_end,
            self.leaves_in_its_body,
            self.leaves_before_the_response,
            self.leaves_in_the_stream,
        ]

    def acts(self, rounds):
        for _ in range(rounds):
            for deed in self.random.sample(self.deeds, len(self.deeds)):
                with contextlib.suppress(OSError, httpx.HTTPError, requests.RequestException):
                    deed()

    def post(self, operation, body, model="claude", **options):
        url = self.gateway.url + path(operation, model)
        return self.session.post(url, data=body, headers=headers(self.key), timeout=60, **options)

    def asks(self):
        self.post("converse", question("hello", inferenceConfig={"maxTokens": 50}))

    def streams(self):
        self.post("converse-stream", question("hello"))

    def invokes(self):
        self.post("invoke", anthropic("hello"))

    def invokes_stream(self):
        self.post("invoke-with-response-stream", anthropic("hello"))

    def uses_http2(self):
        with httpx.Client(http1=False, http2=True, timeout=60) as client:
            url = self.gateway.url + path("converse")
            client.post(url, content=question("hello"), headers=headers(self.key))

    def counts(self):
        self.post("count-tokens", COUNT_TOKENS)

    def names_no_model(self):
        self.post("converse", question("hello"), model="nothing")

    def sends_too_much(self):
        self.post("converse", TOO_LARGE)

    def leaves_in_the_stream(self):
        with self.post("converse-stream", question("hello"), stream=True) as response:
            next(response.iter_content(16), None)

    def leaves_before_its_headers_end(self):
        self.sends(f"POST {path('converse')} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ")

    def leaves_in_its_body(self):
        self.sends(self.head() + '{"messages"')

    def leaves_before_the_response(self):
        self.sends(self.head() + " " * 99)

    def head(self):
        return (
            f"POST {path('converse-stream')} HTTP/1.1\r\nhost: a\r\n"
            f"authorization: Bearer {self.key}\r\ncontent-length: 99\r\n\r\n"
        )

    def sends(self, text):
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=10) as raw:
            raw.sendall(text.encode())
            time.sleep(self.random.random() / 20)


@contextlib.contextmanager
def crowd(gateway, name, rounds=ROUNDS):
    """64 clients with a key, until they are done. The value says whether they still act."""
    clients = [Client(gateway, secret(name), seed) for seed in range(CLIENTS)]
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        futures = [pool.submit(client.acts, rounds) for client in clients]
        yield lambda: not all(future.done() for future in futures)
    for future in futures:
        future.result()


def spent(rows) -> float:
    return sum(float(row["spend"] or 0) for row in rows)


def rows_of(gateway, alias):
    return [row for row in gateway.rows() if row.get("key_alias") == alias]


def is_refused(gateway, name):
    with contextlib.suppress(requests.RequestException):
        answer = requests.post(
            gateway.url + path("converse"), question("hi"), headers=headers(secret(name)), timeout=9
        )
        return answer.status_code == 422


def settled(gateway, name):
    """Nothing is held, and the key was charged for exactly what its rows say."""

    def is_idle():
        with contextlib.suppress(requests.RequestException):
            found = info(gateway, secret(name))
            return found["current_parallel_requests"] == 0 and found

    eventually(is_idle, "no request is left")

    def agrees():
        found, rows = info(gateway, secret(name)), rows_of(gateway, name)
        return abs(found["spend"] - spent(rows)) < 1e-9 and (found, rows)

    return eventually(agrees, "the key's spend is that of its rows", seconds=20)


def test_mixed_clients_faults_and_reloads_lose_and_double_no_count(gateway, bedrock, config):
    for fault in FAULTS:
        bedrock.fault(**fault)
    keys = Keys(config)
    with crowd(gateway, "app") as acts:
        for number in itertools.count():
            keys.run("new", "--alias", f"other-{number}", "--rpm-limit", "5")
            if not acts():
                break
    found, rows = settled(gateway, "app")
    assert found["team"]["spend"] == pytest.approx(spent(rows), abs=1e-9)
    assert found["team"]["current_parallel_requests"] == 0
    assert {200, 400, 413, 429, 503, None} <= {row["http_status"] for row in rows}


def test_never_more_than_the_limit_run_at_once(gateway, bedrock, config):
    bedrock.pace(latency_ms=100)
    bedrock.fault("status", status=429, rate=0.2)
    keys, most = Keys(config), 0
    keys.run("new", "--alias", "reloaded")
    with crowd(gateway, "few", rounds=2) as acts:
        while acts():
            keys.run("update", "reloaded", "--rpm-limit", str(most + 1))
            most = max(most, info(gateway, secret("few"))["current_parallel_requests"])
    settled(gateway, "few")
    assert 0 < most <= PARALLEL
    entries = [entry for entry in bedrock.quiet_log() if entry["client_gone_unix_ms"] is None]
    began = [(entry["received_unix_ms"], 1) for entry in entries]
    ended = [(entry["headers_unix_ms"] or entry["received_unix_ms"], -1) for entry in entries]
    running = itertools.accumulate(change for _, change in sorted(began + ended))
    assert PARALLEL / 2 < max(running) <= PARALLEL


def test_no_count_is_lost_or_doubled_when_envoy_dies(gateway, bedrock):
    with crowd(gateway, "app", rounds=2):
        for count in (1, 2):
            gateway.standby(count)
            gateway.kill_envoy()
    settled(gateway, "app")


def test_no_count_is_lost_or_doubled_by_restarts_of_run(config, tmp_path):
    log = tmp_path / "spend.jsonl"
    for number in range(3):
        with Supervised(config=config, spend_log=log) as running:
            found, rows = settled(running, "app")
            assert bool(rows) == (found["spend"] > 0) == (number > 0)
            with crowd(running, "app", rounds=1):
                eventually(
                    lambda spent=found["spend"]: info(running, secret("app"))["spend"] > spent,
                    "load",
                )
                running.signal(signal.SIGTERM)
                assert running.exit_code() == 0


@wasm_only
def test_a_trap_returns_what_its_requests_held(config, tmp_path):
    module = write_trapping(filter_module(), tmp_path)
    with Supervised(config=config, module=module) as running:
        bedrock = EmulatorControl(running.control)
        bedrock.pace(events=10, interval_ms=300)
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            ask = lambda _: requests.post(  # noqa: E731
                running.url + path("converse-stream"),
                question("hello"),
                headers=headers(secret("few")),
                timeout=60,
            )
            futures = [pool.submit(ask, number) for number in range(PARALLEL - 1)]
            few = lambda: info(running, secret("few"))["current_parallel_requests"]  # noqa: E731
            eventually(lambda: few() == PARALLEL - 1, "all of them run")
            trap = requests.post(
                running.url + path("converse"),
                question("hello"),
                headers={**headers(secret("few")), TRAP_HEADER: "1"},
                timeout=60,
            )
            assert trap.status_code == 503
            assert any(future.exception() for future in futures), "the trap broke no stream"
        bedrock.clear_pace()
        eventually(lambda: few() == 0, "what the VM held is returned")
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            bedrock.pace(latency_ms=1000)
            assert {answer.status_code for answer in pool.map(ask, range(PARALLEL))} == {200}


def test_a_budget_rolls_with_and_without_requests(gateway):
    for _ in range(2):
        eventually(lambda: is_refused(gateway, "window"), "the budget of a window is spent")
        eventually(lambda: not is_refused(gateway, "window"), "the next one begins by a request")
        eventually(lambda: is_refused(gateway, "window"), "it is spent again")
        eventually(lambda: info(gateway, secret("window"))["spend"] == 0, "it rolls by itself")


@pytest.mark.parametrize("name", ["app", "unlimited"])
def test_a_virtual_key_is_accepted_where_the_master_key_is(gateway, name):
    table = json.loads((ROOT / "tests" / "scenarios" / "keys.json").read_text())
    for row in (row for row in table if row.get("envoy", True)):
        fill = lambda text: text.replace("{key}", secret(name)).replace("{wrong}", "sk-no")  # noqa: E731
        sent = "".join(f"{field}: {fill(value)}\r\n" for field, value in row["headers"])
        body = question("hello").decode()
        request = f"POST {path('converse')} HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n"
        answer = exchange(gateway, f"{request}{sent}\r\n{body}".encode())
        assert answer and answer.status == row["status"], row["name"]


def test_no_key_is_written_anywhere(gateway, config):
    made = Keys(config).json("new", "--alias", "to-be-hidden")["key"]
    eventually(
        lambda: requests.get(gateway.url + "/v1/models", headers=headers(made), timeout=9).ok,
        "a new key",
    )
    used = [made, *(secret(name) for name in ENTRIES)]
    pages = ["config_dump", "stats", "stats/prometheus", "clusters", "listeners", "server_info"]
    said = [requests.get(f"{gateway.admin}/{page}", timeout=20).text for page in pages]
    errors = [("converse", "nothing"), ("no-such-operation", "claude"), ("converse", "claude")]
    for key in used:
        for operation, model in errors:
            url = gateway.url + path(operation, model)
            answer = requests.post(url, TOO_LARGE, headers=headers(key), timeout=20)
            said.append(f"{answer.headers} {answer.text}")
    files = [*gateway.folder.rglob("*"), *config.parent.iterdir()]
    said += [file.read_text("latin-1") for file in files if file.is_file()]
    assert len("".join(said)) > 10_000
    assert [key for key in used for text in said if key in text] == []

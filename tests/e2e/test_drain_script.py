"""deploy/drain.sh: an Envoy without `envoy-bedrock run`, as in docker-compose.yaml."""

import concurrent.futures
import contextlib
import http.client
import os
import signal
import subprocess

import pytest
import requests

from clients import connection, post, send
from emulator import ROOT
from processes import end
from supervised import eventually

SCRIPT = ROOT / "deploy" / "drain.sh"
MODEL = "only-west"
# Longer than any test takes.
LONG_SECONDS = "3000"


@pytest.fixture
def wrapped(gateway_over, bedrock):
    """Starts a gateway that the script runs, with these variables."""
    del bedrock

    @contextlib.contextmanager
    def start(**variables):
        env = {"PATH": os.environ["PATH"], **variables}
        gateway = gateway_over("http", wrapper=["bash", SCRIPT], env=env)
        try:
            yield gateway
        finally:
            # Not `stop`, which expects an Envoy that still runs.
            end(gateway.process)
            gateway._folder.cleanup()

    return start


def active(gateway) -> int:
    name = "http.gateway.downstream_rq_active"
    return gateway.stats(f"^{name}$")[name]


def refuses_connections(gateway) -> bool:
    try:
        connection(gateway.url).connect()
    except ConnectionRefusedError:
        return True
    return False


def test_an_idle_envoy_ends_with_0(wrapped):
    with wrapped(DRAIN_SECONDS=LONG_SECONDS) as gateway:
        assert post(gateway, MODEL).status == 200
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(timeout=60) == 0


def test_an_open_stream_is_finished(wrapped, bedrock):
    bedrock.pace(events=30, interval_ms=100)
    with wrapped(DRAIN_SECONDS=LONG_SECONDS) as gateway:
        opened = connection(gateway.url)
        response = send(opened, MODEL, "converse-stream")
        first = response.read(64)
        gateway.process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses_connections(gateway), "closed listeners")
        assert b"totalTokens" in first + response.read()
        assert gateway.process.wait(timeout=60) == 0


# As a shell reports a process that SIGSEGV has killed.
SEGMENTATION_FAULT = 128 + signal.SIGSEGV


@pytest.mark.parametrize("signals", [1, 2])
def test_a_request_is_cut_when_the_time_is_up_or_by_a_second_signal(wrapped, bedrock, signals):
    bedrock.pace(latency_ms=600_000)
    seconds = "1" if signals == 1 else LONG_SECONDS
    with (
        concurrent.futures.ThreadPoolExecutor() as pool,
        wrapped(DRAIN_SECONDS=seconds) as gateway,
    ):
        future = pool.submit(post, gateway, MODEL)
        eventually(lambda: active(gateway) == 1, "a request")
        gateway.process.send_signal(signal.SIGTERM)
        if signals == 2:
            eventually(lambda: refuses_connections(gateway), "closed listeners")
            gateway.process.send_signal(signal.SIGTERM)
        # Envoy 1.40 itself may crash if it must exit while its listeners are being removed.
        assert gateway.process.wait(timeout=60) in (
            [0] if signals == 1 else [0, SEGMENTATION_FAULT]
        )
        assert isinstance(future.exception(timeout=30), (OSError, http.client.HTTPException))
        assert ("requests are cut" in gateway.log()) is (signals == 1)


def test_without_a_command_it_drains_an_envoy_that_keeps_running(wrapped):
    with wrapped() as gateway:
        ready = f"{gateway.url}/health/readiness"
        env = {"PATH": os.environ["PATH"], "ADMIN_PORT": str(gateway.admin_port)}
        with requests.Session() as session:
            assert session.get(ready, timeout=10).status_code == 200
            subprocess.run(["bash", SCRIPT], env=env, check=True, timeout=60)
            response = session.get(ready, timeout=10)
            assert (response.status_code, response.json()) == (503, {"status": "draining"})
        assert refuses_connections(gateway)
        assert gateway.process.poll() is None


def test_the_exit_code_is_envoys(wrapped):
    with wrapped() as gateway:
        assert post(gateway, MODEL).status == 200
        requests.post(f"{gateway.admin}/quitquitquit", timeout=5)
        assert gateway.process.wait(timeout=60) == 0
    done = subprocess.run(["bash", SCRIPT, "sh", "-c", "exit 3"], check=False, timeout=60)
    assert done.returncode == 3

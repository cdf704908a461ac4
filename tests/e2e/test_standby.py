"""The standby of `envoy-bedrock run`: a second Envoy that takes over when the first one ends.

Until then it gets no connections, and it follows reloads.
"""

import concurrent.futures
import os
import pathlib
import signal
import time

import pytest
import requests

from gateway import KEY
from supervised import Supervised, eventually

TAKEN_OVER = r"Envoy was killed by SIGKILL; its standby takes over \(restart 1 within a minute"


@pytest.fixture
def running():
    with Supervised() as running:
        yield running


def is_listening(port: int) -> bool:
    """Whether connections to the port are accepted, or wait to be."""
    try:
        requests.get(f"http://127.0.0.1:{port}/health/liveliness", timeout=60)
    except requests.ConnectionError:
        return False
    return True


def state(process: int) -> str | None:
    """The kernel's letter for the state of a process, `None` if it does not exist."""
    try:
        stat = pathlib.Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[0]


def wait_until_gone(process: int):
    """Waits until all threads of a process have ended, so that its sockets are closed."""
    eventually(lambda: state(process) is None, "the end of the process")


def test_the_standby_gets_no_requests_and_serves_all_of_them_when_the_first_one_is_killed(running):
    standby = running.standby()
    first = running.envoy()
    for _ in range(50):
        assert running.is_served()
    assert running.stat("http.gateway.downstream_rq_completed") == 50
    eventually(lambda: len(running.rows()) == 50, "flushed rows")
    os.kill(first, signal.SIGKILL)
    wait_until_gone(first)
    assert all(running.is_served() for _ in range(20))
    running.wait_for(TAKEN_OVER)
    running.wait_for("Envoy serves again")
    # The address of the admin interface leads to the Envoy that serves now.
    assert running.stat("http.gateway.downstream_rq_completed") == 20
    assert running.envoy() == standby
    eventually(lambda: len(running.rows()) == 70, "the rows of both")
    assert running.standby(count=2) not in (first, standby)
    assert all(running.is_served() for _ in range(20))
    assert running.stat("http.gateway.downstream_rq_completed") == 40


def test_a_kill_under_load_loses_only_the_requests_in_flight(running):
    running.standby()
    first, workers, killed = running.envoy(), 8, None

    def ask_for(seconds: float) -> list[tuple[float, bool]]:
        """When each request was started, and whether it succeeded."""
        until, asked = time.monotonic() + seconds, []
        while (now := time.monotonic()) < until:
            asked.append((now, running.is_served()))
        return asked

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(ask_for, 4) for _ in range(workers)]
        time.sleep(2)
        os.kill(first, signal.SIGKILL)
        wait_until_gone(first)
        killed = time.monotonic()
        asked = [each for future in futures for each in future.result()]
    after = [succeeded for started, succeeded in asked if started > killed]
    assert after and all(after)


def test_a_standby_that_dies_is_replaced_and_nothing_else_happens(running):
    os.kill(running.standby(), signal.SIGKILL)
    running.wait_for(
        "warning run: no standby Envoy: it was killed by SIGKILL; starting another one in 1 s\n"
    )
    second = running.standby(count=2)
    assert running.is_served() and "restart" not in running.log()
    os.kill(running.envoy(), signal.SIGKILL)
    eventually(running.is_served, "a response of the second standby")
    running.wait_for(TAKEN_OVER)
    assert running.envoy() == second


def test_when_both_are_killed_another_one_is_started_on_the_same_ports(running):
    running.standby()
    for process in running.envoys():
        os.kill(process, signal.SIGKILL)
    eventually(running.is_served, "a response of a third Envoy")
    running.standby(count=2)
    first = running.envoy()
    assert running.is_served() and running.process.poll() is None
    # The order of the sockets holds again.
    completed = running.stat("http.gateway.downstream_rq_completed")
    assert all(running.is_served() for _ in range(20))
    assert running.stat("http.gateway.downstream_rq_completed") == completed + 20
    assert running.envoy() == first


def test_an_envoy_that_dies_while_its_standby_starts_is_replaced_by_it(running):
    first, standby = eventually(lambda: len(pair := running.envoys()) == 2 and pair, "a standby")
    os.kill(first, signal.SIGKILL)
    running.wait_for("Envoy was killed by SIGKILL; (restarting it at once|its standby takes over)")
    running.wait_for("Envoy serves again")
    assert running.is_served() and running.envoy() == standby


def test_stopping_ends_the_standby_before_the_listeners_close():
    with Supervised("--drain-seconds", 3_000) as running:
        standby = running.standby()
        first = running.envoy()
        running.pace(latency_ms=1_500)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            future = pool.submit(running.post)
            eventually(lambda: running.stat("http.gateway.downstream_rq_active") == 1, "a request")
            running.signal(signal.SIGTERM)
            running.wait_for("waiting up to")
            assert state(standby) is None
            assert not is_listening(running.port)
            assert future.result().status_code == 200
        assert running.exit_code() == 0
        assert state(first) is None


def test_stopping_while_both_are_down_ends_the_command_with_0(running):
    running.standby()
    for process in running.envoys():
        os.kill(process, signal.SIGKILL)
    running.wait_for("Envoy was killed by SIGKILL; restarting it")
    running.signal(signal.SIGTERM)
    assert running.exit_code() == 0


def test_stopping_while_the_standby_starts_ends_it(running):
    pair = eventually(lambda: len(pair := running.envoys()) == 2 and pair, "a standby")
    running.signal(signal.SIGTERM)
    assert running.exit_code() == 0
    assert [state(process) for process in pair] == [None, None]


def test_both_end_when_the_command_is_killed(running):
    running.standby()
    pair = running.envoys()
    running.kill()
    eventually(lambda: {state(process) for process in pair} <= {None, "Z"}, "ended processes")
    assert not is_listening(running.port)


def test_the_standby_counts_towards_the_limit_of_restarts():
    with Supervised("--max-restarts", 1) as running:
        running.standby()
        running.kill_envoy()
        running.standby(count=2)
        running.kill_envoy()
        assert running.exit_code() == 137
        assert "and was restarted too often within a minute" in running.log()


def test_a_standby_that_cannot_start_is_reported_and_does_no_harm(running):
    running.standby()
    certificate = running.certificate_copy()
    good = certificate.read_text(encoding="utf-8")
    certificate.write_text("no certificate", encoding="utf-8")
    running.kill_envoy()
    refused = "warning run: no standby Envoy: it refused the rendered configuration"
    running.wait_for(refused + "; starting another one in 1 s")
    running.wait_for(refused + "; starting another one in 2 s")
    assert running.is_served() and "certificate chain" in running.log()
    assert "restarting it" not in running.log()
    certificate.write_text(good, encoding="utf-8")
    running.standby(count=2)


def test_the_environment_of_the_standby_has_no_secrets(running):
    environment = pathlib.Path(f"/proc/{running.standby()}/environ").read_bytes()
    assert KEY.encode() not in environment and b"LITELLM_MASTER_KEY" not in environment


def test_the_standby_neither_writes_nor_keeps_a_rotated_spend_log(running):
    running.standby()
    rotated = running.spend_log.with_suffix(".1")
    running.spend_log.rename(rotated)
    running.signal(signal.SIGUSR1)
    standby = running.standby(count=2)
    files = {os.readlink(file) for file in pathlib.Path(f"/proc/{standby}/fd").iterdir()}
    assert str(running.spend_log) in files and str(rotated) not in files
    running.kill_envoy()
    running.wait_for(TAKEN_OVER)
    assert running.is_served()
    eventually(lambda: len(running.rows()) == 1, "the row in the new file")
    assert rotated.read_text(encoding="utf-8") == ""


def test_without_a_standby_there_is_one_envoy():
    with Supervised("--no-standby") as running:
        running.kill_envoy()
        running.wait_for("Envoy serves again")
        assert running.is_served()
        assert len(running.envoys()) == 1 and "standby" not in running.log()

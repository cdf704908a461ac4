"""SIGTERM and Ctrl-C: clients do not notice the end of `envoy-bedrock run`.

Readiness turns false, the listeners close, open requests are finished, and the command
exits with 0.
"""

import concurrent.futures
import signal
import socket

import pytest
import requests

from clients import read_until_silent
from gateway import KEY
from supervised import Supervised, eventually

# Longer than any test takes, and shorter than forever.
LONG_SECONDS = 3_000


def is_accepted(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def wait_until_closed(running: Supervised):
    eventually(lambda: not is_accepted(running.port), "closed listeners")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_gateway_ends_with_0_although_connections_are_open(number):
    with Supervised("--drain-seconds", LONG_SECONDS) as running:
        with socket.create_connection(("127.0.0.1", running.port)):
            assert running.is_served()
            running.signal(number)
            assert running.exit_code() == 0
        assert len(running.rows()) == 1


def test_an_open_stream_is_finished_and_new_connections_are_refused():
    with Supervised("--drain-seconds", LONG_SECONDS) as running:
        running.pace(interval_ms=100)
        with running.post("converse-stream", stream=True) as response:
            pieces = response.iter_content(64)
            first = next(pieces)
            running.signal(signal.SIGTERM)
            running.wait_for(r"waiting up to \d+ s for 1 open request\n")
            wait_until_closed(running)
            assert b"totalTokens" in first + b"".join(pieces)
            assert response.headers.get("connection") is None
        assert running.exit_code() == 0
        assert [row["status"] for row in running.rows()] == ["success"]
        assert "cut" not in running.log()


def test_a_request_that_is_open_when_the_time_is_up_is_cut_and_counted():
    with Supervised("--drain-seconds", 1) as running:
        running.pace(latency_ms=600_000)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            futures = [pool.submit(running.post) for _ in range(2)]
            eventually(lambda: running.stat("http.gateway.downstream_rq_active") == 2, "requests")
            running.signal(signal.SIGTERM)
            assert running.exit_code() == 0
            for future in futures:
                with pytest.raises(requests.ConnectionError):
                    future.result()
        running.wait_for("warning run: after 1 s; cut: 2 open requests")
        assert [row["status"] for row in running.rows()] == ["failure", "failure"]


def test_a_second_signal_ends_at_once():
    with Supervised("--drain-seconds", LONG_SECONDS) as running:
        running.pace(latency_ms=600_000)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            future = pool.submit(running.post)
            eventually(lambda: running.stat("http.gateway.downstream_rq_active") == 1, "a request")
            running.signal(signal.SIGINT)
            running.wait_for("waiting up to")
            running.signal(signal.SIGINT)
            assert running.exit_code() == 0
            with pytest.raises(requests.ConnectionError):
                future.result()
        running.wait_for("SIGINT during the drain; cut: 1 open request")


def test_a_slow_reader_gets_its_whole_response():
    size = 8_000_000
    with Supervised("--drain-seconds", LONG_SECONDS) as running:
        running.pace(response_bytes=size)
        body = b'{"messages":[{"role":"user","content":[{"text":"hello"}]}]}'
        head = (
            f"POST /model/my-bedrock-model/converse HTTP/1.1\r\nhost: a\r\n"
            f"authorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
            slow.connect(("127.0.0.1", running.port))
            slow.sendall(head.encode() + body)
            buffered = "http.gateway.downstream_cx_tx_bytes_buffered"
            eventually(lambda: running.stat(buffered), "bytes that wait for the client")
            running.signal(signal.SIGTERM)
            running.wait_for("waiting up to")
            wait_until_closed(running)
            received = read_until_silent(slow, seconds=30)
        head, _, body = received.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head and len(body) >= size
        assert running.exit_code() == 0


def test_readiness_is_false_and_connections_are_closed_one_by_one_during_the_delay():
    with Supervised("--shutdown-delay-seconds", LONG_SECONDS) as running:
        with requests.Session() as session:
            ready = session.get(f"{running.url}/health/readiness", timeout=10)
            assert ready.status_code == 200 and "connection" not in ready.headers
            running.signal(signal.SIGTERM)
            running.wait_for("readiness is false; accepting connections for another 3000 s")
            ready = session.get(f"{running.url}/health/readiness", timeout=10)
            assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
            assert ready.headers["connection"] == "close"
        response = running.post()
        assert (response.status_code, response.headers["connection"]) == (200, "close")
        alive = requests.get(f"{running.url}/health/liveliness", timeout=10)
        assert alive.status_code == 200
        running.signal(signal.SIGTERM)
        assert running.exit_code() == 0


def test_the_listeners_close_after_the_delay():
    with Supervised("--shutdown-delay-seconds", 1) as running:
        running.signal(signal.SIGTERM)
        assert running.exit_code() == 0
        assert not is_accepted(running.port)


def test_an_envoy_that_dies_during_the_drain_ends_the_command_with_its_code():
    with Supervised("--drain-seconds", LONG_SECONDS) as running:
        running.pace(interval_ms=1_000)
        with running.post("converse-stream", stream=True):
            running.signal(signal.SIGTERM)
            running.wait_for("waiting up to")
            running.kill_envoy()
            assert running.exit_code() == 137
        running.wait_for("Envoy was killed by SIGKILL during the drain")

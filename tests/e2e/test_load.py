"""Many clients at once, and clients that notice nothing while a region fails."""

import concurrent.futures
import hashlib
import http.client
import threading
import time

import pytest

from clients import connection, post, question, send
from deployments import EAST, WEST

CONCURRENT_CLIENTS = 64
RATE_PER_SECOND, SECONDS = 50, 8
# Twice the longest time for which Envoy avoids an address that refused connections.
RECOVERY_SECONDS = 60


@pytest.mark.parametrize("operation", ["converse", "converse-stream", "mixed"])
def test_every_client_gets_its_own_response(gateway, bedrock, operation):
    bedrock.pace(latency_ms=50)
    bedrock.fault("status", status=429, rate=0.3, region=WEST)
    barrier = threading.Barrier(CONCURRENT_CLIENTS)

    def ask(number):
        barrier.wait(timeout=30)
        streams = number % 2 if operation == "mixed" else operation == "converse-stream"
        body = question(f"number {number:03}")
        response = post(gateway, "both", "converse-stream" if streams else "converse", body)
        own = response.headers["x-emulator-body-sha256"] == hashlib.sha256(body).hexdigest()
        # A stream may split the number between events; the digest of the request is a header.
        return response.status, own, streams or f"number {number:03}" in response.body.decode()

    with concurrent.futures.ThreadPoolExecutor(CONCURRENT_CLIENTS) as pool:
        found = list(pool.map(ask, range(CONCURRENT_CLIENTS)))
    assert found == [(200, True, True)] * CONCURRENT_CLIENTS
    served = [entry for entry in bedrock.quiet_log() if entry["status"] == 200]
    assert len({entry["body_sha256"] for entry in served}) == len(served) == CONCURRENT_CLIENTS


class Load:
    """Requests at a steady rate, on kept-alive connections."""

    def __init__(self, gateway, model):
        self.gateway, self.model = gateway, model
        self.answered = 0
        self.errors = []
        self.idle = []
        self.pool = concurrent.futures.ThreadPoolExecutor(CONCURRENT_CLIENTS)

    def run(self, seconds):
        """Sends requests for `seconds`, then waits for all responses."""
        start = time.monotonic()
        futures = []
        for number in range(int(seconds * RATE_PER_SECOND)):
            time.sleep(max(0.0, start + number / RATE_PER_SECOND - time.monotonic()))
            futures.append(self.pool.submit(self.ask, number))
        self.answered = sum(future.result() for future in futures)
        self.pool.shutdown()
        for kept in self.idle:
            kept.close()

    def ask(self, number) -> bool:
        """Whether the response was the right one, and complete."""
        operation = ["converse", "converse-stream"][number % 2]
        try:
            kept = self.idle.pop()
        except IndexError:
            kept = connection(self.gateway.url)
        word = f"load-{number}."
        try:
            response = send(kept, self.model, operation, question(word))
            body = response.read()
            is_complete = b"metadata" in body if number % 2 else word.encode() in body
            if response.status == 200 and is_complete:
                self.idle.append(kept)
                return True
            self.errors.append((number, operation, response.status, body[:200]))
        except (OSError, http.client.HTTPException) as error:
            self.errors.append((number, operation, repr(error)))
        return False


@pytest.mark.parametrize("upstream, region", [("http", WEST), ("tls", EAST)])
def test_no_client_notices_that_a_region_throttles_then_fails_then_recovers(
    gateway_over, bedrock, upstream, region
):
    """The fault `refused` also resets open connections, which breaks off responses that have begun.

    No gateway can save those. The responses here are so short that practically none is hit; one
    that is would fail this test.
    """
    with gateway_over(upstream) as running:
        load = Load(running, "both")
        worker = threading.Thread(target=load.run, args=(SECONDS,))
        worker.start()
        time.sleep(1)
        throttled = bedrock.fault("status", status=429, region=region)
        time.sleep(2)
        bedrock.clear_faults(id=throttled)
        bedrock.fault("refused", region=region)
        time.sleep(2)
        bedrock.clear_faults()
        worker.join()
        assert load.errors == [], f"{len(load.errors)} errors, the first: {load.errors[:3]}"
        seen = bedrock.quiet_log()
        assert (
            sum(entry["status"] == 200 for entry in seen)
            == load.answered
            == SECONDS * RATE_PER_SECOND
        )
        assert any(entry["status"] == 429 for entry in seen), (
            "no request reached the region while it throttled"
        )
        bedrock.clear_log()
        deadline = time.monotonic() + RECOVERY_SECONDS
        while region not in [entry["region"] for entry in bedrock.quiet_log()]:
            assert time.monotonic() < deadline, "the region received no requests after it recovered"
            assert post(running, "both").status == 200
            time.sleep(0.05)

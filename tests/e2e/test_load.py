"""Many clients at once, and clients that go on while a region does not."""

import concurrent.futures
import hashlib
import http.client
import threading
import time

import pytest

from clients import connection, post, question, send
from conftest import EAST, WEST, Region, deployments
from gateway import Gateway, config

TOGETHER = 64
RATE_PER_SECOND, SECONDS = 50, 8
# Longest time for which Envoy leaves an address alone that has refused connections, and as much again.
BACK_SECONDS = 60


@pytest.mark.parametrize("operation", ["converse", "converse-stream", "mixed"])
def test_every_client_gets_its_own_answer(gateway, bedrock, operation):
    bedrock.pace(latency_ms=50)
    bedrock.fault("status", status=429, rate=0.3, region=WEST)
    together = threading.Barrier(TOGETHER)

    def ask(n):
        together.wait(timeout=30)
        streams = n % 2 if operation == "mixed" else operation == "converse-stream"
        body = question(f"number {n:03}")
        response = post(gateway, "both", "converse-stream" if streams else "converse", body)
        own = response.headers["x-emulator-body-sha256"] == hashlib.sha256(body).hexdigest()
        # A stream may have the number in pieces; the digest of what was asked is whole in either case.
        return response.status, own, streams or f"number {n:03}" in response.body.decode()

    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        found = list(pool.map(ask, range(TOGETHER)))
    assert found == [(200, True, True)] * TOGETHER
    served = [entry for entry in bedrock.quiet_log() if entry["status"] == 200]
    assert len({entry["body_sha256"] for entry in served}) == len(served) == TOGETHER


class Load:
    """Requests at a steady rate, each on a connection that is kept for the next, until it is stopped."""

    def __init__(self, gateway, model):
        self.gateway, self.model = gateway, model
        self.answered = 0
        self.errors = []
        self.idle = []
        self.pool = concurrent.futures.ThreadPoolExecutor(TOGETHER)

    def run(self, seconds):
        """Blocks for so many seconds, then until all are answered."""
        start = time.monotonic()
        asked = []
        for n in range(int(seconds * RATE_PER_SECOND)):
            time.sleep(max(0.0, start + n / RATE_PER_SECOND - time.monotonic()))
            asked.append(self.pool.submit(self.ask, n))
        self.answered = sum(each.result() for each in asked)
        self.pool.shutdown()
        for kept in self.idle:
            kept.close()

    def ask(self, n) -> bool:
        """Whether it was answered as it should be."""
        operation = ["converse", "converse-stream"][n % 2]
        try:
            kept = self.idle.pop()
        except IndexError:
            kept = connection(self.gateway.url)
        word = f"load-{n}."
        try:
            response = send(kept, self.model, operation, question(word))
            body = response.read()
            whole = b"metadata" in body if n % 2 else word.encode() in body
            if response.status == 200 and whole:
                self.idle.append(kept)
                return True
            self.errors.append((n, operation, response.status, body[:200]))
        except (OSError, http.client.HTTPException) as error:
            self.errors.append((n, operation, repr(error)))
        return False


@pytest.mark.parametrize("upstream, region", [("http", WEST), ("tls", EAST)])
def test_no_client_notices_that_a_region_is_throttled_then_gone_then_back(
    shared_emulator, bedrock, upstream, region
):
    """`refused` also resets the connections that are open. A response that has begun cannot be saved then, neither here
    nor anywhere: the client has its first half. Answers here are short, and each is in one piece on the wire, so that
    practically none is caught in its middle; one that were would be an aborted transfer, and fail this test."""
    at = Region(shared_emulator if upstream == "http" else None)
    text = config(deployments(at))
    with Gateway(text, upstreams=shared_emulator if upstream == "tls" else None) as running:
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
            "the region was asked while it was throttled"
        )
        bedrock.clear_log()
        end = time.monotonic() + BACK_SECONDS
        while region not in [entry["region"] for entry in bedrock.quiet_log()]:
            assert time.monotonic() < end, "expected the region to be asked again"
            assert post(running, "both").status == 200
            time.sleep(0.05)

"""Limits that hold for both workers together: requests at once, and bytes of buffered bodies."""

import concurrent.futures
import contextlib
import http.client
import select
import time

import pytest
import requests

from clients import connection, post, question, send
from gateway import KEY, config
from runtime import filter_module, wasm_only
from supervised import Supervised
from trap_module import TRAP_HEADER, write_trapping

LIMIT = 16
CLIENTS = 64
MEBIBYTE = 1024 * 1024
# The largest request body; also the limit of all bodies together.
BODIES_MEBIBYTES = 32
# Generous, because the machine may be busy.
DEADLINE_SECONDS = 60
SECTIONS = {"general_settings": {"global_max_parallel_requests": LIMIT}}


@pytest.fixture(scope="module")
def limited(gateway_over):
    with gateway_over("http", sections=SECTIONS) as running:
        yield running


@pytest.fixture(scope="module")
def small(gateway_over):
    """A gateway with one worker, which has all of the bytes."""
    sections = {"envoy_bedrock": {"max_buffered_body_mb": BODIES_MEBIBYTES}}
    with gateway_over("http", sections=sections, workers=1) as running:
        yield running


@pytest.fixture(params=["converse", "converse-stream"])
def operation(request):
    return request.param


def eventually(condition):
    """Waits until `condition()` is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)


def gauge(gateway, name: str) -> int:
    return sum(gateway.stats(f"envoy_bedrock_{name}$").values())


def refused(gateway, reason: str) -> int:
    return sum(gateway.stats(f"envoy_bedrock_refusals_total;reason={reason}").values())


class Clients:
    """Clients that send a request and wait. Closing them makes them leave."""

    def __init__(self, gateway, model="both", operation="converse", body=None):
        self.gateway, self.model, self.operation, self.body = gateway, model, operation, body
        self.waiting = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    def arrive(self, count: int):
        """Sends requests at the same time."""
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            self.waiting += pool.map(lambda _: self._send(), range(count))

    def _send(self):
        opened = connection(self.gateway.url, DEADLINE_SECONDS)
        name, body = self.model, question("hi") if self.body is None else self.body
        headers = {"authorization": f"Bearer {KEY}"}
        opened.request("POST", f"/model/{name}/{self.operation}", body, headers)
        return opened

    def responses(self, count: int) -> list:
        """The first `count` responses. Their clients do not wait any more."""
        found = []
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} responses"
            sockets = {opened.sock: opened for opened in self.waiting}
            for readable in select.select(list(sockets), [], [], 0.1)[0]:
                opened = sockets[readable]
                self.waiting.remove(opened)
                response = opened.getresponse()
                response.read()
                opened.close()
                found.append(response)
        return found

    def leave(self, count=None):
        for opened in self.waiting[:count]:
            opened.close()
        self.waiting = self.waiting[count:] if count else []


def in_flight(bedrock) -> int:
    return bedrock._call("GET", "/health")["in_flight"]


def assert_exact(gateway, bedrock, operation="converse"):
    """Exactly `LIMIT` of many requests are admitted; afterwards all places are free again."""
    bedrock.fault("hang")
    with Clients(gateway, operation=operation) as clients:
        clients.arrive(CLIENTS)
        refusals = clients.responses(CLIENTS - LIMIT)
        assert {response.status for response in refusals} == {429}
        eventually(lambda: in_flight(bedrock) == LIMIT)
        eventually(lambda: gauge(gateway, "parallel_requests") == LIMIT)
    eventually(lambda: gauge(gateway, "parallel_requests") == 0)
    bedrock.clear_faults()
    assert post(gateway, "both").status == 200


def test_exactly_as_many_requests_are_admitted_as_the_limit_allows(limited, bedrock, operation):
    before = refused(limited, "parallel_requests")
    assert_exact(limited, bedrock, operation)
    assert refused(limited, "parallel_requests") - before == CLIENTS - LIMIT


def test_one_below_the_limit_at_the_limit_and_one_above(limited, bedrock):
    bedrock.fault("hang")
    with Clients(limited) as clients:
        clients.arrive(LIMIT - 1)
        eventually(lambda: in_flight(bedrock) == LIMIT - 1)
        clients.arrive(1)
        eventually(lambda: in_flight(bedrock) == LIMIT)
        response = post(limited, "both")
        assert (response.status, response.error_type) == (429, "ThrottlingException")
        assert response.headers["retry-after"] == "1"
        assert response.json["error"]["type"] == "throttling_error"
        clients.leave(1)
        eventually(lambda: in_flight(bedrock) == LIMIT - 1)
        clients.arrive(1)
        eventually(lambda: in_flight(bedrock) == LIMIT)
    bedrock.clear_faults()
    eventually(lambda: post(limited, "both").status == 200)


def test_only_model_requests_are_counted(limited, bedrock):
    bedrock.fault("hang")
    with Clients(limited) as clients:
        clients.arrive(LIMIT)
        eventually(lambda: in_flight(bedrock) == LIMIT)
        opened = connection(limited.url)
        headers = {"authorization": f"Bearer {KEY}"}
        for path in ["/health/readiness", "/health/liveliness", "/spend/logs?request_id=x"]:
            opened.request("GET", path, headers=headers)
            response = opened.getresponse()
            assert (response.status, bool(response.read())) == (200, True), path
        assert post(limited, "both", key="wrong").status == 401
        assert post(limited, "nothing").status == 400
        opened.close()
    eventually(lambda: gauge(limited, "parallel_requests") == 0)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 400},
        {"kind": "reset"},
        {"kind": "cut"},
        {"kind": "exception"},
        {"kind": "altered", "status": 999},
        {"kind": "slow", "delay_ms": 20},
    ],
    ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}",
)
def test_no_fault_of_the_upstream_leaks_a_place(limited, bedrock, operation, fault):
    bedrock.fault(**fault)

    def ask(_):
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            post(limited, "both", operation)

    with concurrent.futures.ThreadPoolExecutor(LIMIT) as pool:
        list(pool.map(ask, range(2 * LIMIT)))
    bedrock.clear_faults()
    assert_exact(limited, bedrock)


def begin_upload(gateway):
    opened = connection(gateway.url)
    opened.putrequest("POST", "/model/both/converse")
    opened.putheader("authorization", f"Bearer {KEY}")
    opened.putheader("content-length", str(MEBIBYTE))
    opened.endheaders()
    opened.send(b"{")
    return opened


def test_clients_that_leave_while_uploading_leak_nothing(limited, bedrock):
    for _ in range(3):
        opened = []
        # An upload may be refused because one of the last round is not gone yet.
        while post(limited, "both").status == 200:
            opened.append(begin_upload(limited))
            assert len(opened) <= 3 * LIMIT
        assert len(opened) >= LIMIT
        for each in opened:
            each.close()
        eventually(lambda: post(limited, "both").status == 200)
    eventually(lambda: gauge(limited, "buffered_bytes") == 0)
    assert_exact(limited, bedrock)


@wasm_only
def test_the_places_of_a_trapped_vm_become_free_again(gateway_over, bedrock, tmp_path):
    module = write_trapping(filter_module(), tmp_path)
    with gateway_over("http", module=module, sections=SECTIONS) as running:
        bedrock.fault("hang")
        with Clients(running) as clients:
            clients.arrive(LIMIT - 1)
            eventually(lambda: in_flight(bedrock) == LIMIT - 1)
            eventually(lambda: gauge(running, "parallel_requests") == LIMIT - 1)
            # It takes the last place with it.
            assert post(running, "both", headers={TRAP_HEADER: "1"}).status == 503
        bedrock.clear_faults()
        eventually(lambda: post(running, "both").status == 200)
        eventually(lambda: gauge(running, "parallel_requests") == 0)
        assert_exact(running, bedrock)
        assert "unreachable" in running.log()


def test_a_reload_neither_loses_nor_doubles_what_is_in_progress(tmp_path):
    path = tmp_path / "config.yaml"
    region = {"aws_region_name": "us-west-2"}
    deployment = {"model": "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", **region}

    def write(name, limit=LIMIT):
        sections = {"general_settings": {"global_max_parallel_requests": limit}}
        path.write_text(config([("both", deployment), (name, deployment)], **sections))

    def count(running):
        return running.stat("wasmcustom.envoy_bedrock_parallel_requests")

    write("first")
    with Supervised(config=path) as running:
        faults = f"{running.control}/faults"
        hang = {"kind": "hang", "match": {"operation": "converse"}}
        requests.post(faults, json=hang, timeout=10).raise_for_status()
        with Clients(running) as old, Clients(running) as new:
            old.arrive(LIMIT)
            eventually(lambda: count(running) == LIMIT)
            for name in ["second", "third"]:
                write(name)
                # The new configuration knows the model, and counts the requests of the old one.
                eventually(lambda name=name: post(running, name).status == 429)
            old.leave(LIMIT // 2)
            eventually(lambda: count(running) == LIMIT // 2)
            new.arrive(CLIENTS)
            refusals = new.responses(CLIENTS - LIMIT // 2)
            assert {response.status for response in refusals} == {429}
            eventually(lambda: count(running) == LIMIT)
        requests.delete(faults, timeout=10).raise_for_status()
        eventually(lambda: count(running) == 0)
        write("fourth", LIMIT + 1)
        eventually(lambda: post(running, "fourth").status == 200)
        requests.post(faults, json=hang, timeout=10).raise_for_status()
        with Clients(running) as clients:
            clients.arrive(CLIENTS)
            refusals = clients.responses(CLIENTS - LIMIT - 1)
            assert {response.status for response in refusals} == {429}
            eventually(lambda: count(running) == LIMIT + 1)
        requests.delete(faults, timeout=10).raise_for_status()
        eventually(lambda: count(running) == 0)
        assert post(running, "fourth").status == 200


# Bytes of bodies.


def body_of(size: int) -> bytes:
    frame = len(question(""))
    return question("x" * (size - frame))


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_bodies_are_admitted_up_to_the_limit(small, bedrock, more):
    held = 20 * MEBIBYTE
    size = BODIES_MEBIBYTES * MEBIBYTE - held + more
    bedrock.fault("hang", count=1)
    with Clients(small, body=body_of(held)) as clients:
        clients.arrive(1)
        eventually(lambda: in_flight(bedrock) == 1)
        response = post(small, "both", body=body_of(size), timeout=DEADLINE_SECONDS)
        if more <= 0:
            assert response.status == 200
        else:
            assert (response.status, response.error_type) == (503, "ServiceUnavailableException")
            assert response.headers["retry-after"] == "1"
            assert len(bedrock.log()) == 0, "the refused request went upstream"
    eventually(lambda: gauge(small, "buffered_bytes") == 0)
    assert post(small, "both", body=body_of(size - 1), timeout=DEADLINE_SECONDS).status == 200


def test_a_body_of_unknown_length_is_refused_when_it_cannot_grow(small, bedrock):
    bedrock.fault("hang", count=1)
    with Clients(small, body=body_of(20 * MEBIBYTE)) as clients:
        clients.arrive(1)
        eventually(lambda: in_flight(bedrock) == 1)
        for size, status in [(11 * MEBIBYTE, 200), (13 * MEBIBYTE, 503), (MEBIBYTE, 200)]:
            body = body_of(size)
            pieces = (body[start : start + 65_536] for start in range(0, size, 65_536))
            opened = connection(small.url, DEADLINE_SECONDS)
            response = send(opened, "both", body=pieces)
            assert (response.status, bool(response.read())) == (status, True), size
            opened.close()
    eventually(lambda: gauge(small, "buffered_bytes") == 0)


def test_a_body_is_refused_before_it_is_read(small, bedrock):
    bedrock.fault("hang", count=1)
    with Clients(small, body=body_of(20 * MEBIBYTE)) as clients:
        clients.arrive(1)
        eventually(lambda: in_flight(bedrock) == 1)
        before = refused(small, "buffered_bodies")
        opened = connection(small.url, DEADLINE_SECONDS)
        opened.putrequest("POST", "/model/both/converse")
        opened.putheader("authorization", f"Bearer {KEY}")
        opened.putheader("content-length", str(13 * MEBIBYTE))
        opened.endheaders()
        # The upload stalls, so its drain gives up.
        response = opened.getresponse()
        assert (response.status, response.headers["retry-after"]) == (503, "1")
        opened.close()
        eventually(lambda: refused(small, "buffered_bodies") == before + 1)
        assert post(small, "both").status == 200

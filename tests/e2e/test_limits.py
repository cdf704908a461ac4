"""Limits of what clients may do, each one below, at and one above its edge.

Those of HTTP/2 are in test_limits_http2.py, and those of all requests together in
test_capacity.py.
"""

import concurrent.futures
import contextlib
import http.client
import re

import pytest

from clients import connection, exchange, post, question, send
from deployments import CLAUDE, WEST
from gateway import KEY, Gateway, config
from supervised import eventually

HEADERS_MAX = 100
HEADERS_MAX_BYTES = 60 * 1024
# In place of the rendered 10,000.
CONNECTIONS_MAX = 4
BODY_MAX_BYTES = 1024 * 1024
ALIAS_MAX_BYTES = 2048
SMALLEST_HEAP = "64MiB"
UPLOADS, UPLOAD_BYTES = 12, 30_000_000
# Besides the heap: Envoy's binary, V8, two VMs, and what arrives until the heap is measured.
RESIDENT_MAX_BYTES = 600 * 1024 * 1024


AROUND = pytest.mark.parametrize("excess", [-1, 0, 1])
BODY = question("hello")


@pytest.fixture(autouse=True)
def healthy(over_http):
    """After each test the gateway serves."""
    yield
    assert post(over_http, "both").status == 200


def parameters(emulator) -> dict:
    """Of a deployment that the emulator serves."""
    params = {"model": f"bedrock/{CLAUDE}", "aws_region_name": WEST}
    return params | {"aws_bedrock_runtime_endpoint": f"http://{emulator.address(WEST)}"}


def fields(*more: bytes) -> bytes:
    """A request with these further headers."""
    first = (
        b"host: gateway",
        b"authorization: Bearer " + KEY.encode(),
        b"content-length: %d" % len(BODY),
    )
    head = b"\r\n".join((b"POST /model/both/converse HTTP/1.1", *first, *more))
    return head + b"\r\n\r\n" + BODY


@AROUND
def test_the_number_of_headers_is_limited(over_http, excess):
    """What HTTP/2 has as pseudo-headers does not count, except for the host."""
    own = 3
    more = (b"x-%d: 1" % each for each in range(HEADERS_MAX + excess - own))
    response = exchange(over_http, fields(*more))
    assert response.status == (200 if excess <= 0 else 431)
    assert excess <= 0 or response.error_type == "ValidationException"


@AROUND
def test_the_size_of_headers_is_limited(over_http, excess):
    """All bytes count, from the method to the empty line."""
    own = len(fields(b"x-large: ")) - len(BODY)
    value = b"a" * (HEADERS_MAX_BYTES + excess - own)
    response = exchange(over_http, fields(b"x-large: " + value))
    assert response.status == (200 if excess <= 0 else 431)
    assert excess <= 0 or response.error_type == "ValidationException"


class FewConnections(Gateway):
    """A gateway with a limit of connections that a test can reach."""

    def render(self, *arguments):
        super().render(*arguments)
        path = self.folder / "envoy.yaml"
        limit = r"(max_active_downstream_connections:) \d+"
        text, count = re.subn(limit, rf"\1 {CONNECTIONS_MAX}", path.read_text(encoding="utf-8"))
        assert count == 1
        path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def few_connections(shared_emulator):
    with FewConnections(config([("both", parameters(shared_emulator))])) as running:
        yield running


def connections(gateway) -> int:
    return gateway.stats(r"^http\.gateway\.downstream_cx_active$")[
        "http.gateway.downstream_cx_active"
    ]


@AROUND
def test_the_number_of_connections_is_limited(few_connections, excess):
    """One more is closed at once. All workers count together."""
    number = CONNECTIONS_MAX + excess
    eventually(lambda: connections(few_connections) == 0, "the end of earlier connections")
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(number):
            opened.append(connection(few_connections.url))
            stack.callback(opened[-1].close)
            opened[-1].connect()
        outcomes = [status(each) for each in opened]
        assert outcomes.count(200) == min(number, CONNECTIONS_MAX)
        assert outcomes.count(None) == max(excess, 0)
        assert connections(few_connections) == min(number, CONNECTIONS_MAX)
        # The others are not affected.
        assert [status(each) for each in opened] == outcomes
    eventually(lambda: status(connection(few_connections.url)) == 200, "a free place")


def status(opened: http.client.HTTPConnection) -> int | None:
    """The status of a request; None if the connection is closed."""
    opened.auto_open = 0
    try:
        if opened.sock is None:
            opened.connect()
        response = send(opened, "both")
        response.read()
        return response.status
    except (OSError, http.client.HTTPException):
        return None


@pytest.fixture(scope="module")
def small(shared_emulator):
    """A gateway with a small limit of bodies, and a model with names of any length."""
    deployments = [(name, parameters(shared_emulator)) for name in ("both", "m*")]
    with Gateway(config(deployments, general_settings={"max_request_size_mb": 1})) as running:
        yield running


@AROUND
@pytest.mark.parametrize("chunked", [False, True])
def test_the_size_of_a_body_is_limited(small, excess, chunked):
    body = question("x" * (BODY_MAX_BYTES + excess - len(question(""))))
    response = post(small, "both", body=iter([body]) if chunked else body)
    assert response.status == (200 if excess <= 0 else 413)
    assert excess <= 0 or response.error_type == "ValidationException"
    assert post(small, "both").status == 200


@AROUND
def test_the_length_of_a_model_name_is_limited(small, excess):
    response = post(small, "m" * (ALIAS_MAX_BYTES + excess))
    assert response.status == (200 if excess <= 0 else 400)
    assert post(small, "both").status == 200


def resident_bytes(process: int) -> int:
    with open(f"/proc/{process}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def test_uploads_that_exceed_the_heap_are_refused_and_memory_stays_bounded(shared_emulator):
    text = config([("both", parameters(shared_emulator))], litellm_settings={"num_retries": 0})
    body = question("x" * UPLOAD_BYTES)

    def upload(gateway) -> tuple | None:
        """Status and error type; None if the connection was closed before."""
        opened = connection(gateway.url, timeout=120)
        try:
            opened.request("POST", "/model/both/converse", body, {"authorization": f"Bearer {KEY}"})
            response = opened.getresponse()
            return response.status, response.headers["x-amzn-errortype"]
        except (OSError, http.client.HTTPException):
            return None
        finally:
            opened.close()

    with Gateway(text, arguments=("--max-heap", SMALLEST_HEAP)) as gateway:
        assert post(gateway, "both").status == 200
        highest = 0
        with concurrent.futures.ThreadPoolExecutor(UPLOADS) as pool:
            pending = [pool.submit(upload, gateway) for _ in range(UPLOADS)]
            while not all(each.done() for each in pending):
                highest = max(highest, resident_bytes(gateway.process.pid))
                concurrent.futures.wait(pending, timeout=0.02)
        outcomes = {each.result() for each in pending}
        assert outcomes <= {None, (200, None), (503, "ServiceUnavailableException"), *TOO_LARGE}
        assert None in outcomes or (503, "ServiceUnavailableException") in outcomes
        assert highest < RESIDENT_MAX_BYTES, f"{highest / 2**20:.0f} MiB"
        deadline = 100
        while post(gateway, "both").status != 200 and deadline:
            deadline -= 1
        assert post(gateway, "both").status == 200


# Bedrock's own limit of a body.
TOO_LARGE = [(413, "ValidationException"), (400, "ValidationException")]

"""Envoy's own limits of what clients may do, each one below, at and one above its edge."""

import concurrent.futures
import contextlib
import http.client
import socket

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import pytest

from clients import connection, exchange, post, question
from deployments import CLAUDE, WEST
from gateway import KEY, Gateway, config
from supervised import eventually

HEADERS_MAX = 100
HEADERS_MAX_BYTES = 60 * 1024
STREAMS_MAX = 100
# A connection of which so many streams were reset at once is closed.
PREMATURE_RESETS_MAX = 500
SMALLEST_HEAP = "64MiB"
UPLOADS, UPLOAD_BYTES = 12, 30_000_000
# Besides the heap: Envoy's binary, V8, two VMs, and what arrives until the heap is measured.
RESIDENT_MAX_BYTES = 600 * 1024 * 1024


@pytest.fixture(autouse=True)
def healthy(over_http):
    """After each test the gateway serves."""
    yield
    assert post(over_http, "both").status == 200


def fields(*more: bytes) -> bytes:
    body = question("hello")
    first = (
        b"host: gateway",
        b"authorization: Bearer " + KEY.encode(),
        b"content-length: %d" % len(body),
    )
    head = b"\r\n".join((b"POST /model/both/converse HTTP/1.1", *first, *more))
    return head + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "number, status", [(HEADERS_MAX - 1, 200), (HEADERS_MAX, 200), (HEADERS_MAX + 1, 431)]
)
def test_the_number_of_headers_is_limited(over_http, number, status):
    own = 3
    response = exchange(over_http, fields(*(b"x-%d: 1" % each for each in range(number - own))))
    assert response.status == status
    if status == 431:
        assert response.error_type == "ValidationException"


@pytest.mark.parametrize("excess, status", [(-1_024, 200), (0, 200), (1_024, 431)])
def test_the_size_of_headers_is_limited(over_http, excess, status):
    """Envoy also counts the names of pseudo-headers, hence the kibibyte."""
    own = len(fields()) - len(question("hello"))
    value = HEADERS_MAX_BYTES + excess - own - 1_024
    if status == 431:
        value += 1_024
    response = exchange(over_http, fields(b"x-large: " + b"a" * value))
    assert response.status == status


class Http2:
    """A raw HTTP/2 connection that keeps no rules of its own."""

    def __init__(self, gateway):
        self.raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.is_closed = False
        self.reset = set()
        self.flush()
        while self.h2.remote_settings.max_concurrent_streams > 2**31:
            self.receive()
        self.streams_max = self.h2.remote_settings.max_concurrent_streams
        self.h2.remote_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = 2**31
        self.h2.remote_settings.acknowledge()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()

    def flush(self):
        try:
            self.raw.sendall(self.h2.data_to_send())
        except OSError:
            self.is_closed = True

    def receive(self, seconds=10):
        """Handles what arrives next. False if nothing does."""
        self.raw.settimeout(seconds)
        try:
            data = self.raw.recv(65_536)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        if not data:
            self.is_closed = True
            return False
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.StreamReset):
                self.reset.add(event.stream_id)
            self.is_closed |= isinstance(event, h2.events.ConnectionTerminated)
        self.flush()
        return True

    def begin(self) -> int:
        stream = self.h2.get_next_available_stream_id()
        headers = [(":method", "POST"), (":path", "/model/both/converse"), (":scheme", "http")]
        headers += [(":authority", "gateway"), ("authorization", f"Bearer {KEY}")]
        self.h2.send_headers(stream, headers)
        self.flush()
        return stream


@pytest.mark.parametrize("number", [STREAMS_MAX - 1, STREAMS_MAX, STREAMS_MAX + 1])
def test_the_streams_of_a_connection_are_limited(over_http, number):
    """One stream more is not begun, even for a client that ignores the announced limit."""
    with Http2(over_http) as client:
        assert client.streams_max == STREAMS_MAX
        for _ in range(number):
            client.begin()
        while client.receive(0.5):
            pass
        assert not client.is_closed and not client.reset
        expected = min(number, STREAMS_MAX)
        eventually(lambda: streams(over_http) == expected, f"{expected} streams")
    eventually(lambda: streams(over_http) == 0, "the end of the streams")


def streams(gateway) -> int:
    return gateway.stats(r"^http2\.streams_active$").get("http2.streams_active", 0)


@pytest.mark.parametrize(
    "resets, is_closed", [(PREMATURE_RESETS_MAX // 4, False), (PREMATURE_RESETS_MAX + 100, True)]
)
def test_a_connection_that_resets_its_streams_at_once_is_closed(over_http, resets, is_closed):
    """CVE-2023-44487, "rapid reset"."""
    with Http2(over_http) as client:
        for _ in range(resets):
            with contextlib.suppress(h2.exceptions.ProtocolError):
                client.h2.reset_stream(client.begin(), h2.errors.ErrorCodes.CANCEL)
            client.flush()
            if client.is_closed:
                break
        while not client.is_closed and client.receive(2):
            pass
        assert client.is_closed == is_closed


def test_a_flood_of_continuation_frames_ends_the_connection(over_http):
    """CVE-2024-27316: headers that never end."""
    with Http2(over_http) as client:
        stream = client.h2.get_next_available_stream_id()
        # HEADERS without END_HEADERS, then CONTINUATION frames of one literal header each.
        block = b"\x00\x01x\x7f\x81\x7d" + b"a" * 252
        frame = len(block).to_bytes(3) + b"\x01\x00" + stream.to_bytes(4) + block
        client.raw.sendall(frame)
        continuation = len(block).to_bytes(3) + b"\x09\x00" + stream.to_bytes(4) + block
        with contextlib.suppress(OSError):
            for _ in range(100_000):
                client.raw.sendall(continuation)
            raise AssertionError("25 MB of headers were accepted")


def resident_bytes(process: int) -> int:
    with open(f"/proc/{process}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def test_uploads_that_exceed_the_heap_are_refused_and_memory_stays_bounded(shared_emulator):
    endpoint = f"http://{shared_emulator.address(WEST)}"
    params = {"model": f"bedrock/{CLAUDE}", "aws_region_name": WEST}
    params["aws_bedrock_runtime_endpoint"] = endpoint
    text = config([("both", params)], litellm_settings={"num_retries": 0})
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

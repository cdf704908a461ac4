"""Limits of HTTP/2 connections of clients, each one below, at and one above its edge."""

import contextlib

import h2.errors
import hpack
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    WindowUpdateFrame,
)

from clients import post, question
from http2 import END_HEADERS, Frames, Http2, fields, is_end, opening, probe
from supervised import eventually

HEADERS_MAX = 100
HEADERS_MAX_BYTES = 60 * 1024
STREAMS_MAX = 100
EMPTY_FRAMES_MAX = 1
PRIORITY_FRAMES_PER_STREAM_MAX = 100
WINDOW_UPDATES_PER_DATA_FRAME_MAX = 10
# Ten times what the kernel's buffers hold.
PINGS_MAX = 4_000_000
# Half of `overload.premature_reset_total_stream_count`: from then on, most streams of the
# connection would be premature even if all others were not.
PREMATURE_RESETS_MAX = 500 // 2 - 1
# Envoy's own limit, which cannot be configured.
CONTINUATION_FRAMES_MAX = 512

AROUND = pytest.mark.parametrize("excess", [-1, 0, 1])


@pytest.fixture(autouse=True)
def healthy(over_http):
    """After each test the gateway serves."""
    yield
    assert post(over_http, "both").status == 200


def outcome(gateway, *more: tuple) -> int | h2.errors.ErrorCodes | None:
    """What happens to a request with these further headers."""
    with Http2(gateway) as client:
        body = question("hello")
        return client.outcome(client.begin(fields(*more), body))


@AROUND
def test_the_number_of_headers_is_limited(over_http, excess):
    """Pseudo-headers count."""
    more = HEADERS_MAX + excess - len(fields())
    expected = 200 if excess <= 0 else h2.errors.ErrorCodes.INTERNAL_ERROR
    assert outcome(over_http, *((f"x-{each}", "1") for each in range(more))) == expected


@AROUND
def test_the_size_of_headers_is_limited(over_http, excess):
    """The names and values of all headers count, pseudo-headers included, and nothing else: not
    the 32 bytes of each header that RFC 9113 adds, and not how they are compressed."""
    own = sum(len(name) + len(value) for name, value in fields())
    value = "a" * (HEADERS_MAX_BYTES + excess - own - len("x-large"))
    expected = 200 if excess <= 0 else h2.errors.ErrorCodes.INTERNAL_ERROR
    assert outcome(over_http, ("x-large", value)) == expected


@AROUND
def test_the_streams_of_a_connection_are_limited(over_http, excess):
    """One stream more is not opened, even for a client that ignores the announced limit."""
    with Http2(over_http) as client:
        assert client.streams_max == STREAMS_MAX
        for _ in range(STREAMS_MAX + excess):
            client.begin()
        while client.receive(0.5):
            pass
        assert not client.is_closed and not client.reset
        expected = min(STREAMS_MAX + excess, STREAMS_MAX)
        eventually(lambda: streams(over_http) == expected, f"{expected} streams")
    eventually(lambda: streams(over_http) == 0, "the end of the streams")


def streams(gateway) -> int:
    return gateway.stats(r"^http2\.streams_active$").get("http2.streams_active", 0)


@AROUND
def test_a_connection_that_resets_its_streams_at_once_is_closed(over_http, excess):
    """CVE-2023-44487, "rapid reset"."""
    with Frames(over_http) as client:
        outcomes = [
            client.is_open_after(opening(stream), RstStreamFrame(stream))
            for stream in range(1, 2 * (PREMATURE_RESETS_MAX + excess), 2)
        ]
    assert outcomes == [True] * min(len(outcomes), PREMATURE_RESETS_MAX) + [False] * (excess > 0)


@AROUND
def test_a_flood_of_continuation_frames_ends_the_connection(over_http, excess):
    """CVE-2024-27316: headers that never end. Their size and number are limited too, but only
    headers that are complete count there."""
    value = b"a" * (CONTINUATION_FRAMES_MAX + excess)
    # A literal header whose value comes in frames of one byte each.
    block = hpack.Encoder().encode(fields()) + b"\x00\x01x" + hpack_integer(len(value))
    frames = [HeadersFrame(1, block), *(ContinuationFrame(1, bytes([each])) for each in value)]
    frames[-1].flags.add(END_HEADERS)
    with Frames(over_http) as client:
        assert client.is_open_after(*frames) == (excess <= 0)


def hpack_integer(value: int) -> bytes:
    """The length of a literal that is not compressed."""
    return bytes(hpack.hpack.encode_integer(value, 7))


@AROUND
def test_a_flood_of_empty_frames_closes_the_connection(over_http, excess):
    empty = [DataFrame(1)] * (EMPTY_FRAMES_MAX + excess)
    with Frames(over_http) as client:
        assert client.is_open_after(opening(1), *empty) == (excess <= 0)


@AROUND
def test_a_flood_of_priority_frames_closes_the_connection(over_http, excess):
    """As many as for one stream are permitted before the first stream."""
    with Frames(over_http) as client:
        flood = [PriorityFrame(3, stream_weight=1)] * (PRIORITY_FRAMES_PER_STREAM_MAX + excess)
        assert client.is_open_after(*flood) == (excess <= 0)


@AROUND
def test_a_flood_of_window_updates_closes_the_connection(over_http, excess):
    """Twice the limit for each DATA frame that was sent, two for each open stream, and five."""
    with Frames(over_http) as client:
        client.raw.sendall(probe(1).serialize())
        received = [client.receive()]
        while not is_end(received[-1]):
            received.append(client.receive())
        sent = sum(isinstance(frame, DataFrame) for frame in received)
        assert sent >= 1
        edge = 5 + 2 * WINDOW_UPDATES_PER_DATA_FRAME_MAX * sent
        flood = [WindowUpdateFrame(0, window_increment=1)] * (edge + excess)
        assert client.is_open_after(*flood) == (excess <= 0)


def test_a_flood_of_pings_closes_the_connection(over_http):
    """By a client that reads nothing. There is no exact edge: the responses that wait in Envoy are
    counted, after those that the kernel's buffers hold."""
    pings = PingFrame(0, opaque_data=b"anything").serialize() * 1_000
    with Frames(over_http) as client, contextlib.suppress(ConnectionError):
        for _ in range(PINGS_MAX // 1_000):
            client.raw.sendall(pings)
        raise AssertionError(f"{PINGS_MAX} pings were accepted")

"""Raw HTTP/2 connections to a gateway, for clients that break the rules."""

import socket

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import hpack
from hyperframe.frame import DataFrame, Frame, HeadersFrame, PingFrame, SettingsFrame

from gateway import KEY

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
END_HEADERS = "END_HEADERS"
FRAME_HEADER_BYTES = 9
LAST_PING = b"the last"


def fields(*more: tuple) -> list:
    """The headers of a model request, without its body."""
    first = [(":method", "POST"), (":path", "/model/both/converse"), (":scheme", "http")]
    return [*first, (":authority", "gateway"), ("authorization", f"Bearer {KEY}"), *more]


class Http2:
    """A client that begins as many streams as it likes."""

    def __init__(self, gateway):
        self.raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.is_closed = False
        self.reset = {}
        self.statuses = {}
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
                self.reset[event.stream_id] = event.error_code
            if isinstance(event, h2.events.ResponseReceived):
                self.statuses[event.stream_id] = int(dict(event.headers)[":status"])
            self.is_closed |= isinstance(event, h2.events.ConnectionTerminated)
        self.flush()
        return True

    def begin(self, headers=None, body=None) -> int:
        """Begins a stream, and ends it with `body` if there is one."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, headers or fields())
        if body is not None:
            self.h2.send_data(stream, body, end_stream=True)
        self.flush()
        return stream

    def outcome(self, stream: int) -> int | h2.errors.ErrorCodes | None:
        """The status of a response, or why the stream was reset. `None` if the connection ended."""
        while not (stream in self.statuses or stream in self.reset or self.is_closed):
            self.receive()
        return self.statuses.get(stream, self.reset.get(stream))


class Frames:
    """A client that sends any frames."""

    def __init__(self, gateway):
        self.raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
        self.waiting = b""
        self.raw.sendall(PREFACE + SettingsFrame(0).serialize())
        # The gateway has nothing else to read or write when the frames of a test arrive.
        assert self.is_open_after()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()

    def is_open_after(self, *frames: Frame) -> bool:
        """Sends these frames and a PING at once. False if the gateway closes the connection."""
        frames = (*frames, PingFrame(0, opaque_data=LAST_PING))
        try:
            self.raw.sendall(b"".join(frame.serialize() for frame in frames))
            while frame := self.receive():
                if isinstance(frame, PingFrame) and frame.opaque_data == LAST_PING:
                    return True
        except ConnectionError:
            pass
        return False

    def receive(self) -> Frame | None:
        """The next frame. `None` if the gateway closes the connection."""
        head = self.read(FRAME_HEADER_BYTES)
        if head is None:
            return None
        frame, length = Frame.parse_frame_header(memoryview(head))
        body = self.read(length)
        if body is None:
            return None
        frame.parse_body(memoryview(body))
        return frame

    def read(self, size: int) -> bytes | None:
        while len(self.waiting) < size:
            chunk = self.raw.recv(65_536)
            if not chunk:
                return None
            self.waiting += chunk
        taken, self.waiting = self.waiting[:size], self.waiting[size:]
        return taken


def opening(stream: int, *more: tuple) -> HeadersFrame:
    """The frame that begins a model request."""
    block = hpack.Encoder().encode(fields(*more))
    return HeadersFrame(stream, block, flags=[END_HEADERS])


def probe(stream: int) -> HeadersFrame:
    """A complete request for /health/liveliness, whose response has a body."""
    first = [(":method", "GET"), (":path", "/health/liveliness"), (":scheme", "http")]
    block = hpack.Encoder().encode([*first, (":authority", "gateway")])
    return HeadersFrame(stream, block, flags=[END_HEADERS, "END_STREAM"])


def is_end(frame: Frame) -> bool:
    return isinstance(frame, DataFrame | HeadersFrame) and "END_STREAM" in frame.flags

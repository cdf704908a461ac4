"""Event streams: an upstream that sends them and a client that times them.

Python is slow, but equally slow for each variant.
"""

import asyncio
import socket
import struct
import threading
import time
import zlib

from envoys import STREAM_PATH, VARIABLES


def frame(event, payload):
    """A message of the event stream encoding. Its checksums are valid: the gateway reads it."""
    block = b""
    for name, value in (
        (b":event-type", event),
        (b":content-type", b"application/json"),
        (b":message-type", b"event"),
    ):
        block += struct.pack("!B", len(name)) + name + struct.pack("!BH", 7, len(value)) + value
    message = struct.pack("!II", 16 + len(block) + len(payload), len(block))
    message += struct.pack("!I", zlib.crc32(message)) + block + payload
    return message + struct.pack("!I", zlib.crc32(message))


EVENT = frame(
    b"contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":" word"},"p":"abcdefgh"}'
)
EVENTS_HEADER = "x-amzn-bedrock-bench-events"
# The length of a long stream.
LONG_EVENTS = 2000
# The length of a stream whose request does not say it: LiteLLM drops the header.
FIRST_EVENTS = 5
BODY = b'{"messages":[{"role":"user","content":[{"text":"%s"}]}]}' % (b"x" * 970)


def serve(port):
    """Serves streams in a thread. A request header sets the number of events; each is one write."""

    async def respond(reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                await reader.readexactly(int(fields["content-length"]))
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n"
                    b"transfer-encoding: chunked\r\n\r\n"
                )
                for _ in range(int(fields.get(EVENTS_HEADER, FIRST_EVENTS))):
                    writer.write(b"%x\r\n%s\r\n" % (len(EVENT), EVENT))
                    await asyncio.sleep(0)
                writer.write(b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run():
        server = await asyncio.start_server(respond, "127.0.0.1", port)
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()


class Client:
    """A persistent connection to one Envoy."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def stream(self, events):
        """Reads one stream and returns the microseconds until its first event."""
        key = VARIABLES["LITELLM_MASTER_KEY"]
        head = (
            f"POST {STREAM_PATH} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\n{EVENTS_HEADER}: {events}\r\n"
            f"content-length: {len(BODY)}\r\n\r\n"
        )
        begin = time.perf_counter_ns()
        self.socket.sendall(head.encode() + BODY)
        seen, first = b"", None
        while not seen.endswith(b"0\r\n\r\n"):
            chunk = self.socket.recv(65536)
            if not chunk:
                raise SystemExit("bench: the connection was closed in the middle of a stream")
            seen = (seen + chunk)[-4096:]
            if first is None and EVENT in seen:
                first = (time.perf_counter_ns() - begin) / 1000
            if first is None and b"\r\n\r\n" in seen and b" 200 " not in seen:
                raise SystemExit(f"bench: expected a stream, but got {seen[:200]!r}")
        return first

    def close(self):
        self.socket.close()

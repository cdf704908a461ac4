"""How the clients of the accounting tests behave, and what they received."""

import base64
import concurrent.futures
import dataclasses
import http.client
import json
import re
import threading
import time

import botocore.eventstream

from clients import connection

from .calls import Call
from .models import BODY_LIMIT_MEGABYTES
from .scenarios import CONCURRENT_CLIENTS, STREAMS

ARRIVAL_SECONDS = 60
PIECE_BYTES = 65_536


@dataclasses.dataclass
class Received:
    """What a client received. The status is `None` if the response never began."""

    status: int | None = None
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    is_complete: bool = False

    def events(self, operation: str) -> list:
        """(name, content) of a stream's events, up to the first damaged or incomplete one."""
        if operation not in STREAMS:
            return []
        buffer, found = botocore.eventstream.EventStreamBuffer(), []
        buffer.add_data(self.body)
        try:
            for frame in buffer:
                content = json.loads(frame.payload)
                if "bytes" in content:
                    content = json.loads(base64.b64decode(content["bytes"]))
                headers = frame.headers
                found.append((headers.get(":event-type") or headers[":exception-type"], content))
        except botocore.eventstream.ChecksumMismatch:
            pass
        return found

    def characters(self, operation: str) -> int:
        """The number of characters of response text that arrived."""
        if operation in STREAMS:
            deltas = (content.get("delta", {}) for _, content in self.events(operation))
            return sum(len(delta.get("text", "")) for delta in deltas)
        text = re.search(rb'"text":"([^"]*)', self.body)
        return len(text[1].decode(errors="ignore")) if text else 0

    def string_after(self, member: str) -> str | None:
        """The string that follows `member` in a Converse response, if it arrived."""
        found = re.search(re.escape(member).encode() + rb'"([^"]*)"', self.body)
        return found[1].decode() if found else None


class ClientPool:
    """Sends all calls, `CONCURRENT_CLIENTS` of them at once.

    A client that disconnects before its response waits until all such requests have reached the
    emulator, which counts the requests hit by its `hang` fault. A request that disconnects earlier
    would be recorded differently.
    """

    def __init__(self, gateway, emulator, waiting: int):
        self.gateway, self.emulator, self.waiting = gateway, emulator, waiting
        self.arrived = threading.Event()
        self.lock, self.active, self.most_active = threading.Lock(), 0, 0
        self.kept = threading.local()

    def run(self, calls: list) -> dict:
        """What each call received, by call id."""
        watcher = threading.Thread(target=self.watch)
        watcher.start()
        with concurrent.futures.ThreadPoolExecutor(CONCURRENT_CLIENTS) as pool:
            received = dict(
                zip([call.call_id for call in calls], pool.map(self.send, calls), strict=True)
            )
        watcher.join()
        return received

    def watch(self):
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while time.monotonic() < deadline:
            faults = [
                fault
                for fault in self.emulator.faults()
                if "disconnected-early" in fault["match"].get("model", "")
            ]
            if sum(fault["hits"] for fault in faults) >= self.waiting:
                self.arrived.set()
                return
            time.sleep(0.05)

    def send(self, call: Call) -> Received:
        with self.lock:
            self.active += 1
            self.most_active = max(self.most_active, self.active)
        try:
            return getattr(self, call.scenario.action)(call)
        finally:
            with self.lock:
                self.active -= 1

    # The actions.

    def read(self, call: Call) -> Received:
        """Reads the whole response. Keeps the connection for the next call if all went well."""
        kept = getattr(self.kept, "connection", None) or connection(self.gateway.url, 60)
        kept.request(call.method, call.path, call.body, call.headers)
        response = kept.getresponse()
        received = receive(response)
        is_reusable = received.is_complete and received.status == 200 and not response.will_close
        self.kept.connection = kept if is_reusable else kept.close()
        return received

    def disconnect_early(self, call: Call) -> Received:
        opened = connection(self.gateway.url, 60)
        opened.request(call.method, call.path, call.body, call.headers)
        assert self.arrived.wait(ARRIVAL_SECONDS), (
            f"fewer than {self.waiting} requests reached the emulator"
        )
        opened.close()
        return Received()

    def disconnect_at_headers(self, call: Call) -> Received:
        opened = connection(self.gateway.url, 60)
        opened.request(call.method, call.path, call.body, call.headers)
        response = opened.getresponse()
        disconnect(opened, response)
        return Received(response.status, lowercase_headers(response))

    def disconnect_in_stream(self, call: Call) -> Received:
        opened = connection(self.gateway.url, 60)
        opened.request(call.method, call.path, call.body, call.headers)
        response = opened.getresponse()
        received = Received(response.status, lowercase_headers(response))
        while len(received.events(call.operation)) < call.scenario.events_read:
            piece = response.read1(PIECE_BYTES)
            assert piece, (
                f"the stream ended before {call.scenario.events_read} events: {received.body}"
            )
            received.body += piece
        disconnect(opened, response)
        return received

    def disconnect_while_uploading(self, call: Call) -> Received:
        """Disconnects once Envoy sends 100 Continue: by then the filter has the headers."""
        opened = connection(self.gateway.url, 60)
        self.begin(opened, call, **{"expect": "100-continue", "content-length": "100000"})
        assert opened.sock.recv(PIECE_BYTES).startswith(b"HTTP/1.1 100 ")
        opened.sock.sendall(call.body)
        opened.close()
        return Received()

    def declare_too_much(self, call: Call) -> Received:
        sender = connection(self.gateway.url, 60)
        self.begin(sender, call, **{"content-length": "40000000"})
        sender.sock.sendall(b"x" * 40_000_000)
        return response_to(sender)

    def send_too_much(self, call: Call) -> Received:
        sender = connection(self.gateway.url, 60)
        self.begin(sender, call, **{"transfer-encoding": "chunked"})
        size = BODY_LIMIT_MEGABYTES * 1024 * 1024 + 1
        sender.sock.sendall(b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n")
        return response_to(sender)

    def begin(self, opened, call: Call, **more):
        opened.putrequest(call.method, call.path)
        for name, value in {**call.headers, **more}.items():
            opened.putheader(name, value)
        opened.endheaders()


def response_to(opened) -> Received:
    """The response to a request written to the socket by hand."""
    response = http.client.HTTPResponse(opened.sock, method="POST")
    response.begin()
    received = receive(response)
    opened.close()
    return received


def receive(response) -> Received:
    """The response, as much of it as arrives."""
    received = Received(response.status, lowercase_headers(response))
    try:
        while piece := response.read1(PIECE_BYTES):
            received.body += piece
        # `read1` also returns nothing when the connection breaks off.
        received.is_complete = response.isclosed() and not response.length
    except (http.client.HTTPException, OSError):
        pass
    return received


def lowercase_headers(response) -> dict:
    return {name.lower(): value for name, value in response.getheaders()}


def disconnect(opened, response):
    """Closes the connection and the response. Each of them holds the socket."""
    response.close()
    opened.close()

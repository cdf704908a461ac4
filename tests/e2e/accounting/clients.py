"""How the clients of the proof of accounting behave, and what they saw."""

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

from .models import BODY_LIMIT_MEGABYTES
from .requests import Ask
from .scenarios import STREAMS, TOGETHER

ARRIVAL_SECONDS = 60
PIECE_BYTES = 65_536


@dataclasses.dataclass
class Seen:
    """What a client got: nothing but `None`s if it left, or was left, before the response began."""

    status: int | None = None
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    is_whole: bool = False

    def events(self, operation: str) -> list:
        """(name, content) of the events of a stream, up to the first that is damaged or not whole."""
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
        """Characters of the response's text that came."""
        if operation in STREAMS:
            deltas = (content.get("delta", {}) for _, content in self.events(operation))
            return sum(len(delta.get("text", "")) for delta in deltas)
        text = re.search(rb'"text":"([^"]*)', self.body)
        return len(text[1].decode(errors="ignore")) if text else 0

    def told(self, member: str) -> str | None:
        """What a response of Converse told behind `member`, as far as it came."""
        found = re.search(re.escape(member).encode() + rb'"([^"]*)"', self.body)
        return found[1].decode() if found else None


class Crowd:
    """Sends all requests, `TOGETHER` of them at once.

    Who leaves before a response does so when all of them have reached the emulator: it counts whom its fault `hang` has
    hit, and a request that had not arrived would be another kind of request.
    """

    def __init__(self, gateway, emulator, waiting: int):
        self.gateway, self.emulator, self.waiting = gateway, emulator, waiting
        self.arrived = threading.Event()
        self.lock, self.active, self.most_active = threading.Lock(), 0, 0
        self.kept = threading.local()

    def run(self, asks: list) -> dict:
        """What was seen, by call id."""
        watcher = threading.Thread(target=self.watch)
        watcher.start()
        with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
            seen = dict(zip([ask.call_id for ask in asks], pool.map(self.send, asks)))
        watcher.join()
        return seen

    def watch(self):
        end = time.monotonic() + ARRIVAL_SECONDS
        while time.monotonic() < end:
            faults = [
                fault
                for fault in self.emulator.faults()
                if "left-unanswered" in fault["match"].get("model", "")
            ]
            if sum(fault["hits"] for fault in faults) >= self.waiting:
                self.arrived.set()
                return
            time.sleep(0.05)

    def send(self, ask: Ask) -> Seen:
        with self.lock:
            self.active += 1
            self.most_active = max(self.most_active, self.active)
        try:
            return getattr(self, ask.scenario.act)(ask)
        finally:
            with self.lock:
                self.active -= 1

    # The acts.

    def read(self, ask: Ask) -> Seen:
        """Reads all that comes. The connection is kept for the next if the response was as it should be."""
        kept = getattr(self.kept, "connection", None) or connection(self.gateway.url, 60)
        kept.request(ask.method, ask.path, ask.body, ask.headers)
        response = kept.getresponse()
        seen = rest_of(response)
        is_reusable = seen.is_whole and seen.status == 200 and not response.will_close
        self.kept.connection = kept if is_reusable else kept.close()
        return seen

    def leave_unanswered(self, ask: Ask) -> Seen:
        leaving = connection(self.gateway.url, 60)
        leaving.request(ask.method, ask.path, ask.body, ask.headers)
        assert self.arrived.wait(ARRIVAL_SECONDS), (
            f"expected {self.waiting} requests at the emulator"
        )
        leaving.close()
        return Seen()

    def leave_at_headers(self, ask: Ask) -> Seen:
        leaving = connection(self.gateway.url, 60)
        leaving.request(ask.method, ask.path, ask.body, ask.headers)
        response = leaving.getresponse()
        leave(leaving, response)
        return Seen(response.status, lower(response))

    def leave_in_stream(self, ask: Ask) -> Seen:
        leaving = connection(self.gateway.url, 60)
        leaving.request(ask.method, ask.path, ask.body, ask.headers)
        response = leaving.getresponse()
        seen = Seen(response.status, lower(response))
        while len(seen.events(ask.operation)) < ask.scenario.keeps:
            piece = response.read1(PIECE_BYTES)
            assert piece, (
                f"expected {ask.scenario.keeps} events, but found the end behind {seen.body}"
            )
            seen.body += piece
        leave(leaving, response)
        return seen

    def leave_uploading(self, ask: Ask) -> Seen:
        """Envoy tells it to continue when the filter has had its headers."""
        leaving = connection(self.gateway.url, 60)
        self.begin(leaving, ask, **{"expect": "100-continue", "content-length": "100000"})
        assert leaving.sock.recv(PIECE_BYTES).startswith(b"HTTP/1.1 100 ")
        leaving.sock.sendall(ask.body)
        leaving.close()
        return Seen()

    def declare_too_much(self, ask: Ask) -> Seen:
        with_too_much = connection(self.gateway.url, 60)
        self.begin(with_too_much, ask, **{"content-length": "40000000"})
        with_too_much.sock.sendall(b"x" * 40_000_000)
        return answer_of(with_too_much)

    def send_too_much(self, ask: Ask) -> Seen:
        with_too_much = connection(self.gateway.url, 60)
        self.begin(with_too_much, ask, **{"transfer-encoding": "chunked"})
        size = BODY_LIMIT_MEGABYTES * 1024 * 1024 + 1
        with_too_much.sock.sendall(b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n")
        return answer_of(with_too_much)

    def begin(self, opened, ask: Ask, **more):
        opened.putrequest(ask.method, ask.path)
        for name, value in {**ask.headers, **more}.items():
            opened.putheader(name, value)
        opened.endheaders()


def answer_of(opened) -> Seen:
    """The response to a request that was sent by hand."""
    response = http.client.HTTPResponse(opened.sock, method="POST")
    response.begin()
    seen = rest_of(response)
    opened.close()
    return seen


def rest_of(response) -> Seen:
    """The response, as far as it comes."""
    seen = Seen(response.status, lower(response))
    try:
        while piece := response.read1(PIECE_BYTES):
            seen.body += piece
        # `read1` takes the end of the connection for that of the response.
        seen.is_whole = response.isclosed() and not response.length
    except (http.client.HTTPException, OSError):
        pass
    return seen


def lower(response) -> dict:
    return {name.lower(): value for name, value in response.getheaders()}


def leave(opened, response):
    """Closes the connection: both objects have to be, as each holds the socket."""
    response.close()
    opened.close()

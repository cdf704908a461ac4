"""The clients: they send requests at a steady rate, keep streams open, and note every outcome."""

import collections
import contextlib
import dataclasses
import itertools
import queue
import random
import threading
import time

import botocore.exceptions

from accounting.scenarios import STREAM
from clients import boto, connection, messages, streamed_text, text_of
from kinds import (
    BOTO,
    LEAVE_EARLY,
    LEAVE_IN_STREAM,
    LONG_STREAM,
    Kind,
    drawn,
)
from transport import H2, H2C, PLAIN, TLS, Transport

WORKERS = 40
# Longer than any response takes, and than the gateway waits for one.
TIMEOUT_SECONDS = 130
PROTOCOL_WEIGHTS = {PLAIN: 5, TLS: 2, H2C: 2, H2: 2}
BOTO_CLIENTS = 3
LOOKUPS_KEPT = 200


@dataclasses.dataclass(slots=True)
class Exchange:
    """A request and its outcome. Times are UNIX seconds."""

    id: str
    kind: str
    protocol: str
    phase: str
    started: float
    ended: float = 0.0
    # `None` if no response began.
    status: int | None = None
    # What is wrong with the outcome, or `None`.
    problem: str | None = None
    error_type: str | None = None
    region: str | None = None
    retry_after: str | None = None
    # What the response says, if the kind asks for something.
    answer: object = None
    # Whether the client closed the connection although more was to come.
    left: bool = False

    @property
    def milliseconds(self) -> float:
        return (self.ended - self.started) * 1000


class Load:
    """Clients of one gateway. The key may change while they run."""

    def __init__(self, gateway, key: str, seed: int = 9):
        self.gateway, self.key = gateway, key
        self.phase = "start"
        self.exchanges: list[Exchange] = []
        self.recent = collections.deque(["nothing"], maxlen=LOOKUPS_KEPT)
        self._numbers = itertools.count()
        self._chance = random.Random(seed)
        self._kinds = drawn(random.Random(seed))
        self._wanted: queue.SimpleQueue = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._boto = BotoClients(gateway)

    # Starting and stopping.

    def start(self, rate: float, streams: int = 0, stream_seconds: float = 60):
        """Sends `rate` requests of the mix per second, and keeps `streams` streams open."""
        self._stop.clear()
        self._spawn(self._pace, rate)
        for _ in range(WORKERS):
            self._spawn(self._work)
        for number in range(streams):
            delay = stream_seconds * number / streams / 4
            self._spawn(self._keep_streaming, delay)

    def stop(self):
        """Stops sending, leaves the long streams, and waits for all other responses."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    @contextlib.contextmanager
    def running(self, rate: float, streams: int = 0, stream_seconds: float = 60):
        self.start(rate, streams, stream_seconds)
        try:
            yield
        finally:
            self.stop()

    def _spawn(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _pace(self, rate: float):
        start, sent = time.monotonic(), 0
        while not self._stop.is_set():
            if self._wanted.qsize() < WORKERS:
                self._wanted.put(next(self._kinds))
            sent += 1
            time.sleep(max(0.0, start + sent / rate - time.monotonic()))
        for _ in range(WORKERS):
            self._wanted.put(None)

    def _work(self):
        with contextlib.closing(Transport(self.gateway, TIMEOUT_SECONDS)) as transport:
            while kind := self._wanted.get():
                self.send(transport, kind)

    def _keep_streaming(self, delay: float):
        self._stop.wait(delay)
        with contextlib.closing(Transport(self.gateway, TIMEOUT_SECONDS)) as transport:
            while not self._stop.is_set():
                exchange = self.send(transport, LONG_STREAM)
                if exchange.problem:
                    self._stop.wait(1)

    # One request.

    def send(self, transport: Transport, kind: Kind, protocol=None, key=None) -> Exchange:
        """Sends one request and notes its outcome."""
        weights = PROTOCOL_WEIGHTS
        protocol = protocol or self._chance.choices([*weights], [*weights.values()])[0]
        if kind.action == BOTO:
            protocol = "boto3"
        elif kind.action == LEAVE_EARLY:
            protocol = PLAIN
        id = f"soak-{next(self._numbers):06}"
        exchange = Exchange(id, kind.name, protocol, self.phase, time.time())
        key = key or self.key
        try:
            if kind.action == BOTO:
                self._converse(exchange, kind, key)
            else:
                self._exchange(transport, exchange, kind, key)
        except Exception as error:
            exchange.problem = f"{type(error).__name__}: {error}"[:200]
        exchange.ended = time.time()
        self.exchanges.append(exchange)
        if exchange.status == 200 and not kind.is_probe:
            self.recent.append(id)
        return exchange

    def _exchange(self, transport, exchange: Exchange, kind: Kind, key: str):
        headers = {"x-litellm-call-id": exchange.id, "user-agent": exchange.id}
        if kind.has_key:
            headers["authorization"] = f"Bearer {key}"
        if kind.method == "POST":
            headers["content-type"] = "application/json"
        path = kind.path_for(self._chance.choice(self.recent))
        body = kind.body(exchange.id)
        if kind.action == LEAVE_EARLY:
            exchange.left = True
            send_and_leave(self.gateway, path, headers, body)
            return
        with transport.exchange(exchange.protocol, kind.method, path, headers, body) as reply:
            exchange.status = reply.status
            exchange.error_type = reply.headers.get("x-amzn-errortype")
            exchange.region = reply.headers.get("x-litellm-model-region")
            exchange.retry_after = reply.headers.get("retry-after")
            received = bytearray()
            for piece in reply.pieces():
                received += piece
                if kind.action == LEAVE_IN_STREAM or (kind is LONG_STREAM and self._stop.is_set()):
                    exchange.left = True
                    transport.drop(exchange.protocol)
                    break
            if not exchange.left:
                exchange.problem = kind.problem(exchange.id, reply.status, bytes(received))
                if kind.answer and reply.status == 200:
                    exchange.answer = kind.answer(reply.headers, bytes(received))

    def _converse(self, exchange: Exchange, kind: Kind, key: str):
        with self._boto.client(key, exchange.id) as client:
            asked = {"modelId": kind.model, "messages": messages(exchange.id)}
            try:
                if kind.operation == STREAM:
                    response = client.converse_stream(**asked)
                    exchange.status = 200
                    text = streamed_text(response["stream"])
                else:
                    text = text_of(client.converse(**asked))
                    exchange.status = 200
            except botocore.exceptions.ClientError as error:
                exchange.status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                exchange.error_type = exchange.problem = error.response["Error"]["Code"]
                return
        if exchange.id not in text:
            exchange.problem = "the response of another request"


def send_and_leave(gateway, path: str, headers: dict, body: bytes):
    opened = connection(gateway.url)
    opened.request("POST", path, body, headers)
    opened.close()


class BotoClients:
    """A few boto3 clients for each key, because each takes long to make. They use plain HTTP."""

    def __init__(self, gateway):
        self.gateway = gateway
        self._idle: dict = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def client(self, key: str, id: str):
        """A client that marks its request with `id`."""
        with self._lock:
            if key not in self._idle:
                self._idle[key] = queue.SimpleQueue()
                for _ in range(BOTO_CLIENTS):
                    self._idle[key].put(self._made(key))
        mark, client = self._idle[key].get()
        mark["id"] = id
        try:
            yield client
        finally:
            self._idle[key].put((mark, client))

    def _made(self, key: str) -> tuple:
        mark = {}

        def add(request, **_):
            for name in ("x-litellm-call-id", "User-Agent"):
                request.headers.pop(name, None)
                request.headers[name] = mark["id"]

        client = boto(self.gateway, key=key, read_timeout=TIMEOUT_SECONDS)
        client.meta.events.register("before-send.bedrock-runtime", add)
        return mark, client

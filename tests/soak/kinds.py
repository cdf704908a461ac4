"""The kinds of requests, what each sends, and what a complete response to it is."""

import base64
import collections.abc
import dataclasses
import decimal
import json
import random

from accounting.clients import Received
from accounting.scenarios import CONVERSE, COUNT, INVOKE, INVOKE_STREAM, STREAM, STREAMS
from clients import anthropic, question
from configuration import BODY_LIMIT_MEGABYTES, OPTIONAL

READ, LEAVE_EARLY, LEAVE_IN_STREAM, BOTO = "read", "leave early", "leave in stream", "boto"
KILOBYTE, MEGABYTE = 1 << 10, 1 << 20
PICO_USD = decimal.Decimal("1e-12")
FILLER = "lorem ipsum dolor sit amet, "


@dataclasses.dataclass(frozen=True)
class Kind:
    """Requests of one kind. `weight` is the share of the mix, in any unit."""

    name: str
    weight: float = 0
    operation: str = CONVERSE
    model: str = "chat"
    body_bytes: int = 0
    action: str = READ
    method: str = "POST"
    path: str | None = None
    has_key: bool = True
    status: int = 200
    # Makes of a response with status 200 what the sender asked for.
    answer: collections.abc.Callable | None = None

    def path_for(self, parameter: str) -> str:
        return (self.path or f"/model/{self.model}/{self.operation}").format(parameter=parameter)

    def body(self, id: str) -> bytes:
        if self.method == "GET":
            return b""
        text = padded(id, self.body_bytes)
        if self.model == "embedding":
            return json.dumps({"inputText": text}).encode()
        if self.operation in (CONVERSE, STREAM):
            return question(text)
        if self.operation == COUNT:
            inner = base64.b64encode(anthropic(text)).decode()
            by_invoke = {"invokeModel": {"body": inner}}
            return json.dumps({"input": by_invoke}).encode()
        return anthropic(text)

    @property
    def is_probe(self) -> bool:
        return self.path is not None and self.path.startswith("/health")

    @property
    def leaves(self) -> bool:
        """Whether the client leaves before the response is complete."""
        return self.action in (LEAVE_EARLY, LEAVE_IN_STREAM)

    def problem(self, id: str, status: int, body: bytes) -> str | None:
        """What is wrong with a response that arrived, or `None`."""
        if status != self.status:
            return f"status {status}"
        if status != 200 or self.is_probe or self.leaves:
            return None
        if self.path:
            return None if all(row["request_id"] for row in json.loads(body)) else "wrong row"
        if self.operation in STREAMS:
            return self.problem_of_stream(id, body)
        document = json.loads(body)
        if self.operation == COUNT:
            return None if document["inputTokens"] > 0 else "no count"
        if self.model == "embedding":
            return None if document["embedding"] else "no embedding"
        content = document["output"]["message"] if self.operation == CONVERSE else document
        return None if id in content["content"][0]["text"] else "the response of another request"

    def problem_of_stream(self, id: str, body: bytes) -> str | None:
        events = Received(200, {}, body).events(self.operation)
        name, last = events[-1] if events else ("nothing", {})
        if name.endswith("Exception"):
            return name
        if name != "metadata" and "amazon-bedrock-invocationMetrics" not in last:
            return "incomplete stream"
        text = "".join(event.get("delta", {}).get("text", "") for _, event in events)
        return None if id in text else "the response of another request"


def padded(id: str, size: int) -> str:
    return f"{id} " + FILLER * (size // len(FILLER))


def version_in(headers: dict, body: bytes) -> int | None:
    """The version of the configuration that served a request of the kind `VERSION`."""
    cost = decimal.Decimal(headers["x-litellm-response-cost-input"])
    return int(cost / PICO_USD / json.loads(body)["usage"]["inputTokens"])


READINESS = Kind(
    "readiness",
    2,
    method="GET",
    path="/health/readiness",
    has_key=False,
    answer=lambda _, body: json.loads(body),
)
MIX = [
    Kind("converse", 20),
    Kind("converse, 100 KB", 5, body_bytes=100 * KILOBYTE),
    Kind("converse, 1 MB", 1, body_bytes=MEGABYTE),
    Kind("converse, 8 MB", 0.1, body_bytes=8 * MEGABYTE),
    Kind("converse-stream", 20, STREAM),
    Kind("invoke", 8, INVOKE),
    Kind("invoke stream", 8, INVOKE_STREAM),
    Kind("count-tokens", 6, COUNT),
    Kind("embedding", 4, INVOKE, "embedding"),
    Kind("boto3 converse", 1.5, action=BOTO),
    Kind("boto3 converse-stream", 1.5, STREAM, action=BOTO),
    Kind("client leaves early", 2, CONVERSE, "slow", action=LEAVE_EARLY),
    Kind("client leaves in stream", 2, STREAM, "slow", action=LEAVE_IN_STREAM),
    Kind("lookup", 5, method="GET", path="/spend/logs?request_id={parameter}"),
    READINESS,
    Kind("liveness", 1, method="GET", path="/health/liveliness", has_key=False),
    Kind("no key", 2, has_key=False, status=401),
    Kind("no key, 1 MB", 0.3, body_bytes=MEGABYTE, has_key=False, status=401),
    Kind("unknown model", 2, model="nobody", status=400),
    Kind("upload too large", 0.1, body_bytes=(BODY_LIMIT_MEGABYTES + 2) * MEGABYTE, status=413),
]
LONG_STREAM = Kind("stream of a minute", operation=STREAM, model="long")
UPLOAD = Kind("upload of 30 MB", body_bytes=30 * MEGABYTE)
VERSION = Kind("version", model="version", answer=version_in)


def optional(exists: bool) -> Kind:
    """A request for the group that only some versions have."""
    return Kind("optional model", model=OPTIONAL, status=200 if exists else 400)


def drawn(chance: random.Random) -> collections.abc.Iterator[Kind]:
    """Kinds at random, by weight."""
    weights = [kind.weight for kind in MIX]
    while True:
        yield chance.choices(MIX, weights)[0]

"""What the proof of accounting asks for: five hundred requests of every kind that a price has to be found for, each with
a call id of its own, and the configuration that serves them.

Whatever goes wrong does so by the model that is asked for: the emulator's faults match Bedrock's model ids, so that
the same requests meet the same faults in every run, whatever their order.
"""

import base64
import dataclasses
import itertools
import json
import random
import urllib.parse

from clients import anthropic, messages, question
from gateway import KEY

WEST, EAST, CENTRAL, GONE = "us-west-2", "us-east-1", "eu-central-1", "ap-south-1"
REGIONS = (WEST, EAST, CENTRAL, GONE)
TOTAL, TOGETHER = 500, 64
BODY_LIMIT_MEGABYTES = 2
CONVERSE, STREAM, INVOKE, INVOKE_STREAM, COUNT = OPERATIONS = (
    "converse", "converse-stream", "invoke", "invoke-with-response-stream", "count-tokens")
STREAMS = (STREAM, INVOKE_STREAM)
TIERS = (None, "flex", None, "priority", "default", None, "reserved")
# Longest answer whose headers wait for its cost, and a length above it.
HELD_MAX_BYTES = 1024 * 1024
LONG_ANSWER_BYTES = 3_000_000
# Prompts of more than 200,000 tokens have a price of their own.
LONG_PROMPT_BYTES = 900_000

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
UNPRICED = "acme.frontier-v1:0"
PROFILE = f"arn:aws:bedrock:{CENTRAL}:123456789012:application-inference-profile/abc123def456"
# The digits of a price that somebody negotiated: no float holds them all.
OWN_PRICE = {"input_cost_per_token": "0.000001234567", "output_cost_per_token": "0.000007654321",
             "cache_read_input_token_cost": "0.000000123457", "cache_creation_input_token_cost": "0.0000015"}


@dataclasses.dataclass(frozen=True)
class Deployment:
    """One entry of `model_list`."""
    group: str
    region: str
    model: str
    order: int | None = None
    prices: dict = dataclasses.field(default_factory=dict)
    base_model: str | None = None

    @property
    def id(self) -> str:
        return f"{self.group}@{self.region}"

    @property
    def api_base(self) -> str:
        return f"bedrock-runtime.{self.region}.amazonaws.com"

    def entry(self) -> dict:
        params = {"model": f"bedrock/{self.model}", "aws_region_name": self.region, **self.prices}
        info = {"id": self.id}
        if self.order is not None:
            params["order"] = self.order
        if self.base_model:
            info["base_model"] = self.base_model
        return {"model_name": self.group, "litellm_params": params, "model_info": info}


@dataclasses.dataclass(frozen=True)
class Scenario:
    """Requests of one kind, what is to go wrong with them, and what their rows have to say of it."""
    name: str
    count: int
    asked: tuple = ("sonnet",)
    operations: tuple = (CONVERSE, STREAM, INVOKE, INVOKE_STREAM)
    act: str = "read"
    keeps: int = 0  # `leave_in_stream`: events that the client reads
    faults: tuple = ()
    http_status: int | None = 200
    error_class: str | None = None
    source: str | None = "reported"
    unread: str | None = None
    retries: int = 0

    @property
    def is_refused(self) -> bool:
        """Whether it never became a request to Bedrock."""
        return self.name.startswith("refused") or self.act == "leave_uploading"


def fault(kind, region=WEST, **more) -> dict:
    return {"kind": kind, "region": region, **more}


def everywhere(kind, **more) -> tuple:
    return tuple(fault(kind, region, **more) for region in (WEST, EAST))


def retried(name, count, *faults, retries=1) -> Scenario:
    return Scenario(name, count, (name,), faults=faults, retries=retries)


def failed(name, count, status, error_class, retries=2, faults=()) -> Scenario:
    return Scenario(name, count, (name,), faults=faults, http_status=status, error_class=error_class, source=None,
                    retries=retries)


def caller(name, count, status, error_class, faults=(), **more) -> Scenario:
    return Scenario(name, count, faults=faults, http_status=status, error_class=error_class, source=None, **more)


def in_stream(name, count, *faults, error_class=None, source="estimated", **more) -> Scenario:
    return Scenario(name, count, (name,), STREAMS, faults=faults, error_class=error_class, source=source, **more)


def refused(name, count, status, error_class, act="read") -> Scenario:
    return Scenario(f"refused-{name}", count, act=act, http_status=status, error_class=error_class, source=None)


UNAVAILABLE, VALIDATION = "ServiceUnavailableException", "ValidationException"
UNKNOWN_CLIENT, UNKNOWN_OPERATION = "UnrecognizedClientException", "UnknownOperationException"

SCENARIOS = [
    # Those who wait for others come first, so that the others are there.
    Scenario("left-unanswered", 10, ("left-unanswered",), (CONVERSE, STREAM, INVOKE, INVOKE_STREAM),
             act="leave_unanswered", faults=everywhere("hang"), http_status=None, error_class="Cut",
             source="estimated"),
    in_stream("left-at-headers", 6, *everywhere("silent_start"), error_class="Cut", act="leave_at_headers"),
    in_stream("left-in-stream", 14, *everywhere("stall", after_events=4), error_class="Cut", act="leave_in_stream",
              keeps=4),
    Scenario("left-uploading", 5, act="leave_uploading", http_status=None, source=None),

    Scenario("counted", 20, ("sonnet", "haiku", "any/us.amazon.nova-lite-v1:0"), (COUNT,), source=None),
    Scenario("embedded", 12, ("titan",), (INVOKE,), source="headers"),
    Scenario("long-prompt", 3, operations=(CONVERSE, STREAM, INVOKE)),
    Scenario("long-answer", 3, ("long-answer",), (CONVERSE, INVOKE)),

    caller("invalid", 12, 400, VALIDATION),
    caller("denied", 6, 403, "AccessDeniedException", everywhere("status", status=403), asked=("denied",)),
    caller("missing", 4, 404, "ResourceNotFoundException", everywhere("status", status=404), asked=("missing",)),

    retried("throttled", 16, fault("status", status=429)),
    retried("failing-500", 6, fault("status", status=500)),
    retried("failing-503", 6, fault("status", status=503)),
    retried("failing-424", 4, fault("status", status=424)),
    retried("failing-408", 4, fault("status", status=408)),
    retried("reset", 8, fault("reset")),
    retried("reset-early", 4, fault("reset_after_request_headers")),
    retried("gone", 8),
    failed("all-throttled", 10, 429, "ThrottlingException", faults=everywhere("status", status=429)),
    failed("all-failing", 4, 500, "InternalServerException", faults=everywhere("status", status=500)),
    failed("all-reset", 4, 503, UNAVAILABLE, faults=everywhere("reset")),
    failed("all-gone", 4, 503, UNAVAILABLE),

    in_stream("exception-late", 8, *everywhere("exception", after_events=4), error_class="throttlingException"),
    in_stream("exception-early", 4, *everywhere("exception", after_events=0, error_type="modelTimeoutException"),
              error_class="modelTimeoutException", source="unknown"),
    in_stream("corrupt-early", 4, *everywhere("corrupt_frame", after_events=0), source="unparsed",
              unread="message_checksum"),
    in_stream("corrupt-late", 6, *everywhere("corrupt_frame", after_events=3), source="unparsed",
              unread="message_checksum"),
    in_stream("cut", 10, *everywhere("cut", after_events=4), error_class="Cut"),
    in_stream("cut-at-headers", 4, *everywhere("cut", after_events=0), error_class="Cut"),
    Scenario("cut-answer", 5, ("cut-answer",), (CONVERSE,), faults=everywhere("cut"), error_class="Cut",
             source="estimated"),
    Scenario("cut-invoke", 5, ("cut-invoke",), (INVOKE,), faults=everywhere("cut"), error_class="Cut",
             source="headers"),
    Scenario("cut-long-answer", 2, ("cut-long-answer",), (CONVERSE,), faults=everywhere("cut"), error_class="Cut",
             source="estimated"),

    refused("wrong-key", 6, 401, UNKNOWN_CLIENT),
    refused("no-key", 4, 401, UNKNOWN_CLIENT),
    refused("malformed-key", 3, 401, UNKNOWN_CLIENT),
    refused("unknown-model", 6, 400, VALIDATION),
    refused("unknown-operation", 4, 404, UNKNOWN_OPERATION),
    refused("bad-path", 3, 400, VALIDATION),
    refused("method", 4, 405, UNKNOWN_OPERATION),
    refused("too-large", 4, 413, VALIDATION, act="declare_too_much"),
    refused("too-long", 3, 413, VALIDATION, act="send_too_much"),
]
PLAIN = Scenario("plain", TOTAL - sum(scenario.count for scenario in SCENARIOS), (
    "sonnet", "haiku", "nova;pro", "own-price", "sonnet", "unpriced", "profile", "fast", "any/us.amazon.nova-lite-v1:0",
    "any/anthropic.claude-3-haiku-20240307-v1:0", f"any/{UNPRICED}"))
# What is asked for and what it is called in the configuration, where the two differ.
GROUPS = {"fast": "haiku"}


def deployments() -> list:
    """The models of `PLAIN`, and one for each scenario that has its own."""
    own = [Deployment("sonnet", WEST, f"us.{SONNET}"), Deployment("sonnet", EAST, f"us.{SONNET}"),
           Deployment("haiku", WEST, f"us.{HAIKU}"), Deployment("haiku", EAST, HAIKU),
           Deployment("haiku", CENTRAL, f"eu.{HAIKU}"),
           Deployment("nova;pro", WEST, NOVA), Deployment("titan", EAST, TITAN),
           Deployment("own-price", EAST, HAIKU, prices=OWN_PRICE), Deployment("unpriced", EAST, UNPRICED),
           Deployment("profile", CENTRAL, PROFILE, base_model=f"eu.{SONNET}"), Deployment("any/*", WEST, "*")]
    for scenario in SCENARIOS:
        (name, *others), model = scenario.asked, f"proof.{scenario.name}-v1:0"
        if name == scenario.name and not others:
            regions = {"gone": (GONE, EAST), "all-gone": (GONE,)}.get(name, (WEST, EAST))
            own += [Deployment(name, region, model, order, base_model=f"us.{(SONNET, HAIKU)[order]}")
                    for order, region in enumerate(regions)]
    return own


def configuration() -> str:
    return json.dumps({
        "model_list": [deployment.entry() for deployment in deployments()],
        "general_settings": {"max_request_size_mb": BODY_LIMIT_MEGABYTES},
        "router_settings": {"model_group_alias": GROUPS},
    }, indent=1)


def extra_models() -> list:
    """What the emulator has to serve besides the models that it knows."""
    return sorted({each.model for each in deployments() if each.model.startswith(("proof.", "acme."))})


def prepare(emulator):
    """Sets all faults, and lets every answer take long enough for the requests to be many at once."""
    emulator.pace(latency_ms=40)
    for scenario in SCENARIOS:
        model = f"proof.{scenario.name}-v1:0"
        if "long-answer" in scenario.name:
            emulator.pace(response_bytes=LONG_ANSWER_BYTES, model=model)
        for each in scenario.faults:
            emulator.fault(model=model, **each)
    emulator.fault("refused", region=GONE)


@dataclasses.dataclass(frozen=True)
class Ask:
    """One request."""
    number: int
    scenario: Scenario
    asked: str
    operation: str
    tier: str | None
    tags: tuple = ()
    end_user: str | None = None
    metadata: dict | None = None

    @property
    def call_id(self) -> str:
        return f"proof-{self.number:03}-{self.scenario.name}"

    @property
    def user_agent(self) -> str:
        """Reaches Bedrock, so the emulator's log can be told apart by it."""
        return f"proof/{self.number:03}"

    @property
    def is_stream(self) -> bool:
        return self.operation in STREAMS

    @property
    def group(self) -> str:
        if self.asked.startswith("any/"):
            return "any/*"
        return GROUPS.get(self.asked, self.asked)

    @property
    def captured(self) -> str:
        """What the wildcard stands for."""
        return self.asked.removeprefix("any/")

    @property
    def method(self) -> str:
        return "PUT" if self.scenario.name == "refused-method" else "POST"

    @property
    def path(self) -> str:
        model, operation = urllib.parse.quote(self.asked, safe=""), self.operation
        match self.scenario.name:
            case "refused-unknown-model":
                model = "nobody"
            case "refused-unknown-operation":
                operation = "guess"
            case "refused-bad-path":
                model = "a%2F..%2Fb"
        return f"/model/{model}/{operation}"

    @property
    def headers(self) -> dict:
        headers = {"content-type": "application/json", "user-agent": self.user_agent, "x-litellm-call-id": self.call_id}
        match self.scenario.name:
            case "refused-no-key":
                pass
            case "refused-wrong-key":
                headers["authorization"] = "Bearer sk-somebody-else"
            case "refused-malformed-key":
                headers["authorization"] = "Basic dXNlcjpwYXNz"
            case _:
                headers["authorization"] = f"Bearer {KEY}"
        if self.tags:
            headers["x-litellm-tags"] = ", ".join(self.tags)
        if self.end_user:
            name = ("x-litellm-customer-id", "x-litellm-end-user-id")[self.number % 2]
            headers[name] = self.end_user
        if self.metadata:
            headers["x-litellm-spend-logs-metadata"] = json.dumps(self.metadata)
        if self.tier and self.operation in (INVOKE, INVOKE_STREAM):
            headers["x-amzn-bedrock-service-tier"] = self.tier
        return headers

    @property
    def body(self) -> bytes:
        text = f"request {self.number}: " + "é" * (self.number % 17)
        if self.scenario.name == "long-prompt":
            text += "x" * LONG_PROMPT_BYTES
        if self.scenario.name == "invalid":
            return b'{"messages": []}'
        if self.scenario.name == "embedded":
            return json.dumps({"inputText": text}).encode()
        if self.operation in (CONVERSE, STREAM):
            return question(text, **({"serviceTier": {"type": self.tier}} if self.tier else {}))
        if self.operation == COUNT:
            inner = ({"converse": {"messages": messages(text)}} if self.number % 2 else
                     {"invokeModel": {"body": base64.b64encode(anthropic(text)).decode()}})
            return json.dumps({"input": inner}).encode()
        return anthropic(text)


def asks() -> list:
    """All of them; those that wait for others are the first, and the rest are well mixed."""
    numbers = itertools.count()
    first, mixed = [], []
    for scenario in [*SCENARIOS, PLAIN]:
        for index in range(scenario.count):
            number = next(numbers)
            operation = scenario.operations[index // len(scenario.asked) % len(scenario.operations)]
            ask = Ask(number, scenario, scenario.asked[index % len(scenario.asked)], operation,
                      TIERS[number % len(TIERS)], **details(number))
            (first if scenario.act == "leave_unanswered" else mixed).append(ask)
    random.Random(500).shuffle(mixed)
    return first + mixed


def details(number: int) -> dict:
    """What clients say about their requests; many say nothing."""
    tags = [(), ("team-a",), ("team-a", "batch"), ("=SUM(A1)", "batch"), ()][number % 5]
    return {"tags": tags, "end_user": [None, "ada", "grace"][number % 3],
            "metadata": {"job": number, "note": "\"quoted\""} if number % 7 == 0 else None}

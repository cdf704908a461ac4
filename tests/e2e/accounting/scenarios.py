"""The scenarios of the accounting tests: every kind of priced request, and every kind of failure.

Each failure belongs to a model: the emulator's faults match Bedrock model ids, so the same requests
meet the same faults in every run, whatever their order.
"""

import dataclasses

WEST, EAST, CENTRAL, UNREACHABLE = "us-west-2", "us-east-1", "eu-central-1", "ap-south-1"
REGIONS = (WEST, EAST, CENTRAL, UNREACHABLE)
TOTAL, CONCURRENT_CLIENTS = 500, 64
CONVERSE, STREAM, INVOKE, INVOKE_STREAM, COUNT = OPERATIONS = (
    "converse",
    "converse-stream",
    "invoke",
    "invoke-with-response-stream",
    "count-tokens",
)
STREAMS = (STREAM, INVOKE_STREAM)
OLD_HAIKU, UNPRICED = "anthropic.claude-3-haiku-20240307-v1:0", "acme.frontier-v1:0"
# Longer than the longest response that the gateway holds for its cost (1 MiB).
LONG_ANSWER_BYTES = 3_000_000


@dataclasses.dataclass(frozen=True)
class Scenario:
    """Requests of one kind, the faults that they meet, and the expected outcome in their rows."""

    name: str
    count: int
    aliases: tuple = ("sonnet",)
    operations: tuple = (CONVERSE, STREAM, INVOKE, INVOKE_STREAM)
    action: str = "read"
    events_read: int = 0  # by `disconnect_in_stream`
    faults: tuple = ()
    http_status: int | None = 200
    error_class: str | None = None
    source: str | None = "reported"
    unread: str | None = None
    retries: int = 0

    @property
    def is_refused(self) -> bool:
        """Whether the request never went upstream."""
        return self.name.startswith("refused") or self.action == "disconnect_while_uploading"


def fault(kind, region=WEST, **more) -> dict:
    return {"kind": kind, "region": region, **more}


def everywhere(kind, **more) -> tuple:
    return tuple(fault(kind, region, **more) for region in (WEST, EAST))


def retried(name, count, *faults, retries=1) -> Scenario:
    return Scenario(name, count, (name,), faults=faults, retries=retries)


def failed(name, count, status, error_class, retries=2, faults=()) -> Scenario:
    return Scenario(
        name,
        count,
        (name,),
        faults=faults,
        http_status=status,
        error_class=error_class,
        source=None,
        retries=retries,
    )


def client_error(name, count, status, error_class, faults=(), **more) -> Scenario:
    return Scenario(
        name, count, faults=faults, http_status=status, error_class=error_class, source=None, **more
    )


def in_stream(name, count, *faults, error_class=None, source="estimated", **more) -> Scenario:
    return Scenario(
        name, count, (name,), STREAMS, faults=faults, error_class=error_class, source=source, **more
    )


def refused(name, count, status, error_class, action="read") -> Scenario:
    return Scenario(
        f"refused-{name}",
        count,
        action=action,
        http_status=status,
        error_class=error_class,
        source=None,
    )


UNAVAILABLE, VALIDATION = "ServiceUnavailableException", "ValidationException"
UNKNOWN_CLIENT, UNKNOWN_OPERATION = "UnrecognizedClientException", "UnknownOperationException"

SCENARIOS = [
    # These wait for each other, so they come first.
    Scenario(
        "disconnected-early",
        10,
        ("disconnected-early",),
        (CONVERSE, STREAM, INVOKE, INVOKE_STREAM),
        action="disconnect_early",
        faults=everywhere("hang"),
        http_status=None,
        error_class="Cut",
        source="estimated",
    ),
    # The gateway gives up on these while Bedrock is still working.
    Scenario(
        "timed-out",
        6,
        ("timed-out",),
        faults=everywhere("hang"),
        http_status=408,
        error_class="ModelTimeoutException",
        source="estimated",
    ),
    in_stream(
        "disconnected-at-headers",
        6,
        *everywhere("silent_start"),
        error_class="Cut",
        action="disconnect_at_headers",
    ),
    in_stream(
        "disconnected-in-stream",
        14,
        *everywhere("stall", after_events=4),
        error_class="Cut",
        action="disconnect_in_stream",
        events_read=4,
    ),
    Scenario(
        "disconnected-while-uploading",
        5,
        action="disconnect_while_uploading",
        http_status=None,
        source=None,
    ),
    Scenario(
        "counted",
        20,
        ("sonnet", "haiku", "any/us.amazon.nova-lite-v1:0", "profile", "named-profile"),
        (COUNT,),
        source=None,
    ),
    Scenario("embedded", 12, ("titan",), (INVOKE,), source="headers"),
    Scenario("reranked", 6, ("reranker",), (INVOKE,), source="headers"),
    Scenario("long-prompt", 3, operations=(CONVERSE, STREAM, INVOKE)),
    Scenario("long-response", 3, ("long-response",), (CONVERSE, INVOKE)),
    client_error("invalid", 12, 400, VALIDATION),
    client_error(
        "denied",
        6,
        403,
        "AccessDeniedException",
        everywhere("status", status=403),
        aliases=("denied",),
        retries=1,
    ),
    client_error(
        "missing",
        4,
        404,
        "ResourceNotFoundException",
        everywhere("status", status=404),
        aliases=("missing",),
        retries=1,
    ),
    retried("throttled", 16, fault("status", status=429)),
    retried("failing-500", 6, fault("status", status=500)),
    retried("failing-503", 6, fault("status", status=503)),
    retried("failing-424", 4, fault("status", status=424)),
    retried("failing-408", 4, fault("status", status=408)),
    retried("reset", 8, fault("reset")),
    retried("reset-early", 4, fault("reset_after_request_headers")),
    retried("unreachable", 8),
    retried("expired", 6, fault("status", status=403, error_type="ExpiredTokenException")),
    retried("withdrawn", 4, fault("status", status=404)),
    retried("throttled-400", 4, fault("status", status=400, error_type="ThrottlingException")),
    failed(
        "all-throttled", 10, 429, "ThrottlingException", faults=everywhere("status", status=429)
    ),
    failed(
        "all-failing", 4, 500, "InternalServerException", faults=everywhere("status", status=500)
    ),
    failed("all-reset", 4, 503, UNAVAILABLE, faults=everywhere("reset")),
    failed("all-unreachable", 4, 503, UNAVAILABLE),
    in_stream(
        "exception-late",
        8,
        *everywhere("exception", after_events=4),
        error_class="throttlingException",
    ),
    in_stream(
        "exception-early",
        4,
        *everywhere("exception", after_events=0, error_type="modelTimeoutException"),
        error_class="modelTimeoutException",
        source="unknown",
    ),
    in_stream(
        "corrupt-early",
        4,
        *everywhere("corrupt_frame", after_events=0),
        source="unparsed",
        unread="message_checksum",
    ),
    in_stream(
        "corrupt-late",
        6,
        *everywhere("corrupt_frame", after_events=3),
        source="unparsed",
        unread="message_checksum",
    ),
    in_stream("cut", 10, *everywhere("cut", after_events=4), error_class="Cut"),
    in_stream("cut-at-headers", 4, *everywhere("cut", after_events=0), error_class="Cut"),
    # The gateway held these for their cost, so Envoy can still replace the response.
    Scenario(
        "cut-response",
        5,
        ("cut-response",),
        (CONVERSE,),
        faults=everywhere("cut"),
        http_status=503,
        error_class="Cut",
        source="estimated",
    ),
    Scenario(
        "cut-invoke",
        5,
        ("cut-invoke",),
        (INVOKE,),
        faults=everywhere("cut"),
        http_status=503,
        error_class="Cut",
        source="headers",
    ),
    Scenario(
        "cut-long-response",
        2,
        ("cut-long-response",),
        (CONVERSE,),
        faults=everywhere("cut"),
        error_class="Cut",
        source="estimated",
    ),
    refused("wrong-key", 6, 401, UNKNOWN_CLIENT),
    refused("no-key", 4, 401, UNKNOWN_CLIENT),
    refused("malformed-key", 3, 401, UNKNOWN_CLIENT),
    refused("unknown-model", 6, 400, VALIDATION),
    refused("unknown-operation", 4, 404, UNKNOWN_OPERATION),
    refused("bad-path", 3, 400, VALIDATION),
    refused("method", 4, 405, UNKNOWN_OPERATION),
    refused("too-large", 4, 413, VALIDATION, action="declare_too_much"),
    refused("too-long", 3, 413, VALIDATION, action="send_too_much"),
]
PLAIN = Scenario(
    "plain",
    TOTAL - sum(scenario.count for scenario in SCENARIOS),
    (
        "sonnet",
        "haiku",
        "nova;pro",
        "own-price",
        "sonnet",
        "unpriced",
        "profile",
        "fast",
        "any/us.amazon.nova-lite-v1:0",
        "named-profile",
        "provisioned",
        f"any/{OLD_HAIKU}",
        f"any/{UNPRICED}",
    ),
)
GROUP_ALIASES = {"fast": "haiku"}


def prepare(emulator):
    """Sets all faults. Slows every response down enough for the requests to overlap."""
    emulator.pace(latency_ms=40)
    for scenario in SCENARIOS:
        model = f"proof.{scenario.name}-v1:0"
        if "long-response" in scenario.name:
            emulator.pace(response_bytes=LONG_ANSWER_BYTES, model=model)
        for each in scenario.faults:
            emulator.fault(model=model, **each)
    emulator.fault("refused", region=UNREACHABLE)

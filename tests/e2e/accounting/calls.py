"""The five hundred requests of the accounting tests. Each has its own call id."""

import base64
import dataclasses
import itertools
import json
import random
import urllib.parse

from clients import anthropic, messages, question
from gateway import KEY

from .scenarios import (
    CONVERSE,
    COUNT,
    GROUP_ALIASES,
    INVOKE,
    INVOKE_STREAM,
    PLAIN,
    SCENARIOS,
    STREAM,
    STREAMS,
    Scenario,
)

TIERS = (None, "flex", None, "priority", "default", None, "reserved")
LATENCIES = (None, None, "optimized", None, None, None, "standard", None, None)
# Prompts of more than 200,000 tokens have their own prices.
LONG_PROMPT_BYTES = 900_000


@dataclasses.dataclass(frozen=True)
class Call:
    """One request."""

    number: int
    scenario: Scenario
    alias: str
    operation: str
    tier: str | None
    latency: str | None
    tags: tuple = ()
    end_user: str | None = None
    metadata: dict | None = None

    @property
    def call_id(self) -> str:
        return f"proof-{self.number:03}-{self.scenario.name}"

    @property
    def user_agent(self) -> str:
        """Identifies the call in the emulator's log: this header reaches Bedrock."""
        return f"proof/{self.number:03}"

    @property
    def is_stream(self) -> bool:
        return self.operation in STREAMS

    @property
    def group(self) -> str:
        if self.alias.startswith("any/"):
            return "any/*"
        return GROUP_ALIASES.get(self.alias, self.alias)

    @property
    def captured(self) -> str:
        """The part of the alias that the wildcard matches."""
        return self.alias.removeprefix("any/")

    @property
    def method(self) -> str:
        return "PUT" if self.scenario.name == "refused-method" else "POST"

    @property
    def path(self) -> str:
        model, operation = urllib.parse.quote(self.alias, safe=""), self.operation
        match self.scenario.name:
            case "refused-unknown-model":
                model = "no-such-model"
            case "refused-unknown-operation":
                operation = "guess"
            case "refused-bad-path":
                model = "a%2F..%2Fb"
        return f"/model/{model}/{operation}"

    @property
    def requested_model(self) -> str | None:
        """The model in the path, if the path names one."""
        match self.scenario.name:
            case "refused-unknown-model":
                return "no-such-model"
            case "refused-unknown-operation" | "refused-bad-path":
                return None
        return self.alias

    @property
    def headers(self) -> dict:
        headers = {
            "content-type": "application/json",
            "user-agent": self.user_agent,
            "x-litellm-call-id": self.call_id,
        }
        match self.scenario.name:
            case "refused-no-key":
                pass
            case "refused-wrong-key":
                headers["authorization"] = "Bearer sk-wrong"
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
        if self.latency and self.operation in (INVOKE, INVOKE_STREAM):
            headers["x-amzn-bedrock-performanceconfig-latency"] = self.latency
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
        if self.scenario.name == "reranked":
            return json.dumps(
                {"query": text, "documents": ["one", "two"], "api_version": 2}
            ).encode()
        if self.operation in (CONVERSE, STREAM):
            tier = {"serviceTier": {"type": self.tier}} if self.tier else {}
            latency = {"performanceConfig": {"latency": self.latency}} if self.latency else {}
            return question(text, **tier, **latency)
        if self.operation == COUNT:
            inner = (
                {"converse": {"messages": messages(text)}}
                if self.number % 2
                else {"invokeModel": {"body": base64.b64encode(anthropic(text)).decode()}}
            )
            return json.dumps({"input": inner}).encode()
        return anthropic(text)


def calls() -> list:
    """All calls: first those that wait for others, then the rest in random order."""
    numbers = itertools.count()
    first, mixed = [], []
    for scenario in [*SCENARIOS, PLAIN]:
        for index in range(scenario.count):
            number = next(numbers)
            operation = scenario.operations[
                index // len(scenario.aliases) % len(scenario.operations)
            ]
            call = Call(
                number,
                scenario,
                scenario.aliases[index % len(scenario.aliases)],
                operation,
                TIERS[number % len(TIERS)],
                LATENCIES[number % len(LATENCIES)],
                **details(number),
            )
            (first if scenario.name in ("disconnected-early", "timed-out") else mixed).append(call)
    random.Random(500).shuffle(mixed)
    return first + mixed


def details(number: int) -> dict:
    """Tags, end user and metadata. Many calls have none."""
    tags = [(), ("team-a",), ("team-a", "batch"), ("=SUM(A1)", "batch"), ()][number % 5]
    return {
        "tags": tags,
        "end_user": [None, "ada", "grace"][number % 3],
        "metadata": {"job": number, "note": '"quoted"'} if number % 7 == 0 else None,
    }

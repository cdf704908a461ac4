"""The expected row of each call, from its request, its response and the emulator's log."""

import hashlib
import math

from gateway import KEY

from .calls import Call
from .clients import Received
from .models import Deployment
from .prices import Cost, Prices, Tokens
from .scenarios import INVOKE, INVOKE_STREAM

KEY_HASH = hashlib.sha256(KEY.encode()).hexdigest()
CHARACTERS_PER_TOKEN = 4
# Times, and the fields that Envoy adds.
VARIABLE_FIELDS = {
    "startTime",
    "completionStartTime",
    "endTime",
    "request_duration_ms",
    "litellm_overhead_time_ms",
    "envoy",
}


def reported(usage: dict) -> Tokens:
    """The tokens of a usage object in Converse's form."""
    hour = sum(each["inputTokens"] for each in usage.get("cacheDetails", []) if each["ttl"] == "1h")
    return Tokens(
        usage["inputTokens"],
        usage["outputTokens"],
        usage.get("cacheReadInputTokens", 0),
        usage.get("cacheWriteInputTokens", 0) - hour,
        hour,
    )


def estimated(call: Call, received: Received) -> Tokens:
    """One token per four characters, unless the stream began with a count of the input."""
    output = math.ceil(received.characters(call.operation) / CHARACTERS_PER_TOKEN)
    starts = [
        content["message"]["usage"]
        for _, content in received.events(call.operation)
        if content.get("type") == "message_start"
    ]
    if not starts:
        return Tokens(math.ceil(len(call.body) / CHARACTERS_PER_TOKEN), output)
    (usage,) = starts
    creation = usage.get("cache_creation", {})
    return Tokens(
        usage["input_tokens"],
        max(usage["output_tokens"], output),
        usage.get("cache_read_input_tokens", 0),
        creation.get("ephemeral_5m_input_tokens", 0),
        creation.get("ephemeral_1h_input_tokens", 0),
    )


class Expectations:
    """Computes the expected rows.

    `entries` is the emulator's log. `undelivered` holds, by call id, the responses that broke off
    while the gateway held them, so that no client received them.
    """

    def __init__(self, deployments: list, entries: list, undelivered: dict):
        self.undelivered = undelivered
        self.deployments = {(each.group, each.region): each for each in deployments}
        self.prices = Prices()
        self.attempts: dict = {}
        for entry in sorted(entries, key=lambda entry: entry["arrival"]):
            agent = next((value for name, value in entry["headers"] if name == "user-agent"), None)
            self.attempts.setdefault(agent, []).append(entry)

    def arrived(self, call: Call) -> list:
        """The attempts that reached the emulator, in order."""
        return self.attempts.get(call.user_agent, [])

    def deployment(self, call: Call) -> Deployment | None:
        """The deployment of the last attempt."""
        if call.scenario.is_refused:
            return None
        if not (arrived := self.arrived(call)):
            return next(
                each for (group, _), each in self.deployments.items() if group == call.group
            )
        return self.deployments[call.group, arrived[-1]["region"]]

    def tokens(self, call: Call, received: Received) -> Tokens:
        match call.scenario.source:
            case "reported":
                return reported(self.arrived(call)[-1]["usage"])
            case "headers":
                # The headers do not say how long a cache entry lives.
                tokens = reported(self.arrived(call)[-1]["usage"])
                return Tokens(tokens.input, tokens.output, tokens.cache_read, tokens.cache_write, 0)
            case "estimated":
                return estimated(call, self.undelivered.get(call.call_id, received))
        return Tokens()

    def served(
        self, call: Call, received: Received, requested: str | None, member: str
    ) -> str | None:
        """The tier or latency that a response reports: Invoke in headers, Converse in the body."""
        arrived = self.arrived(call)
        if call.scenario.source is None or not arrived or arrived[-1]["status"] != 200:
            return None
        if call.operation in (INVOKE, INVOKE_STREAM) or call.scenario.source == "reported":
            return requested
        # A stream reports it together with the usage.
        return (
            None
            if call.is_stream
            else self.undelivered.get(call.call_id, received).string_after(member)
        )

    def row(self, call: Call, received: Received) -> dict:
        """The expected row, without `VARIABLE_FIELDS`."""
        scenario, deployment = call.scenario, self.deployment(call)
        arrived = self.arrived(call)
        is_answered = bool(arrived) and arrived[-1]["status"] is not None
        tokens = self.tokens(call, received)
        tier = self.served(call, received, call.tier, '"serviceTier":{"type":')
        latency = self.served(call, received, call.latency, '"performanceConfig":{"latency":')
        is_counted = scenario.source in ("reported", "headers", "estimated")
        cost = self.prices.cost(call, deployment, tokens, tier, latency) if is_counted else None
        # No usage, no cost.
        parts = cost if scenario.source else Cost()
        is_known = scenario.http_status != 401
        failed = scenario.error_class is not None or scenario.http_status is None
        refused_path = (
            {"path": call.path, "requested_model": call.requested_model}
            if scenario.is_refused
            else {}
        )
        return {
            **refused_path,
            "request_id": call.call_id,
            "call_type": call.operation if deployment else None,
            "api_key": KEY_HASH if is_known else None,
            "key_alias": "master_key" if is_known else None,
            "team_id": None,
            "model_group": deployment and deployment.group,
            "model": deployment and deployment.model_for(call.captured, call.operation),
            "model_id": deployment and deployment.id,
            "model_region": deployment and deployment.region,
            "api_base": deployment and deployment.api_base,
            "request_tags": list(call.tags),
            "end_user": call.end_user,
            "metadata": call.metadata,
            "user_agent": call.user_agent,
            "requester_ip_address": "127.0.0.1",
            "spend": parts and parts.total,
            "input_cost": parts and parts.input,
            "output_cost": parts and parts.output,
            "cache_read_cost": parts and parts.cache_read,
            "cache_creation_cost": parts and parts.cache_creation,
            "prompt_tokens": tokens.prompt,
            "completion_tokens": tokens.output,
            "total_tokens": tokens.prompt + tokens.output,
            "cache_read_input_tokens": tokens.cache_read,
            "cache_creation_input_tokens": tokens.cache_write,
            "usage_source": scenario.source,
            "usage_unread": scenario.unread,
            "service_tier": tier,
            "performance_latency": latency,
            "status": "failure" if failed else "success",
            "http_status": scenario.http_status,
            "error_class": scenario.error_class,
            "attempted_retries": scenario.retries,
            "attempted_fallbacks": 0,
            "stream": call.is_stream and deployment is not None,
            "x_amzn_requestid": arrived[-1]["request_id"] if is_answered else None,
        }

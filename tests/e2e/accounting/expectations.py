"""What the row of each request has to say, from what was asked, what the client saw and what the emulator did."""

import hashlib
import math

from gateway import KEY

from .clients import Seen
from .models import Deployment
from .prices import Cost, Prices, Tokens
from .requests import Ask
from .scenarios import INVOKE, INVOKE_STREAM

KEY_HASH = hashlib.sha256(KEY.encode()).hexdigest()
CHARACTERS_PER_TOKEN = 4
# Fields of a row that are of the moment, and those that Envoy adds.
OF_THE_MOMENT = {
    "startTime",
    "completionStartTime",
    "endTime",
    "request_duration_ms",
    "litellm_overhead_time_ms",
    "envoy",
}


def reported(usage: dict) -> Tokens:
    """A usage in Converse's form."""
    hour = sum(each["inputTokens"] for each in usage.get("cacheDetails", []) if each["ttl"] == "1h")
    return Tokens(
        usage["inputTokens"],
        usage["outputTokens"],
        usage.get("cacheReadInputTokens", 0),
        usage.get("cacheWriteInputTokens", 0) - hour,
        hour,
    )


def estimated(ask: Ask, seen: Seen) -> Tokens:
    """A token for four characters, unless the stream began with its own count."""
    output = math.ceil(seen.characters(ask.operation) / CHARACTERS_PER_TOKEN)
    starts = [
        content["message"]["usage"]
        for _, content in seen.events(ask.operation)
        if content.get("type") == "message_start"
    ]
    if not starts:
        return Tokens(math.ceil(len(ask.body) / CHARACTERS_PER_TOKEN), output)
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
    """`entries`: the emulator's log. `unseen`: by call id, what it sent of responses that no client saw, because they
    broke off while the gateway held them."""

    def __init__(self, deployments: list, entries: list, unseen: dict):
        self.unseen = unseen
        self.deployments = {(each.group, each.region): each for each in deployments}
        self.prices = Prices()
        self.attempts: dict = {}
        for entry in sorted(entries, key=lambda entry: entry["arrival"]):
            agent = next((value for name, value in entry["headers"] if name == "user-agent"), None)
            self.attempts.setdefault(agent, []).append(entry)

    def arrived(self, ask: Ask) -> list:
        """The attempts that reached the emulator, in their order."""
        return self.attempts.get(ask.user_agent, [])

    def deployment(self, ask: Ask) -> Deployment | None:
        """Where the last attempt went."""
        if ask.scenario.is_refused:
            return None
        if not (arrived := self.arrived(ask)):
            return next(each for (group, _), each in self.deployments.items() if group == ask.group)
        return self.deployments[ask.group, arrived[-1]["region"]]

    def tokens(self, ask: Ask, seen: Seen) -> Tokens:
        match ask.scenario.source:
            case "reported":
                return reported(self.arrived(ask)[-1]["usage"])
            case "headers":
                # They do not tell for how long a cache was written.
                told = reported(self.arrived(ask)[-1]["usage"])
                return Tokens(told.input, told.output, told.cache_read, told.cache_write, 0)
            case "estimated":
                return estimated(ask, self.unseen.get(ask.call_id, seen))
        return Tokens()

    def served(self, ask: Ask, seen: Seen, asked: str | None, member: str) -> str | None:
        """The tier or the latency of a response. Invoke says so in its headers, Converse in its response."""
        arrived = self.arrived(ask)
        if ask.scenario.source is None or not arrived or arrived[-1]["status"] != 200:
            return None
        if ask.operation in (INVOKE, INVOKE_STREAM) or ask.scenario.source == "reported":
            return asked
        # In a stream it comes beside the usage.
        return None if ask.is_stream else self.unseen.get(ask.call_id, seen).told(member)

    def row(self, ask: Ask, seen: Seen) -> dict:
        """All of a row but what is of the moment."""
        scenario, deployment = ask.scenario, self.deployment(ask)
        arrived = self.arrived(ask)
        is_answered = bool(arrived) and arrived[-1]["status"] is not None
        tokens = self.tokens(ask, seen)
        tier = self.served(ask, seen, ask.tier, '"serviceTier":{"type":')
        latency = self.served(ask, seen, ask.latency, '"performanceConfig":{"latency":')
        is_counted = scenario.source in ("reported", "headers", "estimated")
        cost = self.prices.cost(ask, deployment, tokens, tier, latency) if is_counted else None
        # What used nothing costs nothing.
        parts = cost if scenario.source else Cost()
        failed = scenario.error_class is not None or scenario.http_status is None
        asked = (
            {"path": ask.path, "requested_model": ask.requested_model}
            if scenario.is_refused
            else {}
        )
        return {
            **asked,
            "request_id": ask.call_id,
            "call_type": ask.operation if deployment else None,
            "api_key": KEY_HASH if deployment else None,
            "key_alias": "master_key" if deployment else None,
            "model_group": deployment and deployment.group,
            "model": deployment and deployment.asked(ask.captured, ask.operation),
            "model_id": deployment and deployment.id,
            "model_region": deployment and deployment.region,
            "api_base": deployment and deployment.api_base,
            "request_tags": list(ask.tags),
            "end_user": ask.end_user,
            "metadata": ask.metadata,
            "user_agent": ask.user_agent,
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
            "stream": ask.is_stream and deployment is not None,
            "x_amzn_requestid": arrived[-1]["request_id"] if is_answered else None,
        }

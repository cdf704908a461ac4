"""Compares the Prometheus metrics with the spend log and the emulator's log."""

import collections
import decimal
import re
import time

import requests

from runtime import wait_for_counters

from .scenarios import OPERATIONS, UNREACHABLE
from .surfaces import Story, differences, is_from_a_call

REQUESTS = "envoy_bedrock_requests_total"
FAILED = "envoy_bedrock_failed_requests_total"
REFUSED = "envoy_bedrock_refusals_total"
ATTEMPTS = "envoy_bedrock_attempts_total"
TOKENS = "gen_ai_client_token_usage_total"
COST = "gen_ai_client_cost_pico_usd_total"
UNREAD_TOTAL = "envoy_bedrock_usage_unread_total"
COST_UNKNOWN = "envoy_bedrock_cost_unknown_total"
DEPLOYMENT = "envoy_bedrock_deployment_info"
PER_REQUEST = "gen_ai_client_token_usage"
DURATION = "gen_ai_server_request_duration_milliseconds"
FIRST_TOKEN = "gen_ai_server_time_to_first_token_milliseconds"
PER_TOKEN = "gen_ai_server_time_per_output_token_microseconds"
OVERHEAD = "envoy_bedrock_overhead_microseconds"
BUFFERED = "envoy_bedrock_buffered_bytes"
NUMBERS = (
    REQUESTS,
    FAILED,
    REFUSED,
    ATTEMPTS,
    TOKENS,
    COST,
    UNREAD_TOTAL,
    COST_UNKNOWN,
    DEPLOYMENT,
    BUFFERED,
)
HISTOGRAMS = (PER_REQUEST, DURATION, FIRST_TOKEN, PER_TOKEN, OVERHEAD)
SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
OURS = ("envoy_bedrock_", "gen_ai_")
PICO_USD = decimal.Decimal("1e-12")
# Envoy merges histograms every five seconds.
HISTOGRAM_SECONDS = 30
REFUSALS = {
    "disconnected-while-uploading": "incomplete",
    "refused-wrong-key": "wrong_key",
    "refused-no-key": "no_key",
    "refused-malformed-key": "malformed_key",
    "refused-unknown-model": "unknown_model",
    "refused-unknown-operation": "unknown_operation",
    "refused-bad-path": "bad_path",
    "refused-method": "method",
    "refused-too-large": "body_too_large",
    "refused-too-long": "body_too_large",
}
UNREAD = {"estimated": "cut", "unknown": "absent"}


def metrics_of(gateway, histograms: int) -> dict:
    """The values by name and labels, once the histograms count `histograms` requests."""
    wait_for_counters()
    deadline = time.monotonic() + HISTOGRAM_SECONDS
    while True:
        page = requests.get(f"{gateway.admin}/stats/prometheus", timeout=10).text
        samples = {}
        for name, labels, value in SAMPLE.findall(page):
            if name.startswith(OURS):
                key = series(name, **dict(LABEL.findall(labels)))
                assert key not in samples, f"{key} appears twice"
                samples[key] = int(decimal.Decimal(value))
        merged = sum(value for key, value in samples.items() if key.startswith(f"{DURATION}_count"))
        if merged >= histograms or time.monotonic() > deadline:
            return samples
        time.sleep(0.2)


def series(name: str, **labels) -> str:
    return f"{name} of {', '.join(f'{label} {value}' for label, value in sorted(labels.items()))}"


def requests_labels(row: dict) -> dict:
    """The labels that all request metrics share."""
    status = row["http_status"]
    return {
        "model_group": escaped(row["model_group"]),
        "deployment": escaped(row["model_id"] or "none"),
        "region": row["model_region"] or "none",
        "operation": row["call_type"],
        "key_alias": row["key_alias"],
        "status_class": "none" if status is None else f"{status // 100}xx",
    }


def escaped(value: str) -> str:
    return value.replace(";", "%3B")


def metrics_match_the_rows(story: Story) -> list:
    """Every counter, and the number of requests in every histogram."""
    counted = collections.Counter()
    for row in filter(is_admitted, story.rows):
        labels = requests_labels(row)
        counted[series(REQUESTS, **labels)] += 1
        counted[series(f"{DURATION}_count", **labels)] += 1
        counted[series(f"{OVERHEAD}_count", operation=row["call_type"])] += 1
        if row["error_class"]:
            counted[series(FAILED, **labels, error_class=row["error_class"])] += 1
        if reason := row["usage_unread"] or UNREAD.get(row["usage_source"]):
            counted[series(UNREAD_TOTAL, **labels, reason=reason)] += 1
        if row["spend"] is None:
            counted[series(COST_UNKNOWN, **labels)] += 1
        counted[series(COST, **labels)] += int((row["spend"] or 0) / PICO_USD)
        kinds = {
            "input": row["prompt_tokens"],
            "output": row["completion_tokens"],
            "cache_read": row["cache_read_input_tokens"],
            "cache_creation": row["cache_creation_input_tokens"],
        }
        for kind, tokens in kinds.items():
            counted[series(TOKENS, **labels, gen_ai_token_type=kind)] += tokens
        if row["usage_source"] in ("reported", "headers", "estimated"):
            for kind in ("input", "output"):
                counted[series(f"{PER_REQUEST}_count", **labels, gen_ai_token_type=kind)] += 1
        if row["stream"] and row["completionStartTime"]:
            counted[series(f"{FIRST_TOKEN}_count", **labels)] += 1
    for call in story.calls:
        if reason := REFUSALS.get(call.scenario.name):
            counted[series(REFUSED, reason=reason)] += 1
    names = {key.split(" ")[0] for key in counted}
    # A counter of zero may be present or absent.
    exported = {
        key: value for key, value in story.metrics.items() if value and key.split(" ")[0] in names
    }
    return differences(
        "the metrics", exported, "the log", {key: value for key, value in counted.items() if value}
    )


def attempts_match_the_emulator(story: Story) -> list:
    """By deployment and outcome. The emulator cannot log attempts at the unreachable region."""
    arrived = collections.Counter()
    deployments = story.expectations.deployments.values()
    places = {
        (each.model_for("*", operation), each.region, operation): each
        for each in deployments
        for operation in OPERATIONS
    }
    wildcard = next(each for each in deployments if "*" in each.model)
    for entry in story.entries:
        place = places.get((entry["model"], entry["region"], entry["operation"]), wildcard)
        is_throttled = entry["status"] == 429 or (
            entry["model"] == "proof.throttled-400-v1:0" and entry["status"] == 400
        )
        arrived[attempt(place, "throttled" if is_throttled else outcome(entry["status"]))] += 1
    for call in story.calls:
        if call.scenario.name in ("unreachable", "all-unreachable"):
            place = story.expectations.deployments[call.group, UNREACHABLE]
            arrived[attempt(place, "none")] += (
                1 if call.scenario.name == "unreachable" else call.scenario.retries + 1
            )
    exported = {key: value for key, value in story.metrics.items() if key.startswith(ATTEMPTS)}
    return differences("the metrics", exported, "the emulator", arrived)


def deployments_are_described(story: Story) -> list:
    exported = {key: value for key, value in story.metrics.items() if key.startswith(DEPLOYMENT)}
    configured = {
        series(
            DEPLOYMENT,
            model_group=escaped(each.group),
            deployment=escaped(each.id),
            region=each.region,
            model=each.model_id or each.model,
        ): 1
        for each in story.expectations.deployments.values()
    }
    return differences("the metrics", exported, "the configuration", configured)


def metric_names_are_the_documented_ones(story: Story) -> list:
    parts = [f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "sum", "count")]
    exported = {key.split(" ")[0]: "present" for key in story.metrics}
    return differences(
        "the metrics", exported, "expected", dict.fromkeys([*NUMBERS, *parts], "present")
    )


def is_admitted(row: dict) -> bool:
    return is_from_a_call(row) and row["call_type"] is not None


def attempt(place, outcome: str) -> str:
    return series(
        ATTEMPTS,
        model_group=escaped(place.group),
        deployment=escaped(place.id),
        region=place.region,
        outcome=outcome,
    )


def outcome(status: int | None) -> str:
    if status is None:
        return "none"
    return "unusable" if status in (403, 404) else f"{status // 100}xx"

"""The surfaces on which the gateway reports usage and cost: log, headers, lookups and `spend`.

Each is reduced to a dictionary from a fact in words to a value. So any two can be compared, and a
difference reads as a sentence.
"""

import collections
import concurrent.futures
import dataclasses
import decimal
import json
import subprocess
import threading
import time
import urllib.parse

from clients import connection
from gateway import KEY, command_line

from .calls import Call
from .expectations import VARIABLE_FIELDS, Expectations, reported
from .scenarios import COUNT

LOG_SECONDS = 20
# A call can be looked up by either of these.
IDS = ("request_id", "x_amzn_requestid")
# Fields that Envoy adds to a line of the log.
ENVOY_FIELDS = ("requester_ip_address", "envoy")
ABSENT = "nothing"
COUNTED = ("reported", "headers")
GROUPINGS = (
    "model",
    "region",
    "key",
    "tag",
    "day",
    "model_group",
    "model_id",
    "end_user",
    "status",
    "usage_source",
)
COST_HEADERS = {
    "x-litellm-response-cost": "spend",
    "x-litellm-response-cost-input": "input_cost",
    "x-litellm-response-cost-output": "output_cost",
    "x-litellm-response-cost-cache-read": "cache_read_cost",
    "x-litellm-response-cost-cache-creation": "cache_creation_cost",
}
DEPLOYMENT_HEADERS = {
    "x-litellm-model-group": "model_group",
    "x-litellm-model-id": "model_id",
    "x-litellm-model-region": "model_region",
    "x-litellm-model-api-base": "api_base",
    "x-litellm-attempted-retries": "attempted_retries",
    "x-litellm-attempted-fallbacks": "attempted_fallbacks",
}


@dataclasses.dataclass
class Story:
    """What every side reports about the same calls."""

    calls: list
    received: dict
    entries: list
    summary: dict
    rows: list
    spend: dict
    lookups: dict
    metrics: dict
    expectations: Expectations

    def row_of(self, call: Call) -> dict:
        return next((row for row in self.rows if row["request_id"] == call.call_id), {})


def differences(left_name: str, left: dict, right_name: str, right: dict) -> list:
    """The facts on which two surfaces differ, as sentences."""
    facts = sorted(left.keys() | right.keys())
    values = [(fact, left.get(fact, ABSENT), right.get(fact, ABSENT)) for fact in facts]
    return [
        f"{fact}: {left_name} {ours}, {right_name} {theirs}"
        for fact, ours, theirs in values
        if ours != theirs
    ]


# Collecting.


def rows_of(gateway, count: int) -> list:
    """The rows of the spend log, once it holds those of `count` calls."""
    deadline = time.monotonic() + LOG_SECONDS
    while True:
        lines = gateway.access_log().split("\n")
        rows = [json.loads(line, parse_float=decimal.Decimal) for line in lines[:-1]]
        if sum(is_from_a_call(row) for row in rows) >= count or time.monotonic() > deadline:
            return rows
        time.sleep(0.05)


def is_from_a_call(row: dict) -> bool:
    return row.get("request_id", "").startswith("proof-")


def is_internal(row: dict) -> bool:
    """Whether the row is that of a probe or a lookup, which cost nothing."""
    return row["call_type"] == "internal"


def spend_of(gateway) -> dict:
    """The output of `envoy-bedrock spend`, by grouping."""

    def run(by: str) -> dict:
        done = subprocess.run(
            [command_line(), "spend", "--by", by, "--json", gateway.folder / "access.log"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return json.loads(done.stdout, parse_float=decimal.Decimal)

    return {by: run(by) for by in GROUPINGS}


def lookups_of(gateway, rows: list) -> dict:
    """The rows that `GET /spend/logs` returns, by each id of each call."""
    kept = threading.local()

    def look_up(id: str) -> list:
        if not hasattr(kept, "connection"):
            kept.connection = connection(gateway.url)
        kept.connection.request(
            "GET",
            f"/spend/logs?request_id={urllib.parse.quote(id, safe='')}",
            headers={"authorization": f"Bearer {KEY}"},
        )
        response = kept.connection.getresponse()
        body = response.read()
        assert response.status == 200, (id, response.status, body)
        return json.loads(body, parse_float=decimal.Decimal)

    ids = [row[name] for row in rows if is_from_a_call(row) for name in IDS if row[name]]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return dict(zip(ids, pool.map(look_up, ids), strict=True))


# Comparisons.


def each_call_has_one_row(story: Story) -> list:
    """No other rows either, except those of readiness probes."""
    expected = {f"rows of {call.call_id}": 1 for call in story.calls}
    found = collections.Counter(
        f"rows of {row['request_id']}"
        for row in story.rows
        if is_from_a_call(row) or not is_internal(row)
    )
    return differences("the log", found, "expected", expected)


def rows_match_the_expectations(story: Story) -> list:
    """Every field of every row, except the times."""
    expected, found = {}, {}
    for call in story.calls:
        fields = story.expectations.row(call, story.received[call.call_id])
        expected |= {f"{name} of {call.call_id}": value for name, value in fields.items()}
        expected[f"Envoy's attempts of {call.call_id}"] = (
            str(call.scenario.retries + 1) if fields["call_type"] else "0"
        )
        row = story.row_of(call)
        found[f"Envoy's attempts of {call.call_id}"] = row.get("envoy", {}).get("attempts")
        found |= {
            f"{name} of {call.call_id}": value
            for name, value in row.items()
            if name not in VARIABLE_FIELDS
        }
    return differences("the log", found, "expected", expected)


def tokens_match_the_emulator(story: Story) -> list:
    """Sums by model, region and operation. The gateway reads nothing after a damaged frame."""
    rows, account = collections.Counter(), collections.Counter()
    for row in story.rows:
        if row["usage_source"] in COUNTED:
            where = f"tokens of {row['model']} in {row['model_region']} by {row['call_type']}"
            rows += named(where, row_tokens(row))
    for entry in readable(story):
        where = f"tokens of {entry['model']} in {entry['region']} by {entry['operation']}"
        account += named(where, entry_tokens(entry))
    return differences("the log", rows, "the emulator", account)


def region_totals_match_the_emulator_summary(story: Story) -> list:
    """The emulator's sums include the usage that the gateway could not read."""
    names = {
        "input": "input_tokens",
        "output": "output_tokens",
        "cache read": "cache_read_tokens",
        "cache creation": "cache_write_tokens",
    }
    rows, unread, summary = collections.Counter(), collections.Counter(), collections.Counter()
    for row in story.rows:
        if row["usage_source"] in COUNTED:
            rows += named(f"tokens in {row['model_region']}", row_tokens(row))
    for entry in story.entries:
        if entry["usage_reported"] and entry["fault"] == "corrupt_frame":
            unread += named(f"tokens in {entry['region']}", entry_tokens(entry))
    for region, sums in story.summary.items():
        summary += named(
            f"tokens in {region}", {kind: sums["reported"][name] for kind, name in names.items()}
        )
    return differences(
        "the log and what it could not read", rows + unread, "the emulator's summary", summary
    )


def estimates_are_marked_and_nonzero(story: Story) -> list:
    expected = {
        f"estimate of {call.call_id}": True
        for call in story.calls
        if call.scenario.source == "estimated"
    }
    found = {
        f"estimate of {row['request_id']}": row["prompt_tokens"] > 0 and row["spend"] != 0
        for row in story.rows
        if row["usage_source"] == "estimated"
    }
    return differences("the log", found, "expected", expected)


def headers_match_the_rows(story: Story) -> list:
    """What clients received equals what the log says. Durations keep growing after the headers."""
    in_headers, in_log = {}, {}
    for call in story.calls:
        received, row = story.received[call.call_id], story.row_of(call)
        if received.status is None or not row:
            continue
        in_headers[f"status of {call.call_id}"] = str(received.status)
        in_log[f"status of {call.call_id}"] = row["envoy"]["response_code"]
        if is_replaced_by_envoy(call):
            continue
        fields = {"x-litellm-call-id": "request_id"}
        durations = {"x-litellm-response-duration-ms": "request_duration_ms"}
        if row["call_type"]:
            fields |= DEPLOYMENT_HEADERS
            durations["x-litellm-overhead-duration-ms"] = "litellm_overhead_time_ms"
        if has_cost_headers(call) and row["spend"] is not None:
            fields |= COST_HEADERS
        of = f"of {call.call_id}"
        in_headers |= {
            f"{name} {of}": value
            for name, value in received.headers.items()
            if name.startswith("x-litellm-") and not name.endswith("duration-ms")
        }
        in_log |= {f"{name} {of}": str(row[field]) for name, field in fields.items()}
        for name, field in durations.items():
            in_headers[f"{name} {of} is at most the row's"] = (
                decimal.Decimal(received.headers.get(name, "Infinity")) <= row[field]
            )
            in_log[f"{name} {of} is at most the row's"] = True
    in_headers = {fact: plain(value) for fact, value in in_headers.items()}
    return differences(
        "the headers", in_headers, "the log", {fact: plain(value) for fact, value in in_log.items()}
    )


def is_replaced_by_envoy(call: Call) -> bool:
    """Whether the response broke off while held: Envoy then replies itself, past all filters."""
    return call.scenario.name in ("cut-response", "cut-invoke")


def has_cost_headers(call: Call) -> bool:
    """Whether the headers state the cost: the gateway holds responses that are short enough."""
    is_one_document = not call.is_stream and call.operation != COUNT
    return (
        is_one_document
        and call.scenario.error_class is None
        and call.scenario.name != "long-response"
    )


def plain(value):
    """Amounts without trailing zeros."""
    try:
        return decimal.Decimal(value).normalize()
    except (decimal.InvalidOperation, TypeError, ValueError):
        return value


def spend_totals_match_the_rows(story: Story) -> list:
    """For every group and in total."""
    totals, summed = {}, {}
    for by in GROUPINGS:
        report = story.spend[by]
        for group in report["groups"]:
            label = group["group"][by]
            totals |= {
                f"{name} of {by} {label}": value for name, value in group.items() if name != "group"
            }
        totals |= {f"{name} of all by {by}": value for name, value in report["total"].items()}
        groups = collections.defaultdict(collections.Counter)
        for row in story.rows:
            if is_internal(row):
                continue
            for where in (f"{by} {label_of(row, by)}", f"all by {by}"):
                groups[where].update(sums_of(row))
        for where, sums in groups.items():
            # If every cost is unknown, the sum is unknown.
            spend = sums["spend"] if sums["spend"] or not sums["unknown_spend"] else None
            summed |= {
                f"{name} of {where}": value for name, value in (sums | {"spend": spend}).items()
            }
    return differences("spend", totals, "the log", summed)


def lookups_match_the_rows(story: Story) -> list:
    """Each row is found by each of its ids, with all fields but Envoy's."""
    found, in_log = {}, {}
    for row in story.rows:
        for id in (row[name] for name in IDS if is_from_a_call(row) and row[name]):
            responses = story.lookups.get(id, [])
            found[f"rows found by {id}"], in_log[f"rows found by {id}"] = len(responses), 1
            for response in responses:
                found |= {f"{name} found by {id}": value for name, value in response.items()}
            in_log |= {
                f"{name} found by {id}": value
                for name, value in row.items()
                if name not in ENVOY_FIELDS
            }
    return differences("/spend/logs", found, "the log", in_log)


# Parts of the comparisons.


def named(where: str, counts: dict) -> collections.Counter:
    return collections.Counter({f"{kind} {where}": count for kind, count in counts.items()})


def readable(story: Story) -> list:
    return [
        entry
        for entry in story.entries
        if entry["usage_reported"] and entry["fault"] != "corrupt_frame"
    ]


def row_tokens(row: dict) -> dict:
    read, creation = row["cache_read_input_tokens"], row["cache_creation_input_tokens"]
    return {
        "input": row["prompt_tokens"] - read - creation,
        "output": row["completion_tokens"],
        "cache read": read,
        "cache creation": creation,
    }


def entry_tokens(entry: dict) -> dict:
    tokens = reported(entry["usage"])
    return {
        "input": tokens.input,
        "output": tokens.output,
        "cache read": tokens.cache_read,
        "cache creation": tokens.cache_write,
    }


def label_of(row: dict, by: str) -> str | None:
    match by:
        case "key":
            return row["key_alias"] or row["api_key"]
        case "tag":
            return ",".join(sorted(set(row["request_tags"]))) or None
        case "day":
            return row["startTime"][:10]
        case "region":
            return row["model_region"]
    return row[by]


def sums_of(row: dict) -> dict:
    sums = {
        name: row[name]
        for name in (
            "prompt_tokens",
            "completion_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
        )
    }
    return {
        "requests": 1,
        "failures": int(row["status"] == "failure"),
        **sums,
        "spend": row["spend"] or 0,
        "unknown_spend": int(row["spend"] is None),
        "estimated": int(row["usage_source"] == "estimated"),
    }

"""The surfaces on which the gateway says what requests used and cost, each brought into the same form: a number or a
word for each fact, and the fact in words. So any two can be compared, and a difference reads as a sentence.
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

from .expectations import OF_THE_MOMENT, Expectations, reported
from .requests import Ask
from .scenarios import COUNT

LOG_SECONDS = 20
# By what a request can be looked up.
IDS = ("request_id", "x_amzn_requestid")
# What Envoy itself adds to a line.
ENVOYS = ("requester_ip_address", "envoy")
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
}


@dataclasses.dataclass
class Story:
    """What all sides say about the same requests."""

    asks: list
    seen: dict
    entries: list
    summary: dict
    rows: list
    spend: dict
    lookups: dict
    metrics: dict
    expectations: Expectations

    def row_of(self, ask: Ask) -> dict:
        return next((row for row in self.rows if row["request_id"] == ask.call_id), {})


def differences(left_name: str, left: dict, right_name: str, right: dict) -> list:
    """Where two surfaces do not tell the same, in words."""
    facts = sorted(left.keys() | right.keys())
    told = [(fact, left.get(fact, ABSENT), right.get(fact, ABSENT)) for fact in facts]
    return [
        f"{fact}: {left_name} {ours}, {right_name} {theirs}"
        for fact, ours, theirs in told
        if ours != theirs
    ]


# Reading.


def rows_of(gateway, count: int) -> list:
    """The lines of the spend log, once it has `count` requests that have a call id of the proof's."""
    end = time.monotonic() + LOG_SECONDS
    while True:
        lines = gateway.access_log().split("\n")
        rows = [json.loads(line, parse_float=decimal.Decimal) for line in lines[:-1]]
        if sum(is_asked(row) for row in rows) >= count or time.monotonic() > end:
            return rows
        time.sleep(0.05)


def is_asked(row: dict) -> bool:
    return row.get("request_id", "").startswith("proof-")


def is_internal(row: dict) -> bool:
    """A probe or a question for the spend log, which are no spending."""
    return row["call_type"] == "internal"


def spend_of(gateway) -> dict:
    """What `envoy-bedrock spend` adds up to, by grouping."""

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
    """What `GET /spend/logs` says of each request, by each of its ids."""
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

    ids = [row[name] for row in rows if is_asked(row) for name in IDS if row[name]]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return dict(zip(ids, pool.map(look_up, ids)))


# Facts.


def one_row_for_each(story: Story) -> list:
    """A row for each request, none twice, and no others but those of the readiness probes."""
    asked = {f"rows of {ask.call_id}": 1 for ask in story.asks}
    found = collections.Counter(
        f"rows of {row['request_id']}"
        for row in story.rows
        if is_asked(row) or not is_internal(row)
    )
    return differences("the log", found, "expected", asked)


def rows_tell_what_happened(story: Story) -> list:
    """Every field of every row but the times."""
    expected, found = {}, {}
    for ask in story.asks:
        fields = story.expectations.row(ask, story.seen[ask.call_id])
        expected |= {f"{name} of {ask.call_id}": value for name, value in fields.items()}
        expected[f"Envoy's attempts of {ask.call_id}"] = (
            str(ask.scenario.retries + 1) if fields["call_type"] else "0"
        )
        row = story.row_of(ask)
        found[f"Envoy's attempts of {ask.call_id}"] = row.get("envoy", {}).get("attempts")
        found |= {
            f"{name} of {ask.call_id}": value
            for name, value in row.items()
            if name not in OF_THE_MOMENT
        }
    return differences("the log", found, "expected", expected)


def tokens_are_the_emulators(story: Story) -> list:
    """Sums by model, region and operation of what was reported. Behind a damaged frame nothing can be read."""
    rows, account = collections.Counter(), collections.Counter()
    for row in story.rows:
        if row["usage_source"] in COUNTED:
            where = f"tokens of {row['model']} in {row['model_region']} by {row['call_type']}"
            rows += named(where, row_tokens(row))
    for entry in readable(story):
        where = f"tokens of {entry['model']} in {entry['region']} by {entry['operation']}"
        account += named(where, entry_tokens(entry))
    return differences("the log", rows, "the emulator", account)


def regions_sum_to_the_summary(story: Story) -> list:
    """The emulator's own sums of each region, to which what could not be read belongs too."""
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


def estimates_are_marked_and_not_zero(story: Story) -> list:
    expected = {
        f"estimate of {ask.call_id}": True
        for ask in story.asks
        if ask.scenario.source == "estimated"
    }
    found = {
        f"estimate of {row['request_id']}": row["prompt_tokens"] > 0 and row["spend"] != 0
        for row in story.rows
        if row["usage_source"] == "estimated"
    }
    return differences("the log", found, "expected", expected)


def headers_are_the_rows(story: Story) -> list:
    """What clients were told, if they got a response, is what the log says. Times go on after they are told."""
    told, logged = {}, {}
    for ask in story.asks:
        seen, row = story.seen[ask.call_id], story.row_of(ask)
        if seen.status is None or not row:
            continue
        told[f"status of {ask.call_id}"] = str(seen.status)
        logged[f"status of {ask.call_id}"] = row["envoy"]["response_code"]
        if is_replaced(ask):
            continue
        fields = {"x-litellm-call-id": "request_id"}
        durations = {"x-litellm-response-duration-ms": "request_duration_ms"}
        if row["call_type"]:
            fields |= DEPLOYMENT_HEADERS
            durations["x-litellm-overhead-duration-ms"] = "litellm_overhead_time_ms"
        if tells_cost(ask) and row["spend"] is not None:
            fields |= COST_HEADERS
        of = f"of {ask.call_id}"
        told |= {
            f"{name} {of}": value
            for name, value in seen.headers.items()
            if name.startswith("x-litellm-") and not name.endswith("duration-ms")
        }
        logged |= {f"{name} {of}": str(row[field]) for name, field in fields.items()}
        for name, field in durations.items():
            told[f"{name} {of} is at most the row's"] = (
                decimal.Decimal(seen.headers.get(name, "Infinity")) <= row[field]
            )
            logged[f"{name} {of} is at most the row's"] = True
    told = {fact: plain(value) for fact, value in told.items()}
    return differences(
        "the headers", told, "the log", {fact: plain(value) for fact, value in logged.items()}
    )


def is_replaced(ask: Ask) -> bool:
    """Whether its response broke off while the gateway held it: Envoy then answers itself, past all filters."""
    return ask.scenario.name in ("cut-response", "cut-invoke")


def tells_cost(ask: Ask) -> bool:
    """Whether the headers of a response can tell its cost: they wait for the end of one that is not too long."""
    is_one_document = not ask.is_stream and ask.operation != COUNT
    return (
        is_one_document
        and ask.scenario.error_class is None
        and ask.scenario.name != "long-response"
    )


def plain(value):
    """Amounts by their value, whatever zeros they are written with."""
    try:
        return decimal.Decimal(value).normalize()
    except (decimal.InvalidOperation, TypeError, ValueError):
        return value


def totals_are_the_sums(story: Story) -> list:
    """What `envoy-bedrock spend` says of every group, and in all."""
    told, summed = {}, {}
    for by in GROUPINGS:
        report = story.spend[by]
        for group in report["groups"]:
            label = group["group"][by]
            told |= {
                f"{name} of {by} {label}": value for name, value in group.items() if name != "group"
            }
        told |= {f"{name} of all by {by}": value for name, value in report["total"].items()}
        groups = collections.defaultdict(collections.Counter)
        for row in story.rows:
            if is_internal(row):
                continue
            for where in (f"{by} {label_of(row, by)}", f"all by {by}"):
                groups[where].update(sums_of(row))
        for where, sums in groups.items():
            # Nothing but unknown costs is not nothing.
            spend = sums["spend"] if sums["spend"] or not sums["unknown_spend"] else None
            summed |= {
                f"{name} of {where}": value for name, value in (sums | {"spend": spend}).items()
            }
    return differences("spend", told, "the log", summed)


def lookups_are_the_rows(story: Story) -> list:
    """Each row is found by each of its ids, and is all that the filter itself had to say."""
    found, logged = {}, {}
    for row in story.rows:
        for id in (row[name] for name in IDS if is_asked(row) and row[name]):
            responses = story.lookups.get(id, [])
            found[f"rows found by {id}"], logged[f"rows found by {id}"] = len(responses), 1
            for response in responses:
                found |= {f"{name} found by {id}": value for name, value in response.items()}
            logged |= {
                f"{name} found by {id}": value for name, value in row.items() if name not in ENVOYS
            }
    return differences("/spend/logs", found, "the log", logged)


# Parts of them.


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

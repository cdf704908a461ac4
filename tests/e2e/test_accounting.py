"""All surfaces agree on five hundred requests, to the last token and pico-dollar."""

import copy
import dataclasses
import decimal

import pytest

import direct
from accounting import metrics, surfaces
from accounting.calls import calls as all_calls
from accounting.clients import ClientPool, Received
from accounting.expectations import Expectations
from accounting.models import configuration, deployments, extra_models
from accounting.scenarios import (
    CONCURRENT_CLIENTS,
    OPERATIONS,
    REGIONS,
    TOTAL,
    UNREACHABLE,
    prepare,
)
from gateway import Gateway

DIFFERENCES_SHOWN = 20
COMPARISONS = [
    surfaces.each_call_has_one_row,
    surfaces.rows_match_the_expectations,
    surfaces.tokens_match_the_emulator,
    surfaces.region_totals_match_the_emulator_summary,
    surfaces.estimates_are_marked_and_nonzero,
    surfaces.headers_match_the_rows,
    surfaces.spend_totals_match_the_rows,
    surfaces.lookups_match_the_rows,
    metrics.metrics_match_the_rows,
    metrics.attempts_match_the_emulator,
    metrics.deployments_are_described,
    metrics.metric_names_are_the_documented_ones,
]
PICO_USD = decimal.Decimal("1e-12")


@pytest.fixture(scope="module")
def story(emulator_for):
    models = [argument for model in extra_models() for argument in ("--model", model)]
    calls = all_calls()
    with emulator_for(REGIONS, *models) as emulator:
        prepare(emulator)
        with Gateway(configuration(), upstreams=emulator) as gateway:
            waiting = sum(call.scenario.action == "disconnect_early" for call in calls)
            clients = ClientPool(gateway, emulator, waiting)
            received = clients.run(calls)
            assert clients.most_active == CONCURRENT_CLIENTS
            entries, summary = emulator.quiet_log(), emulator.summary()
            rows = surfaces.rows_of(gateway, len(calls))
            undelivered = held_responses(emulator, calls, entries)
            spend, lookups = surfaces.spend_of(gateway), surfaces.lookups_of(gateway, rows)
            admitted = sum(metrics.is_admitted(row) for row in rows)
            yield surfaces.Story(
                calls,
                received,
                entries,
                summary,
                rows,
                spend,
                lookups,
                metrics.metrics_of(gateway, admitted),
                Expectations(deployments(), entries, undelivered),
            )


def held_responses(emulator, calls, entries) -> dict:
    """The responses that broke off while the gateway held them, by call id.

    The emulator sent the first half of each. It responds to equal requests equally, so they are
    requested again.
    """
    emulator.clear_faults()
    found = {}
    for call in calls:
        if call.scenario.name == "cut-response":
            (entry,) = (
                each for each in entries if ["user-agent", call.user_agent] in each["headers"]
            )
            body = direct.request(
                emulator, entry["region"], entry["model"], call.operation, call.body
            ).body
            found[call.call_id] = Received(200, {}, body[: len(body) // 2])
    return found


def test_there_are_five_hundred_calls_of_every_operation(story):
    assert len(story.calls) == len({call.call_id for call in story.calls}) == TOTAL == 500
    assert {call.operation for call in story.calls} == set(OPERATIONS)


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda comparison: comparison.__name__)
def test_surfaces_agree(story, comparison):
    found = comparison(story)
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:DIFFERENCES_SHOWN])


# A comparison that cannot fail proves nothing. Each lie falsifies one surface; `LIES` lists the
# comparisons that must notice.


def a_row_is_missing(story):
    story.rows.remove(reported_row(story))


def a_row_appears_twice(story):
    story.rows.append(reported_row(story))


def a_row_has_one_token_too_many(story):
    reported_row(story)["completion_tokens"] += 1


def a_row_costs_one_pico_dollar_too_much(story):
    reported_row(story)["spend"] += PICO_USD


def a_row_names_another_region(story):
    reported_row(story)["model_region"] = UNREACHABLE


def a_row_has_another_tag(story):
    reported_row(story)["request_tags"] = ["another"]


def an_estimate_is_zero(story):
    row = next(row for row in story.rows if row["usage_source"] == "estimated")
    row["spend"] = decimal.Decimal(0)


def a_failure_is_a_success(story):
    row = next(row for row in story.rows if row["error_class"] == "Cut")
    row |= {"status": "success", "error_class": None}


def a_header_names_another_deployment(story):
    headers_of_the_reported_call(story)["x-litellm-model-id"] = "another"


def a_header_states_another_cost(story):
    headers_of_the_reported_call(story)["x-litellm-response-cost-output"] = "1"


def the_cost_header_is_missing(story):
    del headers_of_the_reported_call(story)["x-litellm-response-cost"]


def the_emulator_lacks_a_response(story):
    story.entries.remove(surfaces.readable(story)[0])


def a_group_has_one_failure_too_many(story):
    story.spend["model"]["groups"][0]["failures"] += 1


def a_total_is_one_pico_dollar_too_high(story):
    story.spend["day"]["total"]["spend"] += PICO_USD


def a_row_is_missing_from_the_lookup(story):
    story.lookups[reported_row(story)["x_amzn_requestid"]] = []


def a_looked_up_row_has_another_end_time(story):
    (found,) = story.lookups[reported_row(story)["request_id"]]
    found["endTime"] = "2026-01-01T00:00:00.000Z"


def a_token_counter_is_one_too_high(story):
    add_to(story, metrics.TOKENS, 1)


def a_cost_counter_is_one_pico_dollar_too_low(story):
    add_to(story, metrics.COST, -1)


def a_refusal_counter_is_missing(story):
    del story.metrics[series_of(story, metrics.REFUSED)]


def a_request_is_missing_from_the_histogram(story):
    add_to(story, f"{metrics.DURATION}_count", -1)


def an_attempt_is_not_counted(story):
    add_to(story, metrics.ATTEMPTS, -1)


def a_deployment_has_no_info_metric(story):
    del story.metrics[series_of(story, metrics.DEPLOYMENT)]


def a_client_created_a_metric(story):
    story.metrics["envoy_bedrock_surprise_total of "] = 1


def series_of(story, name: str) -> str:
    return next(key for key in story.metrics if key.startswith(f"{name} "))


def add_to(story, name: str, amount: int):
    story.metrics[series_of(story, name)] += amount


def reported_row(story) -> dict:
    """A row whose call's headers state the cost: its response was one short document."""
    return next(
        row
        for row in story.rows
        if row["usage_source"] == "reported"
        and row["call_type"] == "converse"
        and row["spend"]
        and "long" not in row["request_id"]
    )


def headers_of_the_reported_call(story) -> dict:
    return story.received[reported_row(story)["request_id"]].headers


LIES = [
    (
        a_row_is_missing,
        surfaces.each_call_has_one_row,
        surfaces.tokens_match_the_emulator,
        surfaces.spend_totals_match_the_rows,
        metrics.metrics_match_the_rows,
    ),
    (
        a_row_appears_twice,
        surfaces.each_call_has_one_row,
        surfaces.region_totals_match_the_emulator_summary,
        surfaces.spend_totals_match_the_rows,
    ),
    (
        a_row_has_one_token_too_many,
        surfaces.rows_match_the_expectations,
        surfaces.tokens_match_the_emulator,
        surfaces.region_totals_match_the_emulator_summary,
        surfaces.spend_totals_match_the_rows,
    ),
    (
        a_row_costs_one_pico_dollar_too_much,
        surfaces.rows_match_the_expectations,
        surfaces.headers_match_the_rows,
        surfaces.spend_totals_match_the_rows,
    ),
    (
        a_row_names_another_region,
        surfaces.rows_match_the_expectations,
        surfaces.tokens_match_the_emulator,
        surfaces.headers_match_the_rows,
        surfaces.spend_totals_match_the_rows,
    ),
    (
        a_row_has_another_tag,
        surfaces.rows_match_the_expectations,
        surfaces.spend_totals_match_the_rows,
    ),
    (
        an_estimate_is_zero,
        surfaces.rows_match_the_expectations,
        surfaces.estimates_are_marked_and_nonzero,
        surfaces.spend_totals_match_the_rows,
    ),
    (
        a_failure_is_a_success,
        surfaces.rows_match_the_expectations,
        surfaces.spend_totals_match_the_rows,
    ),
    (a_header_names_another_deployment, surfaces.headers_match_the_rows),
    (a_header_states_another_cost, surfaces.headers_match_the_rows),
    (the_cost_header_is_missing, surfaces.headers_match_the_rows),
    (the_emulator_lacks_a_response, surfaces.tokens_match_the_emulator),
    (a_group_has_one_failure_too_many, surfaces.spend_totals_match_the_rows),
    (a_total_is_one_pico_dollar_too_high, surfaces.spend_totals_match_the_rows),
    (a_row_is_missing_from_the_lookup, surfaces.lookups_match_the_rows),
    (a_looked_up_row_has_another_end_time, surfaces.lookups_match_the_rows),
    (a_token_counter_is_one_too_high, metrics.metrics_match_the_rows),
    (a_cost_counter_is_one_pico_dollar_too_low, metrics.metrics_match_the_rows),
    (a_refusal_counter_is_missing, metrics.metrics_match_the_rows),
    (a_request_is_missing_from_the_histogram, metrics.metrics_match_the_rows),
    (an_attempt_is_not_counted, metrics.attempts_match_the_emulator),
    (a_deployment_has_no_info_metric, metrics.deployments_are_described),
    (a_client_created_a_metric, metrics.metric_names_are_the_documented_ones),
]


@pytest.mark.parametrize(
    "lie, comparison",
    [
        pytest.param(lie, each, id=f"{lie.__name__}-{each.__name__}")
        for lie, *comparisons in LIES
        for each in comparisons
    ],
)
def test_a_lie_is_noticed(story, lie, comparison):
    parts = ("received", "entries", "rows", "spend", "lookups", "metrics")
    falsified = dataclasses.replace(
        story, **{part: copy.deepcopy(getattr(story, part)) for part in parts}
    )
    lie(falsified)
    assert comparison(falsified)


def test_a_difference_reads_as_a_sentence():
    log, metrics = {"tokens of X in Y": 10, "tokens of Z": 1}, {"tokens of X in Y": 12}
    assert surfaces.differences("the log", log, "the metrics", metrics) == [
        "tokens of X in Y: the log 10, the metrics 12",
        "tokens of Z: the log 1, the metrics nothing",
    ]

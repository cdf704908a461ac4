"""Whether all surfaces tell the same story of five hundred requests, to the last token and pico-dollar."""

import copy
import dataclasses
import decimal

import pytest

import direct
from accounting import metrics, surfaces
from accounting.clients import Crowd, Seen
from accounting.expectations import Expectations
from accounting.models import configuration, deployments, extra_models
from accounting.requests import asks as all_asks
from accounting.scenarios import GONE, OPERATIONS, REGIONS, TOGETHER, TOTAL, prepare
from gateway import Gateway

SHOWN = 20
COMPARISONS = [
    surfaces.one_row_for_each,
    surfaces.rows_tell_what_happened,
    surfaces.tokens_are_the_emulators,
    surfaces.regions_sum_to_the_summary,
    surfaces.estimates_are_marked_and_not_zero,
    surfaces.headers_are_the_rows,
    surfaces.totals_are_the_sums,
    surfaces.lookups_are_the_rows,
    metrics.metrics_are_the_rows,
    metrics.attempts_are_the_emulators,
    metrics.deployments_are_described,
    metrics.names_are_those_that_are_documented,
]
PICO_USD = decimal.Decimal("1e-12")


@pytest.fixture(scope="module")
def story(emulator_for):
    models = [argument for model in extra_models() for argument in ("--model", model)]
    asks = all_asks()
    with emulator_for(REGIONS, *models) as emulator:
        prepare(emulator)
        with Gateway(configuration(), upstreams=emulator) as gateway:
            waiting = sum(ask.scenario.act == "leave_unanswered" for ask in asks)
            crowd = Crowd(gateway, emulator, waiting)
            seen = crowd.run(asks)
            assert crowd.most_active == TOGETHER
            entries, summary = emulator.quiet_log(), emulator.summary()
            rows = surfaces.rows_of(gateway, len(asks))
            unseen = halves(emulator, asks, entries)
            spend, lookups = surfaces.spend_of(gateway), surfaces.lookups_of(gateway, rows)
            admitted = sum(metrics.is_admitted(row) for row in rows)
            yield surfaces.Story(
                asks,
                seen,
                entries,
                summary,
                rows,
                spend,
                lookups,
                metrics.metrics_of(gateway, admitted),
                Expectations(deployments(), entries, unseen),
            )


def halves(emulator, asks, entries) -> dict:
    """What the emulator sent of the responses that broke off while the gateway held them: the first half. It gives equal
    responses to equal requests, so it is asked again."""
    emulator.clear_faults()
    found = {}
    for ask in asks:
        if ask.scenario.name == "cut-response":
            (entry,) = (
                each for each in entries if ["user-agent", ask.user_agent] in each["headers"]
            )
            body = direct.ask(
                emulator, entry["region"], entry["model"], ask.operation, ask.body
            ).body
            found[ask.call_id] = Seen(200, {}, body[: len(body) // 2])
    return found


def test_the_requests_are_five_hundred_of_every_operation(story):
    assert len(story.asks) == len({ask.call_id for ask in story.asks}) == TOTAL == 500
    assert {ask.operation for ask in story.asks} == set(OPERATIONS)


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda comparison: comparison.__name__)
def test_surfaces_agree(story, comparison):
    found = comparison(story)
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:SHOWN])


# A proof that could not fail would be none: what would be told wrongly, and who has to notice.


def a_row_is_missing(story):
    story.rows.remove(reported_row(story))


def a_row_is_there_twice(story):
    story.rows.append(reported_row(story))


def a_row_has_a_token_too_many(story):
    reported_row(story)["completion_tokens"] += 1


def a_row_is_dearer_by_the_smallest_amount(story):
    reported_row(story)["spend"] += PICO_USD


def a_row_is_of_another_region(story):
    reported_row(story)["model_region"] = GONE


def a_row_has_another_tag(story):
    reported_row(story)["request_tags"] = ["nobody"]


def an_estimate_is_zero(story):
    row = next(row for row in story.rows if row["usage_source"] == "estimated")
    row["spend"] = decimal.Decimal(0)


def a_failure_is_a_success(story):
    row = next(row for row in story.rows if row["error_class"] == "Cut")
    row |= {"status": "success", "error_class": None}


def a_client_is_told_of_another_deployment(story):
    answered_headers(story)["x-litellm-model-id"] = "another"


def a_client_is_told_another_cost(story):
    answered_headers(story)["x-litellm-response-cost-output"] = "1"


def a_client_is_not_told_the_cost(story):
    del answered_headers(story)["x-litellm-response-cost"]


def an_answer_was_never_reported(story):
    story.entries.remove(surfaces.readable(story)[0])


def a_group_has_a_failure_too_many(story):
    story.spend["model"]["groups"][0]["failures"] += 1


def a_total_is_too_high(story):
    story.spend["day"]["total"]["spend"] += PICO_USD


def a_row_cannot_be_looked_up(story):
    story.lookups[reported_row(story)["x_amzn_requestid"]] = []


def a_row_looked_up_has_another_end(story):
    (found,) = story.lookups[reported_row(story)["request_id"]]
    found["endTime"] = "2026-01-01T00:00:00.000Z"


def a_counter_of_tokens_is_one_too_high(story):
    add_to(story, metrics.TOKENS, 1)


def a_counter_of_cost_is_a_pico_dollar_too_low(story):
    add_to(story, metrics.COST, -1)


def a_counter_of_refusals_is_gone(story):
    del story.metrics[series_of(story, metrics.REFUSED)]


def a_request_is_in_no_histogram(story):
    add_to(story, f"{metrics.DURATION}_count", -1)


def an_attempt_is_not_counted(story):
    add_to(story, metrics.ATTEMPTS, -1)


def a_deployment_is_not_described(story):
    del story.metrics[series_of(story, metrics.DEPLOYMENT)]


def a_client_made_a_metric(story):
    story.metrics["envoy_bedrock_surprise_total of "] = 1


def series_of(story, name: str) -> str:
    return next(key for key in story.metrics if key.startswith(f"{name} "))


def add_to(story, name: str, amount: int):
    story.metrics[series_of(story, name)] += amount


def reported_row(story) -> dict:
    """Of a request whose response was one document, so that its client knows its cost."""
    return next(
        row
        for row in story.rows
        if row["usage_source"] == "reported"
        and row["call_type"] == "converse"
        and row["spend"]
        and "long" not in row["request_id"]
    )


def answered_headers(story) -> dict:
    return story.seen[reported_row(story)["request_id"]].headers


LIES = [
    (
        a_row_is_missing,
        surfaces.one_row_for_each,
        surfaces.tokens_are_the_emulators,
        surfaces.totals_are_the_sums,
        metrics.metrics_are_the_rows,
    ),
    (
        a_row_is_there_twice,
        surfaces.one_row_for_each,
        surfaces.regions_sum_to_the_summary,
        surfaces.totals_are_the_sums,
    ),
    (
        a_row_has_a_token_too_many,
        surfaces.rows_tell_what_happened,
        surfaces.tokens_are_the_emulators,
        surfaces.regions_sum_to_the_summary,
        surfaces.totals_are_the_sums,
    ),
    (
        a_row_is_dearer_by_the_smallest_amount,
        surfaces.rows_tell_what_happened,
        surfaces.headers_are_the_rows,
        surfaces.totals_are_the_sums,
    ),
    (
        a_row_is_of_another_region,
        surfaces.rows_tell_what_happened,
        surfaces.tokens_are_the_emulators,
        surfaces.headers_are_the_rows,
        surfaces.totals_are_the_sums,
    ),
    (a_row_has_another_tag, surfaces.rows_tell_what_happened, surfaces.totals_are_the_sums),
    (
        an_estimate_is_zero,
        surfaces.rows_tell_what_happened,
        surfaces.estimates_are_marked_and_not_zero,
        surfaces.totals_are_the_sums,
    ),
    (a_failure_is_a_success, surfaces.rows_tell_what_happened, surfaces.totals_are_the_sums),
    (a_client_is_told_of_another_deployment, surfaces.headers_are_the_rows),
    (a_client_is_told_another_cost, surfaces.headers_are_the_rows),
    (a_client_is_not_told_the_cost, surfaces.headers_are_the_rows),
    (an_answer_was_never_reported, surfaces.tokens_are_the_emulators),
    (a_group_has_a_failure_too_many, surfaces.totals_are_the_sums),
    (a_total_is_too_high, surfaces.totals_are_the_sums),
    (a_row_cannot_be_looked_up, surfaces.lookups_are_the_rows),
    (a_row_looked_up_has_another_end, surfaces.lookups_are_the_rows),
    (a_counter_of_tokens_is_one_too_high, metrics.metrics_are_the_rows),
    (a_counter_of_cost_is_a_pico_dollar_too_low, metrics.metrics_are_the_rows),
    (a_counter_of_refusals_is_gone, metrics.metrics_are_the_rows),
    (a_request_is_in_no_histogram, metrics.metrics_are_the_rows),
    (an_attempt_is_not_counted, metrics.attempts_are_the_emulators),
    (a_deployment_is_not_described, metrics.deployments_are_described),
    (a_client_made_a_metric, metrics.names_are_those_that_are_documented),
]


@pytest.mark.parametrize(
    "lie, noticing",
    [
        pytest.param(lie, each, id=f"{lie.__name__}-{each.__name__}")
        for lie, *noticing in LIES
        for each in noticing
    ],
)
def test_a_lie_is_noticed(story, lie, noticing):
    parts = ("seen", "entries", "rows", "spend", "lookups", "metrics")
    told = dataclasses.replace(
        story, **{part: copy.deepcopy(getattr(story, part)) for part in parts}
    )
    lie(told)
    assert noticing(told)


def test_a_difference_reads_as_a_sentence():
    log, metrics = {"tokens of X in Y": 10, "tokens of Z": 1}, {"tokens of X in Y": 12}
    assert surfaces.differences("the log", log, "the metrics", metrics) == [
        "tokens of X in Y: the log 10, the metrics 12",
        "tokens of Z: the log 1, the metrics nothing",
    ]

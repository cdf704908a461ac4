"""A soak that cannot fail proves nothing: each false fact must make the right criterion fail."""

import json
import types

import pytest

import criteria
import memory
import phases
import spend
import table
import verdict
from kinds import MIX
from load import Exchange
from verdict import Attempt, Window

START = 1_000.0
SERVED = Attempt("us-west-2", 200, None, "complete", False)


def exchange(number: int, **changes) -> Exchange:
    started = START + number
    facts = {"ended": started + 0.1, "status": 200, "region": "us-west-2", **changes}
    return Exchange(f"soak-{number}", "converse", "h1", "steady load", started, **facts)


def row(each: Exchange) -> dict:
    return {
        "request_id": each.id,
        "http_status": each.status,
        "model_region": each.region,
        "call_type": "converse",
    }


@pytest.fixture
def exchanges():
    return [exchange(number) for number in range(20)]


@pytest.fixture
def rows(exchanges):
    return [row(each) for each in exchanges]


# Errors.


def test_a_fault_explains_only_the_request_that_it_hit():
    broken = exchange(1, problem="IncompleteRead")
    cut = Attempt("us-west-2", 200, "cut", "fault", False)
    assert verdict.explanation(broken, [cut], []) == "cut"
    assert verdict.explanation(broken, [SERVED], []) is None
    assert verdict.explanation(broken, [cut, SERVED], []) is None
    assert verdict.explanation(broken, [], []) is None


def test_throttling_explains_nothing_because_the_gateway_hides_it():
    throttled = Attempt("us-west-2", 429, "status", "complete", False)
    refused = exchange(1, status=429, problem="status 429")
    assert verdict.explanation(refused, [throttled], []) is None


@pytest.mark.parametrize("started, explained", [(-5, True), (0.9, True), (1.1, False)])
def test_a_kill_explains_what_began_up_to_a_second_later(started, explained):
    kill = Window(verdict.KILL, START, START + 5)
    failed = exchange(0, problem="ConnectionRefusedError", status=None, ended=START + 2)
    failed.started = START + started
    assert (verdict.explanation(failed, [], [kill]) is not None) == explained


def test_a_kill_does_not_explain_what_had_ended():
    kill = Window(verdict.KILL, START, START + 5)
    failed = exchange(-10, problem="status 500")
    assert verdict.explanation(failed, [], [kill]) is None


def test_a_restart_explains_a_response_that_its_region_had_begun():
    restart = Window(verdict.RESTART, START, START + 2, "us-west-2")
    broken = exchange(1, problem="IncompleteRead")
    interrupted = Attempt("us-west-2", 200, None, "client_gone", False)
    elsewhere = Attempt("us-east-1", 200, None, "client_gone", False)
    assert verdict.explanation(broken, [interrupted], [restart])
    assert not verdict.explanation(broken, [elsewhere], [restart])
    assert not verdict.explanation(broken, [SERVED], [restart])


def test_a_new_key_explains_401_only():
    rotation = Window(verdict.ROTATION, START, START + 2)
    assert verdict.explanation(exchange(1, status=401, problem="status 401"), [], [rotation])
    assert not verdict.explanation(exchange(1, status=503, problem="status 503"), [], [rotation])


def test_a_storm_of_uploads_explains_a_refusal_that_says_when_to_retry():
    uploads = Window(verdict.UPLOADS, START, START + 2)
    told = exchange(1, status=503, problem="status 503", retry_after="1")
    untold = exchange(1, status=503, problem="status 503")
    assert verdict.explanation(told, [], [uploads])
    assert not verdict.explanation(untold, [], [uploads])


def test_an_unexplained_error_fails(exchanges):
    exchanges[3].problem = "status 500"
    assert not criteria.no_unexplained_error(exchanges, {exchanges[3].id: None}).holds
    assert criteria.no_unexplained_error(exchanges, {exchanges[3].id: "cut"}).holds


# Rows.


def holds(compared: spend.Comparison) -> list:
    judged = (
        criteria.every_request_has_a_row,
        criteria.only_sent_requests_have_rows,
        criteria.rows_agree_with_clients,
    )
    return [judge(compared).holds for judge in judged]


def test_one_row_for_every_request_holds(exchanges, rows):
    assert holds(spend.compare(exchanges, rows, [])) == [True, True, True]


def test_a_missing_row_fails(exchanges, rows):
    del rows[4]
    assert holds(spend.compare(exchanges, rows, [])) == [False, True, True]


@pytest.mark.parametrize("id", ["soak-4", "soak-999", None])
def test_a_row_that_appears_twice_or_that_nobody_sent_fails(exchanges, rows, id):
    rows.append({**rows[4], "request_id": id})
    assert holds(spend.compare(exchanges, rows, [])) == [True, False, True]


def test_a_row_with_another_status_fails(exchanges, rows):
    rows[4]["http_status"] = 503
    assert holds(spend.compare(exchanges, rows, [])) == [True, True, False]


def test_rows_lost_in_a_kill_are_counted_and_older_ones_are_missed(exchanges, rows):
    kill = Window(verdict.KILL, START + 19.5, START + 25)
    del rows[17], rows[2]
    compared = spend.compare(exchanges, rows, [kill])
    assert compared.missing == ["soak-2"]
    assert compared.lost == {kill.started: 1}
    assert compared.oldest_lost == pytest.approx(2.4)


def test_a_request_that_could_not_connect_has_no_row(exchanges, rows):
    exchanges[4].status, exchanges[4].problem = None, "ConnectionRefusedError: refused"
    del rows[4]
    assert spend.compare(exchanges, rows, []).missing == []


# Counters and signatures.


def test_a_counter_that_differs_fails(exchanges, rows):
    right = {"received": 20, "admitted": 20}
    assert criteria.counters_agree(exchanges, {}, rows, right, []).holds
    for name in right:
        wrong = {**right, name: 21}
        assert not criteria.counters_agree(exchanges, {}, rows, wrong, []).holds


@pytest.mark.parametrize(
    "changes, counted, holds",
    [
        ({"ended": START + 1}, 0, True),
        ({"ended": START + 1}, 1, True),
        ({"ended": START + 1}, 2, False),
        ({"ended": START - 0.5}, 1, False),
        ({"ended": START + 1, "problem": "ConnectionResetError"}, 1, False),
    ],
)
def test_a_served_request_that_was_open_at_the_last_kill_may_be_counted(changes, counted, holds):
    kill = Window(verdict.KILL, START, START + 1)
    open_at_kill = exchange(-1, **changes)
    counters = {"received": counted, "admitted": 0}
    assert criteria.counters_agree([open_at_kill], {}, [], counters, [kill]).holds == holds


def test_a_wrong_signature_fails():
    wrong = Attempt("us-west-2", 403, None, "complete", True)
    assert criteria.upstream_requests_are_signed({"a": [SERVED]}).holds
    assert not criteria.upstream_requests_are_signed({"a": [SERVED, wrong]}).holds
    assert not criteria.upstream_requests_are_signed({}).holds


# Memory.


def samples(sizes) -> list:
    return [
        memory.Sample(START + second, 1, size, size / 2, 15) for second, size in enumerate(sizes)
    ]


def test_a_trend_is_measured_in_mib_per_minute():
    assert memory.slope_per_minute(samples(100 + second / 60 for second in range(300))) == (
        pytest.approx(1)
    )


def test_growing_memory_fails_and_flat_memory_does_not():
    assert criteria.memory_is_flat(samples([150.0, 151.0] * 150)).holds
    assert not criteria.memory_is_flat(samples(150 + second / 60 for second in range(300))).holds
    assert not criteria.memory_is_flat(samples([150.0] * 299 + [170.0])).holds


def finished(phase, level: float, vms: int = 4):
    return types.SimpleNamespace(phase=phase, name=phase.name, level_after=level, vms=vms)


@pytest.mark.parametrize("level, expected", [(104.9, True), (105.1, False)])
def test_an_idle_gateway_that_grew_by_more_than_the_limit_fails(level, expected):
    done = [finished(phases.WARM_UP, 100.0), finished(phases.FAULTS, level)]
    (criterion,) = criteria.idle_memory(done, True)
    assert criterion.holds is expected
    assert criteria.idle_memory(done, False)[0].holds is None


def test_what_the_uploads_needed_must_be_returned_by_the_end_of_the_next_phase():
    done = [finished(phases.WARM_UP, 100.0), finished(phases.UPLOADS, 300.0)]
    done.append(finished(phases.STEADY, 106.0))
    assert [each.holds for each in criteria.idle_memory(done, True)] == [None, False]


def test_a_vm_that_is_left_over_fails():
    done = [finished(phases.WARM_UP, 100.0), finished(phases.RELOADS, 100.0, vms=6)]
    assert not criteria.no_vm_leaks(done).holds
    assert criteria.no_vm_leaks(done[:1]).holds


# The table.


def test_an_unexplained_error_is_loud():
    failed = exchange(1, problem="status 500")
    assert table.outcome(failed, {failed.id: None}) == "UNEXPLAINED"
    assert table.outcome(failed, {failed.id: "cut"}) == "cut"


# Responses.


def kind(name: str):
    return next(kind for kind in MIX if kind.name == name)


def converse(text: str) -> bytes:
    return json.dumps({"output": {"message": {"content": [{"text": text}]}}}).encode()


def test_the_response_of_another_request_is_a_problem():
    assert kind("converse").problem("soak-1", 200, converse("heard: soak-1 lorem")) is None
    assert kind("converse").problem("soak-1", 200, converse("heard: soak-2 lorem"))


def test_a_stream_without_its_last_event_is_a_problem():
    for name in ("converse-stream", "invoke stream"):
        assert kind(name).problem("soak-1", 200, b"") == "incomplete stream"


def test_a_status_that_the_kind_does_not_expect_is_a_problem():
    assert kind("no key").problem("soak-1", 401, b"{}") is None
    assert kind("no key").problem("soak-1", 200, b"{}") == "status 200"
    assert kind("converse").problem("soak-1", 503, b"{}") == "status 503"

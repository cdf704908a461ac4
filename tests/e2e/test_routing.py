"""LiteLLM's routing settings, each on a real Envoy with two workers, streaming and not."""

import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import time

import pytest

from clients import post, question
from deployments import CLAUDE, EAST, NOVA, WEST, Parameters
from gateway import KEY, Gateway, config

OPERATIONS = ["converse", "converse-stream"]
# Longer than any cooldown of these tests.
SECONDS = 20


@pytest.fixture(params=OPERATIONS)
def operation(request):
    return request.param


@pytest.fixture
def started(shared_emulator, bedrock):
    """Starts a gateway with these deployments and router settings."""
    running = []

    def start(deployments, router=None, **sections) -> Gateway:
        at = Parameters(shared_emulator)
        models = [(name, at(region) | more) for name, region, more in deployments]
        sections = {"router_settings": router or {}, **sections}
        gateway = Gateway(config(models, **sections))
        running.append(gateway)
        return gateway

    yield start
    for gateway in running:
        gateway.stop()


def both(**more) -> list:
    return [("m", WEST, more), ("m", EAST, more)]


def attempts(bedrock, region=None) -> list:
    """The regions or, for one region, the statuses of all attempts, in the order of arrival."""
    log = sorted(bedrock.quiet_log(), key=lambda entry: entry["arrival"])
    if region:
        return [entry["status"] for entry in log if entry["region"] == region]
    return [entry["region"] for entry in log]


def statuses(gateway, model, count, operation="converse", **options) -> list:
    return [post(gateway, model, operation, **options).status for _ in range(count)]


def until(condition, seconds=SECONDS):
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


# Cooldowns.


def test_a_throttled_deployment_gets_no_requests_until_its_cooldown_is_over(
    started, bedrock, operation
):
    gateway = started(both(), {"cooldown_time": 2})
    throttled = bedrock.fault("status", status=429, region=WEST)
    assert statuses(gateway, "m", 30, operation) == [200] * 30
    assert len(attempts(bedrock, WEST)) <= 2
    bedrock.clear_faults(throttled)
    bedrock.clear_log()
    until(lambda: post(gateway, "m", operation).status == 200 and attempts(bedrock, WEST))
    assert set(attempts(bedrock, WEST)) == {200}


def test_a_cooldown_lasts_as_long_as_retry_after_says(started, bedrock):
    gateway = started(both(), {"cooldown_time": 1})
    headers = {"retry-after": "60", "x-amzn-errortype": "ThrottlingException"}
    bedrock.fault("altered", status=429, region=WEST, count=1, headers=headers)
    until(lambda: post(gateway, "m").status == 200 and attempts(bedrock, WEST))
    time.sleep(1.5)
    bedrock.clear_log()
    assert statuses(gateway, "m", 20) == [200] * 20
    assert attempts(bedrock, WEST) == []


def test_a_deployment_with_refused_credentials_cools_down(started, bedrock):
    gateway = started(both(), {"cooldown_time": 60})
    bedrock.fault("status", status=403, error_type="UnrecognizedClientException", region=WEST)
    assert statuses(gateway, "m", 30) == [200] * 30
    assert len(attempts(bedrock, WEST)) <= 2


def test_server_errors_cool_a_deployment_down_when_most_of_five_requests_have_failed(
    started, bedrock, operation
):
    gateway = started(both(), {"cooldown_time": 60})
    bedrock.fault("status", status=500, region=WEST)
    assert statuses(gateway, "m", 60, operation) == [200] * 60
    assert 3 <= len(attempts(bedrock, WEST)) <= 12


def test_allowed_fails_are_allowed(started, bedrock):
    gateway = started(both(), {"cooldown_time": 60, "allowed_fails": 3})
    bedrock.fault("status", status=429, region=WEST)
    assert statuses(gateway, "m", 40) == [200] * 40
    assert 4 <= len(attempts(bedrock, WEST)) <= 6


def test_a_stream_that_ends_with_an_exception_is_one_failure(started, bedrock):
    deployments = [("m", WEST, {"order": 1}), ("m", EAST, {"order": 2})]
    gateway = started(deployments, {"cooldown_time": 60, "allowed_fails": 1})
    bedrock.fault("exception", error_type="throttlingException", region=WEST)
    assert statuses(gateway, "m", 4, "converse-stream") == [200] * 4
    assert attempts(bedrock) == [WEST, WEST, EAST, EAST]


def test_a_response_that_is_cut_is_a_failure(started, bedrock, operation):
    gateway = started(both(), {"allowed_fails": 0, "cooldown_time": 60, "num_retries": 0})
    bedrock.fault("cut", region=WEST)
    for _ in range(20):
        with contextlib.suppress(OSError, http.client.HTTPException):
            post(gateway, "m", operation)
    assert len(attempts(bedrock, WEST)) <= 1
    assert len(attempts(bedrock, EAST)) >= 19


def test_a_client_that_leaves_or_is_impatient_cools_nothing_down(started, bedrock, operation):
    gateway = started(both(), {"allowed_fails": 0, "cooldown_time": 60, "num_retries": 0})
    slow = bedrock.fault("hang")
    impatient = {"x-litellm-timeout": "0.05"}
    assert post(gateway, "m", operation, headers=impatient).status == 408
    with pytest.raises(TimeoutError):
        post(gateway, "m", operation, timeout=0.2)
    bedrock.clear_faults(slow)
    bedrock.clear_log()
    assert statuses(gateway, "m", 30, operation) == [200] * 30
    assert set(attempts(bedrock)) == {WEST, EAST}


def test_a_probe_that_is_refused_has_an_answer(started, bedrock):
    gateway = started([("m", WEST, {"order": 1}), ("m", EAST, {"order": 2})], {"cooldown_time": 1})
    throttled = bedrock.fault("status", status=429, region=WEST)
    assert post(gateway, "m").status == 200
    bedrock.clear_faults(throttled)
    refused = bedrock.fault("status", status=400, error_type="ValidationException", region=WEST)
    until(lambda: post(gateway, "m").status == 400)
    bedrock.clear_faults(refused)
    bedrock.clear_log()
    assert post(gateway, "m").status == 200
    assert attempts(bedrock) == [WEST]


def test_a_policy_allows_other_numbers_of_fails_for_a_class(started, bedrock):
    policy = {"RateLimitErrorAllowedFails": 5, "InternalServerErrorAllowedFails": 0}
    gateway = started(both(), {"cooldown_time": 60, "allowed_fails_policy": policy})
    bedrock.fault("status", status=500, region=WEST)
    assert statuses(gateway, "m", 20) == [200] * 20
    assert len(attempts(bedrock, WEST)) <= 2


def test_a_deployment_has_its_own_cooldown_time(started, bedrock):
    deployments = [("m", WEST, {"cooldown_time": 60}), ("m", EAST, {})]
    gateway = started(deployments, {"cooldown_time": 0.2})
    bedrock.fault("status", status=429, region=WEST, count=1)
    until(lambda: post(gateway, "m").status == 200 and attempts(bedrock, WEST))
    time.sleep(0.5)
    bedrock.clear_log()
    assert statuses(gateway, "m", 20) == [200] * 20
    assert attempts(bedrock, WEST) == []


def test_without_cooldowns_a_throttled_deployment_is_asked_again(started, bedrock):
    gateway = started(both(), {"disable_cooldowns": True})
    bedrock.fault("status", status=429, region=WEST)
    assert statuses(gateway, "m", 40) == [200] * 40
    assert len(attempts(bedrock, WEST)) > 8


def test_a_throttled_model_leaves_the_other_models_of_its_region_alone(started, bedrock):
    deployments = [*both(), ("other", WEST, {"model": f"bedrock/{NOVA}"})]
    gateway = started(deployments, {"cooldown_time": 60})
    bedrock.fault("status", status=429, region=WEST, model=CLAUDE)
    assert statuses(gateway, "m", 10) == [200] * 10
    assert statuses(gateway, "other", 5) == [200] * 5


def test_if_all_are_throttled_the_client_gets_bedrocks_own_429(started, bedrock, operation):
    gateway = started(both(), {"cooldown_time": 60})
    bedrock.fault("status", status=429, message="Too many tokens, please wait.")
    for _ in range(3):
        response = post(gateway, "m", operation)
        assert (response.status, response.error_type) == (429, "ThrottlingException")
        assert response.json["message"] == "Too many tokens, please wait."


def test_a_throttled_region_of_two_costs_no_client_an_error(started, bedrock):
    """50 requests per second for ten seconds."""
    gateway = started(both(), {"cooldown_time": 5})
    bedrock.fault("status", status=429, region=WEST)

    def one(number) -> int:
        time.sleep(max(0, begun + number / 50 - time.monotonic()))
        return post(gateway, "m").status

    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        found = list(pool.map(one, range(500)))
    assert found == [200] * 500
    assert len(attempts(bedrock, WEST)) < 0.05 * 500


# Retries.


def test_a_retry_policy_counts_by_class(started, bedrock, operation):
    policy = {"RateLimitErrorRetries": 0, "InternalServerErrorRetries": 3}
    gateway = started(both(), {"retry_policy": policy, "disable_cooldowns": True})
    bedrock.fault("status", status=429)
    assert post(gateway, "m", operation).status == 429
    assert len(attempts(bedrock)) == 1
    bedrock.clear_faults()
    bedrock.clear_log()
    bedrock.fault("status", status=500)
    assert post(gateway, "m", operation).status == 500
    assert len(attempts(bedrock)) == 4


def test_a_retry_policy_can_retry_invalid_requests(started, bedrock):
    gateway = started(both(), {"retry_policy": {"BadRequestErrorRetries": 1}})
    bedrock.fault("status", status=400)
    assert post(gateway, "m").status == 400
    assert len(attempts(bedrock)) == 2


def test_a_model_group_and_a_deployment_have_their_own_retries(started, bedrock):
    deployments = [("m", WEST, {}), ("n", WEST, {}), ("o", WEST, {"num_retries": 0})]
    router = {"num_retries": 1, "model_group_retry_policy": {"n": {"RateLimitErrorRetries": 3}}}
    gateway = started(deployments, router)
    bedrock.fault("status", status=429)
    for model, expected in [("m", 2), ("n", 4), ("o", 1)]:
        bedrock.clear_log()
        assert post(gateway, model).status == 429
        assert len(attempts(bedrock)) == expected, model


def test_a_retry_on_the_same_deployment_waits(started, bedrock):
    gateway = started([("m", WEST, {})], {"num_retries": 1, "retry_after": 2})
    bedrock.fault("status", status=429, count=1)
    begun = time.monotonic()
    assert post(gateway, "m").status == 200
    assert time.monotonic() - begun >= 2


# Fallbacks.


def test_another_model_serves_requests_when_the_deployments_of_a_model_fail(
    started, bedrock, operation
):
    deployments = [("m", WEST, {}), ("n", EAST, {"model": f"bedrock/{NOVA}"})]
    gateway = started(deployments, {"num_retries": 1, "fallbacks": [{"m": ["n"]}]})
    bedrock.fault("status", status=500, region=WEST)
    response = post(gateway, "m", operation)
    assert response.status == 200
    assert response.headers["x-litellm-attempted-fallbacks"] == "1"
    assert response.headers["x-litellm-attempted-retries"] == "2"
    assert response.headers["x-litellm-model-group"] == "n"
    log = sorted(bedrock.quiet_log(), key=lambda entry: entry["arrival"])
    assert [(entry["region"], entry["model"]) for entry in log] == [
        (WEST, CLAUDE),
        (WEST, CLAUDE),
        (EAST, NOVA),
    ]


def test_while_a_model_cools_down_its_fallback_is_asked_at_once(started, bedrock, operation):
    deployments = [("m", WEST, {}), ("n", EAST, {"model": f"bedrock/{NOVA}"})]
    gateway = started(deployments, {"fallbacks": [{"m": ["n"]}], "cooldown_time": 60})
    bedrock.fault("status", status=429, region=WEST)
    assert statuses(gateway, "m", 20, operation) == [200] * 20
    assert attempts(bedrock) == [WEST] + [EAST] * 20


def test_default_fallbacks_are_for_models_without_their_own(started, bedrock):
    deployments = [("m", WEST, {}), ("n", EAST, {"model": f"bedrock/{NOVA}"})]
    gateway = started(deployments, {"default_fallbacks": ["n"]})
    bedrock.fault("status", status=403, error_type="AccessDeniedException", region=WEST)
    assert post(gateway, "m").status == 200
    assert attempts(bedrock) == [WEST, EAST]


def test_a_region_that_refuses_connections_falls_back_too(started, bedrock):
    refusing = {"aws_bedrock_runtime_endpoint": "http://127.0.0.1:1"}
    deployments = [("m", WEST, refusing), ("n", EAST, {"model": f"bedrock/{NOVA}"})]
    gateway = started(deployments, {"fallbacks": [{"m": ["n"]}]})
    assert statuses(gateway, "m", 3) == [200] * 3


def test_invalid_requests_do_not_fall_back(started, bedrock):
    deployments = [("m", WEST, {}), ("n", EAST, {"model": f"bedrock/{NOVA}"})]
    gateway = started(deployments, {"fallbacks": [{"m": ["n"]}]})
    bedrock.fault("status", status=400, region=WEST)
    assert post(gateway, "m").status == 400
    assert attempts(bedrock) == [WEST]


def test_a_fallback_that_fails_is_followed_by_its_own(started, bedrock):
    deployments = [("m", WEST, {}), ("n", WEST, {"model": f"bedrock/{NOVA}"}), ("o", EAST, {})]
    chain = [{"m": ["n"]}, {"n": ["o"]}]
    gateway = started(deployments, {"fallbacks": chain, "num_retries": 10})
    bedrock.fault("status", status=403, error_type="AccessDeniedException", region=WEST)
    response = post(gateway, "m")
    assert response.status == 200
    assert response.headers["x-litellm-attempted-fallbacks"] == "2"
    assert attempts(bedrock) == [WEST, WEST, EAST]


def test_a_name_that_a_wildcard_serves_has_its_own_fallbacks(started, bedrock):
    deployments = [
        ("us.*", WEST, {"model": "bedrock/us.*"}),
        ("n", EAST, {"model": f"bedrock/{NOVA}"}),
    ]
    gateway = started(deployments, {"fallbacks": [{f"us.{NOVA}": ["n"]}], "num_retries": 0})
    bedrock.fault("status", status=403, error_type="AccessDeniedException", region=WEST)
    assert post(gateway, f"us.{NOVA}").status == 200
    assert post(gateway, f"us.{CLAUDE}").status == 403


def test_bedrocks_response_is_passed_on_if_there_is_no_time_for_a_retry(started, bedrock):
    gateway = started([("m", WEST, {})], {"retry_after": 10, "timeout": 5})
    bedrock.fault("status", status=429, region=WEST)
    assert post(gateway, "m").status == 429
    assert attempts(bedrock) == [WEST]


def test_a_long_request_that_is_refused_goes_to_the_context_window_fallback(started, bedrock):
    deployments = [("m", WEST, {}), ("n", EAST, {"model": f"bedrock/{NOVA}"})]
    gateway = started(deployments, {"context_window_fallbacks": [{"m": ["n"]}]})
    bedrock.fault("status", status=400, error_type="ValidationException", region=WEST)
    assert post(gateway, "m", body=question("x" * 200_000)).status == 200
    assert attempts(bedrock) == [WEST, EAST]
    assert post(gateway, "m").status == 400


# Limits of deployments.


def at_once(gateway, model, count) -> list:
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: post(gateway, model), range(count)))


def test_a_deployment_with_all_its_parallel_requests_is_passed_over(started, bedrock):
    gateway = started(both(max_parallel_requests=2))
    bedrock.pace(latency_ms=1500)
    responses = at_once(gateway, "m", 6)
    found = sorted(response.status for response in responses)
    assert found == [200] * 4 + [429] * 2
    assert sorted(attempts(bedrock)) == [EAST] * 2 + [WEST] * 2
    refused = next(response for response in responses if response.status == 429)
    assert refused.error_type == "ThrottlingException"
    assert int(refused.headers["retry-after"]) >= 1
    bedrock.clear_pace()
    assert post(gateway, "m").status == 200


@pytest.mark.parametrize("limit", [{"rpm": 3}, {"tpm": 1}], ids=["rpm", "tpm"])
def test_a_rate_that_is_enforced_is_a_limit(started, bedrock, limit):
    router = {"optional_pre_call_checks": ["enforce_model_rate_limits"]}
    gateway = started(both(**limit), router)
    found = statuses(gateway, "m", 8)
    served = 6 if "rpm" in limit else 2
    assert found == [200] * served + [429] * (8 - served)
    refused = post(gateway, "m")
    assert 1 <= int(refused.headers["retry-after"]) <= 60


# Strategies.


def test_requests_go_to_the_least_busy_deployment(started, bedrock):
    gateway = started(both(), {"routing_strategy": "least-busy"})
    bedrock.pace(latency_ms=3000, region=WEST)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        slow = []
        for _ in range(6):
            slow.append(pool.submit(post, gateway, "m"))
            time.sleep(0.1)
        # Those in the west are still running.
        assert statuses(gateway, "m", 5) == [200] * 5
        assert all(future.result().status == 200 for future in slow)
    assert attempts(bedrock).count(WEST) in (1, 2, 3)


def test_requests_go_where_the_first_byte_comes_soonest(started, bedrock, operation):
    gateway = started(both(), {"routing_strategy": "latency-based-routing"})
    bedrock.pace(latency_ms=400, region=WEST)
    assert statuses(gateway, "m", 4, operation) == [200] * 4
    bedrock.clear_log()
    assert statuses(gateway, "m", 12, operation) == [200] * 12
    assert set(attempts(bedrock)) == {EAST}


def test_requests_go_where_the_fewest_tokens_were_used_this_minute(started, bedrock):
    gateway = started(both(), {"routing_strategy": "usage-based-routing-v2"})
    assert statuses(gateway, "m", 20) == [200] * 20
    regions = attempts(bedrock)
    assert abs(regions.count(WEST) - regions.count(EAST)) <= 2


def test_requests_go_to_the_cheapest_deployment(started, bedrock):
    price = {"input_cost_per_token": 1e-9, "output_cost_per_token": 1e-9}
    gateway = started(
        [("m", WEST, {}), ("m", EAST, price)], {"routing_strategy": "cost-based-routing"}
    )
    assert statuses(gateway, "m", 10) == [200] * 10
    assert set(attempts(bedrock)) == {EAST}


# Affinity.


def test_a_session_stays_in_the_region_of_its_prompt_cache(started, bedrock):
    gateway = started(both(), {"optional_pre_call_checks": ["session_affinity"]})
    homes = set()
    for number in range(12):
        bedrock.clear_log()
        session = {"x-litellm-session-id": f"session-{number}"}
        assert statuses(gateway, "m", 6, headers=session) == [200] * 6
        (home,) = set(attempts(bedrock))
        homes.add(home)
    assert homes == {WEST, EAST}


def test_the_same_conversation_reads_its_prompt_cache(started, bedrock):
    gateway = started(both(), {"optional_pre_call_checks": ["prompt_caching"]})
    long = {"text": "Be brief. " * 2000}
    body = json.dumps(
        {
            "system": [long, {"cachePoint": {"type": "default"}}],
            "messages": [{"role": "user", "content": [{"text": "hello"}]}],
        }
    ).encode()
    session = {"x-litellm-session-id": "one"}
    usages = [post(gateway, "m", body=body, headers=session).json["usage"] for _ in range(6)]
    assert usages[0].get("cacheReadInputTokens", 0) == 0
    assert all(usage["cacheReadInputTokens"] > 0 for usage in usages[1:])


def test_a_session_moves_while_its_deployment_cools_down(started, bedrock):
    gateway = started(both(), {"cooldown_time": 60})
    session = {"x-litellm-session-id": "one"}
    assert post(gateway, "m", headers=session).status == 200
    (home,) = attempts(bedrock)
    bedrock.fault("status", status=429, region=home)
    assert statuses(gateway, "m", 5, headers=session) == [200] * 5
    assert attempts(bedrock, home) == [200, 429]


def test_requests_of_a_key_stay_together_if_the_file_says_so(started, bedrock):
    gateway = started(both(), {"optional_pre_call_checks": ["deployment_affinity"]})
    assert statuses(gateway, "m", 12) == [200] * 12
    assert len(set(attempts(bedrock))) == 1


# Order, weights, names.


def test_a_higher_order_serves_only_when_the_lower_one_cannot(started, bedrock):
    deployments = [("m", WEST, {"order": 1}), ("m", EAST, {"order": 2})]
    gateway = started(deployments, {"cooldown_time": 60})
    assert statuses(gateway, "m", 5) == [200] * 5
    assert set(attempts(bedrock)) == {WEST}
    bedrock.fault("status", status=429, region=WEST)
    bedrock.clear_log()
    assert statuses(gateway, "m", 5) == [200] * 5
    assert attempts(bedrock) == [WEST] + [EAST] * 5


def test_models_have_further_names_and_the_most_specific_wildcard_counts(started, bedrock):
    deployments = [
        ("m", WEST, {}),
        ("us.*", WEST, {"model": "bedrock/us.*"}),
        ("us.anthropic.*", EAST, {"model": "bedrock/us.anthropic.*"}),
    ]
    gateway = started(deployments, {"model_group_alias": {"nickname": "m"}})
    for model, region in [("nickname", WEST), (NOVA, WEST), (CLAUDE, EAST)]:
        bedrock.clear_log()
        assert post(gateway, model).status == 200
        assert attempts(bedrock) == [region], model


# Time limits.


def test_an_attempt_that_takes_too_long_is_repeated_elsewhere(started, bedrock):
    deployments = [("m", WEST, {"order": 1, "timeout": 0.5}), ("m", EAST, {"order": 2})]
    gateway = started(deployments)
    bedrock.fault("hang", region=WEST)
    assert post(gateway, "m").status == 200
    assert sorted(attempts(bedrock)) == [EAST, WEST]


def test_a_stream_that_does_not_begin_in_time_is_repeated_elsewhere(started, bedrock):
    deployments = [("m", WEST, {"order": 1}), ("m", EAST, {"order": 2})]
    gateway = started(deployments, {"stream_timeout": 0.5})
    bedrock.fault("hang", region=WEST)
    assert post(gateway, "m", "converse-stream").status == 200
    assert sorted(attempts(bedrock)) == [EAST, WEST]


def test_a_client_can_set_the_time_limit_of_its_request(started, bedrock, operation):
    gateway = started([("m", WEST, {})], {"num_retries": 0})
    bedrock.fault("hang")
    begun = time.monotonic()
    response = post(gateway, "m", operation, headers={"x-litellm-timeout": "1"})
    assert (response.status, response.error_type) == (408, "ModelTimeoutException")
    assert 0.9 <= time.monotonic() - begun < 10


def test_the_key_of_a_request_must_be_allowed_to_call_its_fallback(started, bedrock):
    """A virtual key for `m` alone does not reach `n`."""
    key = "sk-only-m-0123456789abcdef"
    token = hashlib.sha256(key.encode()).hexdigest()
    deployments = [("m", WEST, {}), ("n", EAST, {"model": f"bedrock/{NOVA}"})]
    own = {"keys": [{"token": token, "key_alias": "only-m", "models": ["m"]}]}
    gateway = started(deployments, {"fallbacks": [{"m": ["n"]}]}, envoy_bedrock=own)
    bedrock.fault("status", status=500, region=WEST)
    assert post(gateway, "m", key=key).status == 500
    assert post(gateway, "m", key=KEY).status == 200

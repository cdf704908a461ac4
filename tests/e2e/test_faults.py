"""Failures of a region: what the client receives, and which attempts were made."""

import http.client
import time

import pytest

import direct
from clients import connection, post, send
from deployments import CLAUDE, EAST, NOVA, WEST, Parameters
from emulator import DEMO_ACCESS_KEY_ID
from gateway import TEMPORARY_KEY_ID, Gateway, config

OTHER = {WEST: EAST, EAST: WEST}
FIRST = {WEST: "west-first", EAST: "east-first"}
RETRIED = [408, 424, 429, 500, 502, 503, 529]
FINAL = [400, 409, 413, 422]
# Errors of the deployment, from Bedrock and the layers before it. AWS's common errors come last.
UNUSABLE = [
    (403, "ExpiredTokenException"),
    (403, "AccessDeniedException"),
    (403, "UnrecognizedClientException"),
    (403, "InvalidSignatureException:http://internal.amazon.com/coral/com.amazon.coral.service/"),
    (403, "MissingAuthenticationTokenException"),
    (403, "IncompleteSignatureException"),
    (403, ""),
    (401, ""),
    (404, "ResourceNotFoundException"),
    (404, "UnknownOperationException"),
    (404, ""),
    (405, ""),
    (400, "ServiceQuotaExceededException"),
    (400, "ExpiredTokenException"),
    (400, "IncompleteSignature"),
]
DISCONNECT_SECONDS = 2


@pytest.fixture(params=["converse", "converse-stream"])
def operation(request):
    return request.param


@pytest.fixture(params=[WEST, EAST])
def region(request):
    return request.param


def attempts(bedrock) -> list:
    """(region, status) of each request, in the order of arrival."""
    return [(entry["region"], entry["status"]) for entry in by_arrival(bedrock)]


def by_arrival(bedrock) -> list:
    return sorted(bedrock.quiet_log(), key=lambda entry: entry["arrival"])


def assert_client_is_gone(entry, since_ms):
    """The emulator noticed within `DISCONNECT_SECONDS` that its client disconnected."""
    assert entry["ended"] == "client_gone"
    assert entry["client_gone_unix_ms"] - since_ms < DISCONNECT_SECONDS * 1000


@pytest.mark.parametrize("status", RETRIED)
def test_a_temporary_failure_is_retried_in_the_other_region(
    gateway, bedrock, region, operation, status
):
    bedrock.fault("status", status=status, region=region)
    response = post(gateway, FIRST[region], operation)
    assert response.status == 200 and OTHER[region].encode() in response.body
    assert attempts(bedrock) == [(region, status), (OTHER[region], 200)]


@pytest.mark.parametrize("status", FINAL)
def test_an_error_of_the_client_is_returned_without_a_retry(
    gateway, bedrock, region, operation, status
):
    bedrock.fault("status", status=status, region=region, message=f"status {status}")
    expected = direct.request(bedrock, region, CLAUDE, operation)
    bedrock.quiet_log()
    bedrock.clear_log()
    response = post(gateway, FIRST[region], operation)
    assert (response.status, response.error_type, response.body) == (
        status,
        expected.error_type,
        expected.body,
    )
    assert attempts(bedrock) == [(region, status)]


@pytest.mark.parametrize("status, error_type", UNUSABLE)
def test_an_unusable_deployment_is_replaced_by_another(
    gateway, bedrock, region, status, error_type
):
    bedrock.fault("status", status=status, error_type=error_type, region=region)
    response = post(gateway, FIRST[region])
    assert response.status == 200 and OTHER[region].encode() in response.body
    assert response.headers["x-litellm-model-region"] == OTHER[region]
    assert attempts(bedrock) == [(region, status), (OTHER[region], 200)]


@pytest.mark.parametrize("status, error_type", UNUSABLE)
def test_if_no_deployment_is_usable_each_gets_one_attempt_and_the_last_error_is_returned(
    gateway, bedrock, operation, status, error_type
):
    bedrock.fault(
        "status", status=status, error_type=error_type, region=WEST, message="the first error"
    )
    bedrock.fault(
        "status", status=status, error_type=error_type, region=EAST, message="the last error"
    )
    response = post(gateway, "west-first", operation)
    assert (response.status, response.error_type or "") == (
        status,
        error_type,
    ) and b"the last error" in response.body
    assert attempts(bedrock) == [(WEST, status), (EAST, status)]
    bedrock.clear_log()
    assert post(gateway, "only-west", operation).status == status
    assert attempts(bedrock) == [(WEST, status)], "the only deployment was retried"


@pytest.mark.parametrize(
    "error_type",
    [
        "ThrottlingException",
        "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
        "com.amazon.coral.availability#ThrottlingException",
        "TooManyRequestsException",
        "ModelNotReadyException",
    ],
)
def test_throttling_with_status_400_is_retried(gateway, bedrock, operation, error_type):
    bedrock.fault("status", status=400, error_type=error_type, count=2)
    assert post(gateway, "only-west", operation).status == 200
    assert attempts(bedrock) == [(WEST, 400), (WEST, 400), (WEST, 200)]


def test_an_expired_key_or_a_denied_model_moves_the_request_to_the_next_deployment(
    gateway, bedrock
):
    bedrock.fault(
        "status", status=403, error_type="ExpiredTokenException", access_key_id=DEMO_ACCESS_KEY_ID
    )
    assert post(gateway, "two-accounts").status == 200
    assert [entry["access_key_id"] for entry in bedrock.quiet_log()] == [
        DEMO_ACCESS_KEY_ID,
        TEMPORARY_KEY_ID,
    ]
    bedrock.reset()
    bedrock.fault("status", status=403, error_type="AccessDeniedException", model=CLAUDE)
    assert post(gateway, "two-models").status == 200
    assert [entry["model"] for entry in bedrock.quiet_log()] == [CLAUDE, NOVA]


def test_a_retry_skips_the_account_whose_key_has_expired(gateway, bedrock):
    """In turn, the third attempt would use the first account again."""
    bedrock.fault(
        "status", status=403, error_type="ExpiredTokenException", access_key_id=DEMO_ACCESS_KEY_ID
    )
    bedrock.fault("status", status=429, access_key_id=TEMPORARY_KEY_ID, count=1)
    assert post(gateway, "two-accounts").status == 200
    seen = [(entry["access_key_id"], entry["status"]) for entry in by_arrival(bedrock)]
    assert seen == [(DEMO_ACCESS_KEY_ID, 403), (TEMPORARY_KEY_ID, 429), (TEMPORARY_KEY_ID, 200)]


def test_after_an_expired_key_only_the_throttled_deployment_is_tried_again(
    gateway, bedrock, operation
):
    bedrock.fault("status", status=403, error_type="ExpiredTokenException", region=WEST)
    bedrock.fault("status", status=429, region=EAST)
    response = post(gateway, "west-first", operation)
    assert (response.status, response.error_type) == (429, "ThrottlingException")
    assert attempts(bedrock) == [(WEST, 403), (EAST, 429), (EAST, 429)]


@pytest.mark.parametrize(
    "bad",
    [
        {"aws_access_key_id": "AKIANOBODYKNOWSTHIS0", "aws_secret_access_key": "any"},
        {
            "aws_access_key_id": "os.environ/AWS_ACCESS_KEY_ID",
            "aws_secret_access_key": "os.environ/OLD_SECRET",
        },
        {"api_key": "ABSKnobodyKnowsThis"},
    ],
    ids=["unknown key", "wrong secret", "unknown API key"],
)
def test_one_bad_key_of_two_in_a_region_fails_no_request(shared_emulator, bedrock, bad):
    """The emulator's own verification rejects these keys; no fault is set."""
    at = Parameters(shared_emulator)
    text = config([("m", at(WEST)), ("m", at(WEST, **bad))])
    literals = {
        f"ENVOY_BEDROCK_MODEL_LIST_1_{name.upper()}": value
        for name, value in bad.items()
        if not value.startswith("os.environ/")
    }
    bedrock.mode(hostile=True)
    with Gateway(text, env={"OLD_SECRET": "rotated/away"}, literals=literals) as running:
        assert [post(running, "m").status for _ in range(24)] == [200] * 24
    statuses = [entry["status"] for entry in bedrock.quiet_log()]
    assert statuses.count(200) == 24 and 0 < statuses.count(403) == len(statuses) - 24, statuses


def test_if_every_attempt_fails_the_client_gets_the_last_response(
    gateway, bedrock, region, operation
):
    bedrock.fault("status", status=503, region=OTHER[region], message="the other is down")
    bedrock.fault("status", status=429, region=region, message="too many", count=1)
    bedrock.fault(
        "status",
        status=424,
        region=region,
        error_type="ModelErrorException",
        message="the last error",
    )
    response = post(gateway, FIRST[region], operation)
    assert (response.status, response.error_type) == (424, "ModelErrorException")
    assert attempts(bedrock) == [(region, 429), (OTHER[region], 503), (region, 424)]
    expected = direct.request(bedrock, region, CLAUDE, operation)
    assert response.body == expected.body and b"the last error" in response.body
    assert "x-eb-retry" not in response.headers


def test_a_model_in_one_region_is_retried_there(gateway, bedrock, operation):
    bedrock.fault("status", status=429, count=2)
    assert post(gateway, "only-west", operation).status == 200
    assert attempts(bedrock) == [(WEST, 429), (WEST, 429), (WEST, 200)]


def test_a_retry_in_another_account_is_signed_with_its_key(gateway, bedrock):
    bedrock.fault("status", status=429, access_key_id=DEMO_ACCESS_KEY_ID)
    assert post(gateway, "two-accounts").status == 200
    first, second = bedrock.quiet_log()
    assert [first["region"], second["region"]] == [WEST, WEST]
    assert second["access_key_id"] == TEMPORARY_KEY_ID and second["verified"]


def test_a_retry_of_another_model_requests_that_model(gateway, bedrock):
    bedrock.fault("status", status=503, model=CLAUDE)
    assert f"{NOVA} in {EAST}".encode() in post(gateway, "two-models").body
    assert [entry["model"] for entry in bedrock.quiet_log()] == [CLAUDE, NOVA]


@pytest.mark.parametrize("model", ["temporary", "api-key"])
def test_a_retry_carries_nothing_of_the_previous_credentials(gateway, bedrock, model):
    bedrock.fault("status", status=500, region=WEST)
    assert post(gateway, model).status == 200
    first, second = bedrock.quiet_log()
    assert [first["region"], second["region"]] == [WEST, EAST]
    assert second["reason"] == "signature" and second["access_key_id"] == DEMO_ACCESS_KEY_ID
    assert "x-amz-security-token" not in [name for name, _ in second["headers"]]


@pytest.mark.parametrize("kind", ["reset", "reset_after_request_headers"])
def test_a_reset_before_the_response_is_retried_in_the_other_region(
    gateway, bedrock, region, operation, kind
):
    bedrock.fault(kind, region=region, count=1)
    assert post(gateway, FIRST[region], operation).status == 200
    assert attempts(bedrock) == [(region, None), (OTHER[region], 200)]
    assert post(gateway, FIRST[region], operation).status == 200
    assert attempts(bedrock)[2:] == [(region, 200)]


def test_a_slow_response_is_not_retried(gateway, bedrock, region, operation):
    bedrock.fault("slow", delay_ms=1500, region=region)
    assert post(gateway, FIRST[region], operation).status == 200
    assert attempts(bedrock) == [(region, 200)]


def test_a_stream_that_starts_late_is_not_retried(gateway, bedrock, region):
    bedrock.fault("silent_start", delay_ms=1500, region=region)
    assert b"metadata" in post(gateway, FIRST[region], "converse-stream").body
    assert attempts(bedrock) == [(region, 200)]


def test_a_stream_that_breaks_off_aborts_the_transfer(gateway, bedrock, region):
    bedrock.fault("cut", after_events=3, region=region)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        post(gateway, FIRST[region], "converse-stream")
    assert attempts(bedrock) == [(region, 200)]


def test_a_response_that_breaks_off_is_a_typed_error(gateway, bedrock, region):
    """The gateway holds the response for its cost, so the client has received nothing yet."""
    bedrock.fault("cut", region=region)
    response = post(gateway, FIRST[region])
    assert response.status in (502, 503) and response.error_type == "ServiceUnavailableException"
    assert response.json["error"]["code"] == str(response.status)
    assert attempts(bedrock) == [(region, 200)], "a request that Bedrock has served was retried"


def test_a_response_too_large_to_hold_aborts_the_transfer(gateway, bedrock, region):
    bedrock.pace(response_bytes=8_000_000)
    bedrock.fault("cut", region=region)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        post(gateway, FIRST[region])
    assert attempts(bedrock) == [(region, 200)]


@pytest.mark.parametrize("kind", ["exception", "corrupt_frame"])
def test_errors_inside_a_stream_pass_through_unchanged(gateway, bedrock, region, kind):
    bedrock.fault(kind, after_events=2, region=region)
    expected = direct.request(bedrock, region, CLAUDE, "converse-stream")
    bedrock.quiet_log()
    bedrock.clear_log()
    response = post(gateway, FIRST[region], "converse-stream")
    assert response.body == expected.body and len(response.body) > 200
    assert attempts(bedrock) == [(region, 200)]


@pytest.mark.parametrize(
    "operation, kind",
    [("converse", "hang"), ("converse-stream", "hang"), ("converse-stream", "silent_start")],
)
def test_a_client_that_times_out_ends_its_upstream_request(
    gateway, bedrock, region, operation, kind
):
    bedrock.fault(kind, region=region)
    with pytest.raises(TimeoutError):
        post(gateway, FIRST[region], operation, timeout=0.5)
    gone_ms = time.time() * 1000
    (entry,) = bedrock.quiet_log()
    assert_client_is_gone(entry, gone_ms)


def test_a_client_that_disconnects_mid_stream_ends_its_upstream_request(gateway, bedrock):
    bedrock.pace(events=1000, interval_ms=20, operation="converse-stream")
    leaving = connection(gateway.url)
    response = send(leaving, "both", "converse-stream")
    assert response.read(200)
    response.close()
    leaving.close()
    gone_ms = time.time() * 1000
    (entry,) = bedrock.quiet_log()
    assert_client_is_gone(entry, gone_ms)
    assert len(entry["frames_unix_ms"]) < 500 and not entry["usage_reported"]


# Regions that refuse connections. Envoy avoids such an address for some seconds, so each region has
# a gateway of its own here.


@pytest.fixture(
    params=[(WEST, "http"), (WEST, "tls"), (EAST, "http"), (EAST, "tls")],
    ids="-".join,
    scope="module",
)
def refused(request, gateway_over):
    """A region, and a gateway that no other test uses."""
    region, upstream = request.param
    with gateway_over(upstream) as running:
        yield running, region


def test_a_region_that_refuses_connections_costs_milliseconds(refused, bedrock, operation):
    running, region = refused
    bedrock.fault("refused", region=region)
    kept = connection(running.url)
    durations = []
    for _ in range(20):
        started = time.monotonic()
        response = send(kept, FIRST[region], operation)
        assert response.status == 200 and OTHER[region].encode() in response.read()
        durations.append(time.monotonic() - started)
    kept.close()
    # A connection attempt may take two seconds, and the pause before the next one 50 ms.
    assert sorted(durations)[len(durations) // 2] < 0.5, durations
    assert attempts(bedrock) == [(OTHER[region], 200)] * 20


def test_if_every_region_refuses_connections_the_client_gets_a_typed_503(
    refused, bedrock, operation
):
    running, _ = refused
    bedrock.fault("refused", region=WEST)
    bedrock.fault("refused", region=EAST)
    response = post(running, "both", operation)
    assert (response.status, response.error_type) == (503, "ServiceUnavailableException")
    error = response.json["error"]
    assert (error["code"], error["message"]) == ("503", response.json["message"])
    assert response.headers["content-type"] == "application/json"


def test_a_request_that_takes_too_long_is_a_typed_408(gateway_over, bedrock):
    bedrock.fault("hang")
    sections = {"litellm_settings": {"request_timeout": 1}}
    with gateway_over("http", sections=sections) as impatient:
        for operation in ["converse", "converse-stream"]:
            response = post(impatient, "both", operation)
            assert (response.status, response.error_type) == (408, "ModelTimeoutException")
            assert response.json["error"]["code"] == "408"
        assert len(bedrock.quiet_log()) == 2

"""What goes wrong in a region, what the client gets of it, and which attempts were made."""

import http.client
import time

import pytest

import direct
from clients import connection, post, send
from conftest import CLAUDE, EAST, NOVA, WEST, Region, deployments
from emulator import DEMO_ACCESS_KEY_ID
from gateway import TEMPORARY_KEY_ID, Gateway, config

OTHER = {WEST: EAST, EAST: WEST}
FIRST = {WEST: "west-first", EAST: "east-first"}
RETRIED = [408, 424, 429, 500, 502, 503, 529]
FINAL = [400, 409, 413, 422]
# What belongs to the deployment, as Bedrock and the layers before it say it; the last ones are AWS's common errors.
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
GONE_SECONDS = 2


@pytest.fixture(params=["converse", "converse-stream"])
def operation(request):
    return request.param


@pytest.fixture(params=[WEST, EAST])
def region(request):
    return request.param


def attempts(bedrock) -> list:
    """(region, status) of each request that arrived, in the order of arrival."""
    return [
        (entry["region"], entry["status"])
        for entry in sorted(bedrock.quiet_log(), key=lambda e: e["arrival"])
    ]


@pytest.mark.parametrize("status", RETRIED)
def test_a_status_that_may_pass_elsewhere_costs_the_client_nothing(
    gateway, bedrock, region, operation, status
):
    bedrock.fault("status", status=status, region=region)
    response = post(gateway, FIRST[region], operation)
    assert response.status == 200 and OTHER[region].encode() in response.body
    assert attempts(bedrock) == [(region, status), (OTHER[region], 200)]


@pytest.mark.parametrize("status", FINAL)
def test_a_status_that_is_the_clients_fault_is_passed_on_at_once(
    gateway, bedrock, region, operation, status
):
    bedrock.fault("status", status=status, region=region, message=f"{status} it is")
    expected = direct.ask(bedrock, region, CLAUDE, operation)
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
def test_a_deployment_that_cannot_be_used_costs_the_client_nothing(
    gateway, bedrock, region, status, error_type
):
    bedrock.fault("status", status=status, error_type=error_type, region=region)
    response = post(gateway, FIRST[region])
    assert response.status == 200 and OTHER[region].encode() in response.body
    assert response.headers["x-litellm-model-region"] == OTHER[region]
    assert attempts(bedrock) == [(region, status), (OTHER[region], 200)]


@pytest.mark.parametrize("status, error_type", UNUSABLE)
def test_when_no_deployment_can_be_used_each_is_asked_once_and_the_last_answer_is_the_clients(
    gateway, bedrock, operation, status, error_type
):
    bedrock.fault(
        "status", status=status, error_type=error_type, region=WEST, message="said by the first"
    )
    bedrock.fault(
        "status", status=status, error_type=error_type, region=EAST, message="said by the last"
    )
    response = post(gateway, "west-first", operation)
    assert (response.status, response.error_type or "") == (
        status,
        error_type,
    ) and b"said by the last" in response.body
    assert attempts(bedrock) == [(WEST, status), (EAST, status)]
    bedrock.clear_log()
    assert post(gateway, "only-west", operation).status == status
    assert attempts(bedrock) == [(WEST, status)], "there is no other deployment"


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
def test_throttling_with_status_400_is_throttling(gateway, bedrock, operation, error_type):
    bedrock.fault("status", status=400, error_type=error_type, count=2)
    assert post(gateway, "only-west", operation).status == 200
    assert attempts(bedrock) == [(WEST, 400), (WEST, 400), (WEST, 200)]


def test_an_expired_key_or_a_closed_model_sends_the_request_to_the_other_account_or_model(
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


def test_what_one_account_cannot_do_another_of_the_region_is_asked_for_again(gateway, bedrock):
    """The third attempt would be the first account's again, whose key has expired."""
    bedrock.fault(
        "status", status=403, error_type="ExpiredTokenException", access_key_id=DEMO_ACCESS_KEY_ID
    )
    bedrock.fault("status", status=429, access_key_id=TEMPORARY_KEY_ID, count=1)
    assert post(gateway, "two-accounts").status == 200
    seen = [
        (entry["access_key_id"], entry["status"])
        for entry in sorted(bedrock.quiet_log(), key=lambda e: e["arrival"])
    ]
    assert seen == [(DEMO_ACCESS_KEY_ID, 403), (TEMPORARY_KEY_ID, 429), (TEMPORARY_KEY_ID, 200)]


def test_a_throttled_answer_is_not_replaced_by_the_refusal_of_an_expired_key(
    gateway, bedrock, operation
):
    bedrock.fault("status", status=403, error_type="ExpiredTokenException", region=WEST)
    bedrock.fault("status", status=429, region=EAST)
    response = post(gateway, "west-first", operation)
    assert (response.status, response.error_type) == (429, "ThrottlingException")
    assert attempts(bedrock) == [(WEST, 403), (EAST, 429)]


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
    """Really bad keys: it is the emulator's check that refuses them."""
    at = Region(shared_emulator)
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


def test_when_all_fail_the_last_answer_is_the_clients(gateway, bedrock, region, operation):
    bedrock.fault("status", status=503, region=OTHER[region], message="the other is down")
    bedrock.fault("status", status=429, region=region, message="too many", count=1)
    bedrock.fault(
        "status",
        status=424,
        region=region,
        error_type="ModelErrorException",
        message="the last word",
    )
    response = post(gateway, FIRST[region], operation)
    assert (response.status, response.error_type) == (424, "ModelErrorException")
    assert attempts(bedrock) == [(region, 429), (OTHER[region], 503), (region, 424)]
    expected = direct.ask(bedrock, region, CLAUDE, operation)
    assert response.body == expected.body and b"the last word" in response.body
    assert "x-eb-retry" not in response.headers


def test_a_model_with_one_region_is_tried_there_again(gateway, bedrock, operation):
    bedrock.fault("status", status=429, count=2)
    assert post(gateway, "only-west", operation).status == 200
    assert attempts(bedrock) == [(WEST, 429), (WEST, 429), (WEST, 200)]


def test_another_account_of_the_same_region_is_signed_for_as_itself(gateway, bedrock):
    bedrock.fault("status", status=429, access_key_id="AKIAEMULATORDEMO0001")
    assert post(gateway, "two-accounts").status == 200
    first, second = bedrock.quiet_log()
    assert [first["region"], second["region"]] == [WEST, WEST]
    assert second["access_key_id"] == "ASIAE2ETEMPORARY0001" and second["verified"]


def test_another_model_id_is_asked_for_as_itself(gateway, bedrock):
    bedrock.fault("status", status=503, model=CLAUDE)
    assert f"{NOVA} in {EAST}".encode() in post(gateway, "two-models").body
    assert [entry["model"] for entry in bedrock.quiet_log()] == [CLAUDE, NOVA]


@pytest.mark.parametrize("model", ["temporary", "api-key"])
def test_what_belongs_to_one_credential_is_gone_from_the_next_attempt(gateway, bedrock, model):
    bedrock.fault("status", status=500, region=WEST)
    assert post(gateway, model).status == 200
    first, second = bedrock.quiet_log()
    assert [first["region"], second["region"]] == [WEST, EAST]
    assert second["reason"] == "signature" and second["access_key_id"] == "AKIAEMULATORDEMO0001"
    assert "x-amz-security-token" not in [name for name, _ in second["headers"]]


@pytest.mark.parametrize("kind", ["reset", "reset_after_request_headers"])
def test_a_reset_before_the_answer_costs_the_client_nothing(
    gateway, bedrock, region, operation, kind
):
    bedrock.fault(kind, region=region, count=1)
    assert post(gateway, FIRST[region], operation).status == 200
    assert attempts(bedrock) == [(region, None), (OTHER[region], 200)]
    assert post(gateway, FIRST[region], operation).status == 200
    assert attempts(bedrock)[2:] == [(region, 200)]


def test_a_slow_answer_is_waited_for_once(gateway, bedrock, region, operation):
    bedrock.fault("slow", delay_ms=1500, region=region)
    assert post(gateway, FIRST[region], operation).status == 200
    assert attempts(bedrock) == [(region, 200)]


def test_a_stream_that_is_silent_at_its_start_is_waited_for_once(gateway, bedrock, region):
    bedrock.fault("silent_start", delay_ms=1500, region=region)
    assert b"metadata" in post(gateway, FIRST[region], "converse-stream").body
    assert attempts(bedrock) == [(region, 200)]


def test_a_stream_that_breaks_off_is_an_aborted_transfer(gateway, bedrock, region):
    bedrock.fault("cut", after_events=3, region=region)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        post(gateway, FIRST[region], "converse-stream")
    assert attempts(bedrock) == [(region, 200)]


def test_an_answer_that_breaks_off_is_a_typed_error(gateway, bedrock, region):
    """Its headers are held for the cost until it has ended, so the client has seen nothing of it yet."""
    bedrock.fault("cut", region=region)
    response = post(gateway, FIRST[region])
    assert response.status in (502, 503) and response.error_type == "ServiceUnavailableException"
    assert response.json["error"]["code"] == str(response.status)
    assert attempts(bedrock) == [(region, 200)], (
        "Bedrock has worked for it, so it is not asked again"
    )


def test_an_answer_too_large_to_be_held_is_an_aborted_transfer(gateway, bedrock, region):
    bedrock.pace(response_bytes=8_000_000)
    bedrock.fault("cut", region=region)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        post(gateway, FIRST[region])
    assert attempts(bedrock) == [(region, 200)]


@pytest.mark.parametrize("kind", ["exception", "corrupt_frame"])
def test_what_is_wrong_inside_a_stream_is_passed_on_as_it_is(gateway, bedrock, region, kind):
    bedrock.fault(kind, after_events=2, region=region)
    expected = direct.ask(bedrock, region, CLAUDE, "converse-stream")
    bedrock.quiet_log()
    bedrock.clear_log()
    response = post(gateway, FIRST[region], "converse-stream")
    assert response.body == expected.body and len(response.body) > 200
    assert attempts(bedrock) == [(region, 200)]


@pytest.mark.parametrize(
    "operation, kind",
    [("converse", "hang"), ("converse-stream", "hang"), ("converse-stream", "silent_start")],
)
def test_a_client_that_gives_up_ends_its_upstream_request(
    gateway, bedrock, region, operation, kind
):
    bedrock.fault(kind, region=region)
    with pytest.raises(TimeoutError):
        post(gateway, FIRST[region], operation, timeout=0.5)
    gone_ms = time.time() * 1000
    (entry,) = bedrock.quiet_log()
    assert (
        entry["ended"] == "client_gone"
        and entry["client_gone_unix_ms"] - gone_ms < GONE_SECONDS * 1000
    )


def test_a_client_that_leaves_in_mid_stream_ends_its_upstream_request(gateway, bedrock):
    bedrock.pace(events=1000, interval_ms=20, operation="converse-stream")
    leaving = connection(gateway.url)
    response = send(leaving, "both", "converse-stream")
    assert response.read(200)
    response.close()
    leaving.close()
    gone_ms = time.time() * 1000
    (entry,) = bedrock.quiet_log()
    assert (
        entry["ended"] == "client_gone"
        and entry["client_gone_unix_ms"] - gone_ms < GONE_SECONDS * 1000
    )
    assert len(entry["frames_unix_ms"]) < 500 and not entry["usage_reported"]


# Regions that refuse connections. Envoy leaves such an address alone for some seconds afterwards, so each of these
# gateways meets one such region only.


@pytest.fixture(
    params=[(WEST, "http"), (WEST, "tls"), (EAST, "http"), (EAST, "tls")],
    ids="-".join,
    scope="module",
)
def refused(request, shared_emulator):
    """A region and a gateway that nobody else uses."""
    region, upstream = request.param
    at = Region(shared_emulator if upstream == "http" else None)
    with Gateway(
        config(deployments(at)), upstreams=shared_emulator if upstream == "tls" else None
    ) as running:
        yield running, region


def test_a_region_that_refuses_connections_costs_milliseconds(refused, bedrock, operation):
    running, region = refused
    bedrock.fault("refused", region=region)
    kept = connection(running.url)
    took = []
    for _ in range(20):
        started = time.monotonic()
        response = send(kept, FIRST[region], operation)
        assert response.status == 200 and OTHER[region].encode() in response.read()
        took.append(time.monotonic() - started)
    kept.close()
    # Two seconds are the bound of a connection attempt, 50 ms that of the pause before the next.
    assert sorted(took)[len(took) // 2] < 0.5, took
    assert attempts(bedrock) == [(OTHER[region], 200)] * 20


def test_when_every_region_refuses_the_client_gets_a_typed_503(refused, bedrock, operation):
    running, _ = refused
    bedrock.fault("refused", region=WEST)
    bedrock.fault("refused", region=EAST)
    response = post(running, "both", operation)
    assert (response.status, response.error_type) == (503, "ServiceUnavailableException")
    assert (
        response.json["error"]["code"] == "503"
        and response.json["message"] == response.json["error"]["message"]
    )
    assert response.headers["content-type"] == "application/json"


def test_a_request_that_takes_too_long_is_a_typed_504(shared_emulator, bedrock):
    bedrock.fault("hang")
    with Gateway(
        config(deployments(Region(shared_emulator)), litellm_settings={"request_timeout": 1})
    ) as impatient:
        for operation in ["converse", "converse-stream"]:
            response = post(impatient, "both", operation)
            assert (response.status, response.error_type) == (504, "ModelTimeoutException")
            assert response.json["error"]["code"] == "504"
        assert len(bedrock.quiet_log()) == 2

"""Answers by which an upstream could steer the gateway, or speak for it."""

import http.client

import pytest

from clients import connection, curl, post, question, send
from deployments import CLAUDE, WEST
from gateway import KEY, Gateway, config
from hostile import OK, SERVICE_UNAVAILABLE, HostileUpstream

RESERVED = {
    "x-eb-retry": "1",
    "x-eb-rejected": "1",
    "x-eb-anything": "1",
    "x-litellm-call-id": "forged",
    "x-litellm-response-cost": "0",
    "x-litellm-anything": "1",
}
TIMEOUT_SECONDS = 2


@pytest.fixture(params=["converse", "converse-stream"])
def operation(request):
    return request.param


@pytest.fixture(scope="module")
def hostile():
    with HostileUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def exposed(hostile):
    """A gateway whose only deployment is at the hostile upstream, with two retries."""
    parameters = {
        "model": f"bedrock/{CLAUDE}",
        "aws_region_name": WEST,
        "aws_bedrock_runtime_endpoint": hostile.url,
    }
    text = config(
        [("m", parameters)], litellm_settings={"request_timeout": TIMEOUT_SECONDS, "num_retries": 2}
    )
    with Gateway(text) as running:
        yield running


@pytest.fixture
def upstream(hostile, exposed):
    """The hostile upstream; a healthy request must still succeed after the test."""
    hostile.set(OK)
    yield hostile
    hostile.set(OK)
    assert post(exposed, "m").status == 200


def assert_only_ours(headers):
    """The client sees no reserved header except those that the gateway adds, once each."""
    names = [name.lower() for name in headers]
    assert not [name for name in names if name.startswith("x-eb-")]
    assert names.count("x-litellm-call-id") == 1
    assert headers["x-litellm-call-id"] != "forged"
    assert headers["x-litellm-anything"] is None


@pytest.mark.parametrize("status", [200, 400])
def test_reserved_headers_of_an_answer_neither_cause_retries_nor_reach_the_client(
    gateway, bedrock, operation, status
):
    bedrock.fault("altered", status=status, headers=RESERVED)
    response = post(gateway, "west-first", operation)
    assert response.status == status
    assert_only_ours(response.headers)
    assert len(bedrock.quiet_log()) == 1


def test_reserved_headers_of_a_retryable_answer_change_nothing(gateway, bedrock, operation):
    bedrock.fault("altered", status=503, headers={**RESERVED, "x-eb-retry": "0"})
    response = post(gateway, "west-first", operation)
    assert response.status == 503
    assert_only_ours(response.headers)
    assert len(bedrock.quiet_log()) == 3


def test_names_in_capitals_and_repeated_headers_are_removed(exposed, upstream, operation):
    forged = b"X-EB-Retry: 1\r\nx-eb-retry: 1\r\nX-LITELLM-CALL-ID: forged\r\n" * 2
    upstream.set(OK.replace(b"content-type", forged + b"content-type"))
    response = post(exposed, "m", operation)
    assert (response.status, upstream.requests) == (200, 1)
    assert_only_ours(response.headers)


def test_reserved_trailers_do_not_reach_the_client(over_tls, bedrock, operation):
    bedrock.fault("altered", trailers={**RESERVED, "x-amzn-checksum": "kept"})
    done = curl(
        *("--http2-prior-knowledge", "-i", "--output", "-", "-H", f"authorization: Bearer {KEY}"),
        *("--data", question("hi").decode(), f"{over_tls.url}/model/west-first/{operation}"),
    )
    assert b" 200" in done.stdout and b"x-amzn-checksum: kept" in done.stdout
    assert b"x-eb-" not in done.stdout and b"forged" not in done.stdout


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        OK.replace(b"200 OK", b"600 Unknown"),
        OK.replace(b"200 OK", b"999 Unknown"),
    ],
)
def test_a_status_that_no_answer_can_have_becomes_a_typed_502(exposed, upstream, operation, answer):
    upstream.set(answer)
    response = post(exposed, "m", operation)
    assert (response.status, response.error_type) == (502, "ServiceUnavailableException")
    assert response.json["error"]["code"] == "502"
    assert upstream.requests == 1, "the only deployment was retried"


@pytest.mark.parametrize("status", [b"100 Continue", b"102 Processing", b"103 Early Hints"])
@pytest.mark.parametrize("count", [1, 1000])
def test_interim_answers_are_discarded(exposed, upstream, operation, status, count):
    interim = b"HTTP/1.1 " + status + b"\r\nx-eb-retry: 1\r\nlink: a\r\n\r\n"
    upstream.set(interim * count, OK)
    response = post(exposed, "m", operation)
    assert (response.status, response.body, upstream.requests) == (200, b"{}", 1)
    assert response.headers["link"] is None
    assert_only_ours(response.headers)


def test_after_an_interim_answer_envoy_does_not_retry(exposed, upstream, operation):
    upstream.set(b"HTTP/1.1 103 Early Hints\r\n\r\n", SERVICE_UNAVAILABLE)
    assert (post(exposed, "m", operation).status, upstream.requests) == (503, 1)


@pytest.mark.parametrize("status", [b"100 Continue", b"103 Early Hints"])
def test_endless_interim_answers_end_with_the_time_limit(exposed, upstream, operation, status):
    upstream.set(endless=(b"HTTP/1.1 " + status + b"\r\n\r\n") * 100)
    response = post(exposed, "m", operation)
    assert (response.status, response.error_type) == (408, "ModelTimeoutException")


def test_an_interim_answer_within_a_body_cuts_it(exposed, upstream, operation):
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"
    upstream.set(chunked, b"HTTP/1.1 100 Continue\r\n\r\n", b"0\r\n\r\n")
    opened = connection(exposed.url)
    response = send(opened, "m", operation)
    if operation == "converse":
        assert response.status == 502
    else:
        with pytest.raises(http.client.IncompleteRead):
            response.read()
    opened.close()

"""Requests that are sent with an API key: their bodies are streamed to Bedrock, not held."""

import json
import socket
import time

import pytest

from clients import post, question
from deployments import EAST, WEST
from gateway import KEY

API_KEY = {"api_key": "os.environ/BEDROCK_API_KEY"}
MEBIBYTE = 1 << 20
DEADLINE_SECONDS = 30


def api_keys(at):
    return [
        ("api-keys", at(WEST, order=1, **API_KEY)),
        ("api-keys", at(EAST, order=2, **API_KEY)),
        ("mixed", at(WEST, order=1, **API_KEY)),
        ("mixed", at(EAST, order=2)),
    ]


@pytest.fixture(scope="module", params=["http", "tls"])
def running(request, gateway_over):
    with gateway_over(request.param, api_keys) as gateway:
        yield gateway


@pytest.fixture
def gateway(running, bedrock):
    return running


class Upload:
    """A Converse request whose body is sent piece by piece."""

    def __init__(self, gateway, model, body):
        self.body = body
        self.raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=DEADLINE_SECONDS)
        head = (
            f"POST /model/{model}/converse HTTP/1.1\r\nhost: localhost\r\n"
            f"authorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.raw.sendall(head.encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()

    def send(self, size):
        piece, self.body = self.body[:size], self.body[size:]
        self.raw.sendall(piece)

    def status(self):
        """Sends the rest, and returns the status of the response."""
        self.send(len(self.body))
        return int(self.raw.recv(65536).split(b" ")[1])


def large(size=MEBIBYTE):
    return question("x" * size)


def in_flight(bedrock):
    """How many requests Bedrock is receiving, once it is at least one."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (count := bedrock.in_flight()):
        assert time.monotonic() < deadline, "no request has reached Bedrock"
        time.sleep(0.01)
    return count


def test_a_request_reaches_bedrock_before_its_body_is_complete(gateway, bedrock):
    body = large()
    with Upload(gateway, "mixed", body) as held, Upload(gateway, "api-keys", body) as streamed:
        for upload in (held, streamed):
            upload.send(1000)
        assert in_flight(bedrock) == 1
        assert streamed.status() == 200
        [entry] = bedrock.quiet_log()
        assert (entry["region"], entry["body_bytes"]) == (WEST, len(body))
        assert held.status() == 200
    assert [entry["body_bytes"] for entry in bedrock.quiet_log()] == [len(body)] * 2


@pytest.mark.parametrize("size", [1, 255 << 10, 257 << 10, MEBIBYTE, 20 * MEBIBYTE])
def test_a_streamed_request_is_retried_with_its_whole_body(gateway, bedrock, size):
    bedrock.fault("status", count=1, status=503, error_type="ServiceUnavailableException")
    body = large(size)
    assert post(gateway, "api-keys", body=body).status == 200
    entries = bedrock.quiet_log()
    assert [(entry["region"], entry["status"]) for entry in entries] == [(WEST, 503), (EAST, 200)]
    assert {entry["body_sha256"] for entry in entries} == {entries[0]["body_sha256"]}
    assert {entry["body_bytes"] for entry in entries} == {len(body)}


@pytest.mark.parametrize("kind", ["refused", "reset", "reset_after_request_headers"])
def test_an_upload_that_bedrock_breaks_off_goes_to_the_next_region(gateway, bedrock, kind):
    bedrock.fault(kind, region=WEST)
    body = large(4 * MEBIBYTE)
    assert post(gateway, "api-keys", body=body).status == 200
    entry = bedrock.quiet_log()[-1]
    assert (entry["region"], entry["status"], entry["body_bytes"]) == (EAST, 200, len(body))


def test_streamed_and_held_requests_get_the_same_headers(gateway, bedrock):
    headers = {"x-amzn-bedrock-trace": "ENABLED", "accept": "application/json"}
    for model in ("api-keys", "mixed"):
        assert post(gateway, model, body=large(), headers=headers).status == 200
    sent = [
        sorted(name for name, _ in entry["headers"] if not name.startswith("x-request"))
        for entry in bedrock.quiet_log()
    ]
    assert sent[0] == sent[1]


def test_bedrock_learns_the_length_of_a_chunked_body(gateway, bedrock):
    body = large(300 << 10)
    pieces = (body[start : start + 10_000] for start in range(0, len(body), 10_000))
    assert post(gateway, "api-keys", body=pieces).status == 200
    [entry] = bedrock.quiet_log()
    assert dict(entry["headers"])["content-length"] == str(len(body))


def test_a_streamed_body_may_be_refused_by_bedrock(gateway, bedrock):
    bedrock.fault("status", status=400, error_type="ValidationException")
    response = post(gateway, "api-keys", body=large())
    assert (response.status, response.error_type) == (400, "ValidationException")
    assert len(bedrock.quiet_log()) == 1


def test_a_client_that_leaves_during_an_upload_has_a_row_without_a_cost(gateway, bedrock):
    with Upload(gateway, "api-keys", large()) as upload:
        upload.send(1000)
        assert in_flight(bedrock) == 1
    bedrock.quiet_log()
    [row] = gateway.wait(lambda: undispatched_rows(gateway) or None)
    assert (row["spend"], row["total_tokens"], row["http_status"]) == (0, 0, None)


def undispatched_rows(gateway):
    rows = map(json.loads, gateway.access_log().splitlines())
    return [row for row in rows if row.get("requested_model") == "api-keys"]

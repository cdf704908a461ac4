"""A refusal reaches a client that is still uploading, as a typed error, after one request.

This holds for every size and every version of HTTP. Envoy alone would close the connection or reset
the stream during the upload.
"""

import concurrent.futures
import http.client
import itertools
import json
import pathlib
import socket
import ssl
import threading
import time

import boto3
import botocore
import botocore.exceptions
import httpx
import pytest
from botocore.config import Config

from clients import connection, curl, question
from deployments import WEST
from gateway import KEY

MEGABYTE = 1_000_000
SIZES = [1, 5, 20, 30, 40]
# The default of `max_request_size_mb`.
LIMIT_BYTES = 32 * 1024 * 1024
SETTLED_SECONDS = 20
READ_SECONDS = 60

BEARER = {"authorization": f"Bearer {KEY}"}
WRONG = {"authorization": "Bearer sk-wrong"}
# Name: headers, method, path, status, error type.
CASES = {
    "wrong key": (WRONG, "POST", "/model/both/invoke", 401, "UnrecognizedClientException"),
    "no key": ({}, "POST", "/model/both/invoke", 401, "UnrecognizedClientException"),
    "unknown model": (BEARER, "POST", "/model/no-such-model/invoke", 400, "ValidationException"),
    "unknown operation": (BEARER, "POST", "/model/both/nonsense", 404, "UnknownOperationException"),
    "unknown path": ({}, "POST", "/nowhere", 404, "UnknownOperationException"),
    "wrong method": (BEARER, "PUT", "/model/both/invoke", 405, "UnknownOperationException"),
    "lookup with a body": (WRONG, "GET", "/spend/logs", 401, "UnrecognizedClientException"),
}
TOO_LARGE = (BEARER, "POST", "/model/both/invoke", 413, "ValidationException")

numbers = itertools.count()


def cases(size: int) -> dict:
    """The cases at a size in megabytes: all at 5 MB, the common ones at every size."""
    if size * MEGABYTE > LIMIT_BYTES:
        return {**CASES, "too large": TOO_LARGE}
    return CASES if size == 5 else {name: CASES[name] for name in ("wrong key", "unknown model")}


def body_of(size: int) -> bytes:
    return b"x" * (size * MEGABYTE)


def chunks_of(size: int):
    piece = b"x" * 100_000
    for _ in range(size * MEGABYTE // len(piece)):
        yield piece


def call_id() -> str:
    return f"refusal-{next(numbers)}"


def rows(gateway, id: str) -> list:
    """The rows of a call id, once there are any."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while time.monotonic() < deadline:
        lines = [json.loads(line) for line in gateway.access_log().splitlines() if id in line]
        if found := [line for line in lines if line["request_id"] == id]:
            return found
        time.sleep(0.05)
    return []


def assert_one_row(gateway, id, status, error_type):
    """The client sent one request, and its row says how it was refused."""
    (row,) = rows(gateway, id)
    assert (row["status"], row["http_status"], row["error_class"]) == (
        "failure",
        status,
        error_type,
    )


# One function for each way to send a request. Each returns the status, error type and body.


def send_by_httpx(gateway, ca_file, headers, method, path, size, *, has_length=True):
    with httpx.Client(
        http2=True, verify=ssl.create_default_context(cafile=str(ca_file)), timeout=READ_SECONDS
    ) as client:
        # Always in pieces: httpcore copies the rest of a piece with each frame.
        length = {"content-length": str(size * MEGABYTE)} if has_length else {}
        response = client.request(
            method, gateway.tls_url + path, content=chunks_of(size), headers={**headers, **length}
        )
        assert response.http_version == "HTTP/2"
        return response.status_code, response.headers["x-amzn-errortype"], response.content


def send_by_httpx_without_a_length(*arguments):
    return send_by_httpx(*arguments, has_length=False)


def send_by_curl(url, options, headers, method, path, size):
    fields = itertools.chain.from_iterable(
        ("-H", f"{name}: {value}") for name, value in headers.items()
    )
    done = curl(
        *options,
        "-i",
        "-X",
        method,
        "-H",
        "content-type: application/json",
        *fields,
        "--data-binary",
        "@-",
        url + path,
        stdin=body_of(size),
    )
    *_, head, body = done.stdout.split(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    found = dict(line.lower().split(": ", 1) for line in lines)
    types = {each.lower(): each for *_, each in (*CASES.values(), TOO_LARGE)}
    return int(status.split()[1]), types[found["x-amzn-errortype"]], body


def send_by_curl_h1(gateway, _, *request):
    return send_by_curl(gateway.url, ["--http1.1", "-H", "Expect:"], *request)


def send_by_curl_h1_after_100_continue(gateway, _, *request):
    return send_by_curl(gateway.url, ["--http1.1", "-H", "Expect: 100-continue"], *request)


def send_by_curl_h1_in_chunks(gateway, _, *request):
    return send_by_curl(
        gateway.url, ["--http1.1", "-H", "Expect:", "-H", "transfer-encoding: chunked"], *request
    )


def send_by_curl_h1_over_tls(gateway, ca_file, *request):
    return send_by_curl(gateway.tls_url, ["--http1.1", "--cacert", ca_file], *request)


def send_by_curl_h2c(gateway, _, *request):
    return send_by_curl(gateway.url, ["--http2-prior-knowledge"], *request)


def send_by_curl_h2(gateway, ca_file, *request):
    return send_by_curl(gateway.tls_url, ["--http2", "--cacert", ca_file], *request)


def send_all_then_read(gateway, _, headers, method, path, size):
    """Does not read before everything is sent, like most clients."""
    sender = connection(gateway.url, READ_SECONDS)
    try:
        sender.request(method, path, body_of(size), headers)
        response = sender.getresponse()
        return response.status, response.headers["x-amzn-errortype"], response.read()
    finally:
        sender.close()


def send_chunks_then_read(gateway, _, headers, method, path, size):
    sender = connection(gateway.url, READ_SECONDS)
    try:
        sender.request(method, path, chunks_of(size), headers, encode_chunked=True)
        response = sender.getresponse()
        return response.status, response.headers["x-amzn-errortype"], response.read()
    finally:
        sender.close()


SENDERS = [
    send_by_httpx,
    send_by_httpx_without_a_length,
    send_by_curl_h1,
    send_by_curl_h1_after_100_continue,
    send_by_curl_h1_in_chunks,
    send_by_curl_h1_over_tls,
    send_by_curl_h2c,
    send_by_curl_h2,
    send_all_then_read,
    send_chunks_then_read,
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.__name__)
def test_every_refusal_arrives_after_one_request(over_http, bedrock, ca_file, sender, size):
    for name, (headers, method, path, status, error_type) in cases(size).items():
        id = call_id()
        found = sender(over_http, ca_file, {**headers, "x-litellm-call-id": id}, method, path, size)
        assert found[:2] == (status, error_type), name
        assert json.loads(found[2])["error"]["code"] == str(status), name
        assert_one_row(over_http, id, status, error_type)
    assert bedrock.quiet_log() == []
    # Envoy itself refused nothing: its limits are above the filter's, however fast the client is.
    assert over_http.stats("gateway.downstream_rq_too_large") == {
        "http.gateway.downstream_rq_too_large": 0
    }


# boto3, with its default retries.


@pytest.fixture(params=["http", "TLS"])
def caller(request, over_http, ca_file, monkeypatch):
    """Makes a client with or without a key."""

    def make(key):
        given = {"region_name": WEST, "config": Config(read_timeout=READ_SECONDS)}
        if request.param == "http":
            given |= {
                "endpoint_url": f"{over_http.url}/bedrock",
                "aws_access_key_id": key,
                "aws_secret_access_key": "any",
            }
        else:
            monkeypatch.setenv("AWS_CA_BUNDLE", str(ca_file))
            given |= {"endpoint_url": f"{over_http.tls_url}/bedrock"}
            if key:
                monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
        if key is None:
            monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
            given["config"] = given["config"].merge(Config(signature_version=botocore.UNSIGNED))
        return boto3.session.Session().client("bedrock-runtime", **given)

    return make


@pytest.mark.parametrize("size", SIZES)
def test_boto3_raises_the_typed_exception_at_once(caller, over_http, bedrock, size):
    refused = [
        ("sk-wrong", "both", 401, "UnrecognizedClientException"),
        (None, "both", 401, "UnrecognizedClientException"),
        (KEY, "no-such-model", 400, "ValidationException"),
    ]
    if size * MEGABYTE > LIMIT_BYTES:
        refused.append((KEY, "both", 413, "ValidationException"))
    for key, model, status, error_type in refused:
        client, id = caller(key), call_id()
        client.meta.events.register(
            "before-call.bedrock-runtime",
            lambda params, id=id, **_: params["headers"].update({"x-litellm-call-id": id}),
        )
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            client.invoke_model(modelId=model, body=body_of(size))
        error = caught.value.response
        assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == (
            error_type,
            status,
        )
        assert error["ResponseMetadata"]["RetryAttempts"] == 0
        assert_one_row(over_http, id, status, error_type)
    assert bedrock.quiet_log() == []


# Other events during an upload.


def test_a_connection_stays_usable_after_a_refused_upload(over_http, bedrock):
    kept = connection(over_http.url, READ_SECONDS)
    for headers, method, path, status, _ in (CASES["wrong key"], CASES["wrong method"], TOO_LARGE):
        kept.request(method, path, body_of(40), headers)
        response = kept.getresponse()
        assert (response.status, response.headers["connection"]) == (
            status,
            None,
        ) and response.read()
        kept.request("POST", "/model/both/converse", question("hello"), BEARER)
        response = kept.getresponse()
        assert response.read() and response.status == 200
    kept.close()
    assert len(bedrock.quiet_log()) == 3


def test_a_stalled_upload_is_refused_too(over_http, bedrock):
    """Like a client that streams in both directions, it sends no more until it has a response."""
    id = call_id()
    with socket.create_connection(("127.0.0.1", over_http.port), timeout=READ_SECONDS) as raw:
        raw.sendall(
            b"POST /model/both/invoke HTTP/1.1\r\nhost: gateway\r\ntransfer-encoding: chunked\r\n"
            b"x-litellm-call-id: " + id.encode() + b"\r\n\r\n5\r\nhello\r\n"
        )
        response = http.client.HTTPResponse(raw, method="POST")
        response.begin()
        assert response.status == 401 and json.loads(response.read())["error"]["code"] == "401"
    assert_one_row(over_http, id, 401, "UnrecognizedClientException")
    assert bedrock.quiet_log() == []


def test_the_row_shows_that_a_client_disconnected_before_its_refusal(over_http, bedrock):
    id = call_id()
    with socket.create_connection(("127.0.0.1", over_http.port), timeout=READ_SECONDS) as raw:
        raw.sendall(
            b"POST /model/both/invoke HTTP/1.1\r\nhost: gateway\r\ncontent-length: 10000000\r\n"
            b"x-litellm-call-id: " + id.encode() + b"\r\n\r\n" + b"x" * 1_000_000
        )
    assert_one_row(over_http, id, None, "UnrecognizedClientException")


def test_an_endless_upload_is_cut_off(over_http, bedrock):
    """Without a key the gateway drains at most 48 MiB before it closes the connection."""
    id, sent = call_id(), 0
    with socket.create_connection(("127.0.0.1", over_http.port), timeout=READ_SECONDS) as raw:
        raw.sendall(
            b"POST /model/both/invoke HTTP/1.1\r\nhost: gateway\r\ntransfer-encoding: chunked\r\n"
            b"x-litellm-call-id: " + id.encode() + b"\r\n\r\n"
        )
        piece = b"%x\r\n%s\r\n" % (MEGABYTE, b"x" * MEGABYTE)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while sent < 400:
                raw.sendall(piece)
                sent += 1
    assert 48 <= sent < 100, "megabytes sent, including the kernel's buffers"
    assert_one_row(over_http, id, 401, "UnrecognizedClientException")
    assert bedrock.quiet_log() == []


def resident_bytes(process) -> int:
    lines = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize(
    "sender", [send_all_then_read, send_by_curl_h2c], ids=["HTTP/1.1", "HTTP/2"]
)
def test_refused_uploads_cost_no_memory(over_http, bedrock, ca_file, sender):
    """Twenty uploads of 40 MB at once: buffered up to the body limit they would take 600 MB."""

    def upload(number):
        headers, method, path, status, _ = TOO_LARGE if number % 2 else CASES["wrong key"]
        assert sender(over_http, ca_file, headers, method, path, 40)[0] == status

    upload(0)
    before, peak, is_over = resident_bytes(over_http.process), 0, threading.Event()

    def watch():
        nonlocal peak
        while not is_over.wait(0.02):
            peak = max(peak, resident_bytes(over_http.process))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            list(pool.map(upload, range(20)))
    finally:
        is_over.set()
        watcher.join()
    assert peak - before < 300 * MEGABYTE
    assert bedrock.quiet_log() == []

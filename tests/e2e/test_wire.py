"""Hostile and malformed requests. None goes upstream; Envoy's errors look like the gateway's.

The keys, paths, methods and headers are those of tests/scenarios, except where Envoy itself acts.
"""

import json
import socket

import h2.config
import h2.connection
import h2.events
import pytest

from clients import (
    Response,
    anthropic,
    connection,
    exchange,
    exchange_bytes,
    post,
    question,
    read_until_silent,
    responses,
)
from deployments import EAST, WEST
from emulator import ROOT
from gateway import KEY

AUTH = f"authorization: Bearer {KEY}\r\n".encode()
BODY = question("hello")
LENGTH = b"content-length: %d\r\n" % len(BODY)


def request(
    path=b"/model/both/converse",
    headers=AUTH + LENGTH,
    body=BODY,
    *,
    method=b"POST",
    version=b"HTTP/1.1",
    host=b"host: gateway\r\n",
) -> bytes:
    return method + b" " + path + b" " + version + b"\r\n" + host + headers + b"\r\n" + body


def is_in_both_forms(response: Response) -> bool:
    """AWS clients read `message` and the error type, LiteLLM clients read `error`."""
    error = response.json["error"]
    return (
        response.error_type.endswith("Exception")
        and response.headers["content-type"] == "application/json"
        and error["code"] == str(response.status)
        and error["message"] == response.json["message"]
        and error["type"]
        and error["param"] is None
    )


def first(gateway, sent: bytes) -> Response:
    response = exchange(gateway, sent)
    assert response, "the gateway sent no response"
    return response


def test_the_request_that_the_others_are_derived_from_works(gateway, bedrock):
    assert first(gateway, request()).status == 200
    assert len(bedrock.quiet_log()) == 1


# The tables.


def table(name: str, accepted: bool) -> list:
    """The rows of a table that Envoy passes to the filter."""
    rows = json.loads((ROOT / "tests" / "scenarios" / f"{name}.json").read_text())
    return [
        row for row in rows if row.get("envoy", True) and (row.get("status") == 200) == accepted
    ]


def row_id(row: dict) -> str:
    return row.get("name") or row.get("path") or row["method"]


def header_lines(row: dict) -> bytes:
    values = {"{key}": KEY, "{truncated}": KEY[:-1], "{upper}": KEY.upper(), "{wrong}": "sk-guess"}
    lines = ""
    for name, value in row["headers"]:
        for placeholder, replacement in values.items():
            value = value.replace(placeholder, replacement)
        lines += f"{name}: {value}\r\n"
    return lines.encode("latin-1")


# Keys.


@pytest.mark.parametrize("row", table("keys", accepted=False), ids=row_id)
@pytest.mark.parametrize(
    "path", [b"/model/one/converse", b"/bedrock/model/nobody/converse-stream", b"/model/x"]
)
def test_a_request_without_the_key_is_refused_before_anything_else(over_http, bedrock, row, path):
    response = first(over_http, request(path, header_lines(row) + LENGTH))
    assert (response.status, response.error_type) == (row["status"], "UnrecognizedClientException")
    assert is_in_both_forms(response)
    assert KEY.encode() not in response.body and b"nobody" not in response.body
    assert bedrock.quiet_log() == []


@pytest.mark.parametrize("row", table("keys", accepted=True), ids=row_id)
def test_the_key_is_accepted_wherever_clients_put_it(over_http, bedrock, row):
    assert first(over_http, request(headers=header_lines(row) + LENGTH)).status == 200
    assert len(bedrock.quiet_log()) == 1


def test_a_key_in_the_query_is_ignored(over_http, bedrock):
    path = f"/model/both/converse?key={KEY}&api_key={KEY}".encode()
    assert first(over_http, request(path, LENGTH)).status == 401
    assert bedrock.quiet_log() == []


def test_100_continue_is_sent_before_the_key_is_checked(gateway, bedrock):
    """Envoy sends it before any filter runs; the refusal follows the body."""
    headers = b"authorization: Bearer wrong\r\nexpect: 100-continue\r\n" + LENGTH
    received = exchange_bytes(gateway, request(headers=headers, body=b""), BODY)
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401")
    headers = AUTH + b"expect: 100-continue\r\n" + LENGTH
    received = exchange_bytes(gateway, request(headers=headers, body=b""), BODY)
    assert received.startswith(b"HTTP/1.1 100 Continue")
    assert len(bedrock.quiet_log()) == 1


def test_a_refusal_over_http2_is_complete_even_if_the_body_never_arrives(gateway, bedrock):
    """RFC 9113 §8.1: a complete response, then RST_STREAM with NO_ERROR for the rest of the body.

    The gateway sends it once the client has been silent for a while.
    """
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as raw:
        peer = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        )
        peer.initiate_connection()
        peer.send_headers(
            1,
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", "/model/both/converse"),
                (":authority", "gateway"),
                ("authorization", "Bearer wrong"),
            ],
        )
        raw.sendall(peer.data_to_send())
        status, body, reset = None, b"", None
        for event in peer.receive_data(read_until_silent(raw, seconds=8)):
            match event:
                case h2.events.ResponseReceived():
                    status = dict(event.headers)[":status"]
                case h2.events.DataReceived():
                    body += event.data
                case h2.events.StreamReset():
                    reset = event.error_code
    assert status == "401" and b'"code":"401"' in body and reset in (0, None)
    assert bedrock.quiet_log() == []


# Paths, methods and headers.


@pytest.mark.parametrize("row", table("paths", accepted=False), ids=row_id)
def test_no_other_path_reaches_bedrock(over_http, bedrock, row):
    path = row["path"].encode("latin-1")
    without_key = 401 if row.get("guarded", True) else row["status"]
    for headers, status in ((AUTH, row["status"]), (b"", without_key)):
        response = exchange(over_http, request(path, headers + LENGTH))
        if any(not 0x21 <= byte <= 0x7E for byte in path) or b"#" in path:
            # Envoy's codec refuses the request, with or without a response.
            assert response is None or 400 <= response.status < 500
            assert response is None or not response.body or is_in_both_forms(response)
        else:
            assert response.status == status and is_in_both_forms(response)
    assert bedrock.quiet_log() == []


def test_a_path_with_a_long_alias_does_not_reach_bedrock(over_http, bedrock):
    response = first(over_http, request(b"/model/" + b"a" * 3000 + b"/converse"))
    assert response.status == 400 and is_in_both_forms(response)
    assert bedrock.quiet_log() == []


def body_for(path: str) -> bytes:
    if path.endswith("count-tokens"):
        return b'{"input":{"converse":{"messages":[]}}}'
    return anthropic("hello") if "/invoke" in path else BODY


@pytest.mark.parametrize("row", table("paths", accepted=True), ids=row_id)
def test_every_spelling_of_a_path_reaches_the_same_model(over_http, bedrock, row):
    body = body_for(row["upstream"])
    headers = AUTH + b"content-length: %d\r\n" % len(body)
    assert first(over_http, request(row["path"].encode("latin-1"), headers, body)).status == 200
    (entry,) = bedrock.quiet_log()
    assert entry["path"] == row["upstream"]


@pytest.mark.parametrize(
    "path",
    [
        b"http://elsewhere.example/model/one/converse",
        b"http://169.254.169.254:1/bedrock/model/one/converse",
    ],
)
def test_the_host_of_an_absolute_target_does_not_affect_where_the_request_goes(
    over_http, bedrock, path
):
    assert first(over_http, request(path)).status == 200
    (entry,) = bedrock.quiet_log()
    assert entry["path"] == "/model/us.anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse"


def test_the_path_of_an_options_request_for_the_server_does_not_reach_bedrock(over_http, bedrock):
    response = first(over_http, request(b"*"))
    assert response.status in (400, 404) and is_in_both_forms(response)
    assert bedrock.quiet_log() == []


@pytest.mark.parametrize("row", table("methods", accepted=False), ids=row_id)
def test_no_other_method_reaches_bedrock(over_http, bedrock, row):
    response = first(over_http, request(method=row["method"].encode()))
    assert response.status == row["status"]
    assert bedrock.quiet_log() == []


@pytest.mark.parametrize("method", [b"CONNECT", b"BREW"])
def test_a_method_that_envoy_handles_itself_does_not_reach_bedrock(over_http, bedrock, method):
    assert 400 <= first(over_http, request(method=method)).status < 500
    assert bedrock.quiet_log() == []


def test_bedrock_receives_only_the_headers_that_are_forwarded(gateway, bedrock):
    rows = table("headers", accepted=False)
    sent = "".join(f"{row['header']}: {row['value']}\r\n" for row in rows).encode()
    first(gateway, request(headers=AUTH + LENGTH + sent))
    (entry,) = bedrock.quiet_log()
    received = [tuple(header) for header in entry["headers"]]
    for row in rows:
        assert ((row["header"], row["value"]) in received) == row["forwarded"], row


# Malformed HTTP.


SMUGGLED = (
    b"POST /model/both/converse HTTP/1.1\r\nhost: gateway\r\n" + AUTH + b"content-length: 0\r\n\r\n"
)


@pytest.mark.parametrize(
    "raw",
    [
        request(
            headers=AUTH + LENGTH + b"transfer-encoding: chunked\r\n", body=b"0\r\n\r\n" + SMUGGLED
        ),
        request(headers=AUTH + b"content-length: 5\r\ncontent-length: 6\r\n"),
        request(headers=AUTH + b"content-length: 5, 6\r\n"),
        request(headers=AUTH + b"content-length: +5\r\n"),
        request(headers=AUTH + b"content-length: -1\r\n"),
        request(headers=AUTH + b"content-length: 0x10\r\n"),
        request(headers=AUTH + b"content-length: 99999999999999999999\r\n"),
        request(headers=AUTH + b"content-length : 5\r\n"),
        request(headers=AUTH + b"transfer-encoding : chunked\r\n"),
        request(headers=AUTH + b"transfer-encoding: xchunked\r\n"),
        request(headers=AUTH + b"transfer-encoding: identity\r\n"),
        request(headers=AUTH + b"transfer-encoding: chunked, identity\r\n"),
        request(headers=AUTH + b"transfer-encoding: chunked\r\n", body=b"zz\r\nhello\r\n0\r\n\r\n"),
        request(headers=AUTH + b"transfer-encoding: chunked\r\n", body=b"5\r\nhelloXX0\r\n\r\n"),
        request(
            headers=AUTH + b"transfer-encoding: chunked\r\n",
            body=b"fffffffffffffffff\r\nx\r\n0\r\n\r\n",
        ),
        request(headers=AUTH + LENGTH + b"x-null: a\0b\r\n"),
        request(headers=AUTH + LENGTH + b"x\0y: a\r\n"),
        request(headers=AUTH + LENGTH + b": empty name\r\n"),
        request(headers=AUTH + LENGTH + b"no colon\r\n"),
        request(headers=AUTH + LENGTH + b"bad name: x\r\n"),
        request(path=b"/model/both/converse\0"),
        request(path=b"/model/bo\xc3\xb6th/converse"),
        request(path=b"/model/both/con verse"),
        request(path=b"model/both/converse"),
        request(path=b"ftp://gateway/model/both/converse", host=b""),
        request(host=b""),
        request(host=b"host: a b\r\n"),
        request(version=b"HTTP/1.1 x"),
        request(version=b"HTTP/3.0"),
        request(version=b"HTTP/0.9"),
        request(version=b"http/1.1"),
        request(
            headers=AUTH + b"upgrade: websocket\r\nconnection: upgrade\r\n" + LENGTH, method=b"GET"
        ),
        b"\0\1\2\3",
        b"\r\n" * 5000 + b"x\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64,
    ],
)
def test_malformed_requests_do_not_reach_bedrock(over_http, bedrock, raw):
    response = exchange(over_http, raw)
    # Garbage that claims to be HTTP/2 gets no response, and some of Envoy's refusals have no body.
    assert response is None or response.status == 501 or 400 <= response.status < 500
    assert response is None or not response.body or is_in_both_forms(response)
    assert bedrock.quiet_log() == [] and post(over_http, "both").status == 200


def test_a_refused_body_is_not_read_as_the_next_request(gateway, bedrock):
    """The body holds a valid request."""
    hidden = request()
    headers = b"authorization: Bearer wrong\r\ncontent-length: %d\r\n" % len(hidden)
    received = exchange_bytes(gateway, request(headers=headers, body=hidden))
    assert [response.status for response in responses(received)] == [401]
    assert bedrock.quiet_log() == []


def test_pipelined_requests_are_answered_in_order(gateway, bedrock):
    received = exchange_bytes(
        gateway, request() + request(b"/model/no-such-model/converse") + request(), pause=0.3
    )
    assert [response.status for response in responses(received)] in ([200, 400, 200], [200, 400])


def test_headers_and_body_sent_in_pieces_are_one_request(gateway, bedrock):
    complete = request(
        headers=AUTH + b"transfer-encoding: chunked\r\n",
        body=b"%x;ext=1\r\n%s\r\n0\r\nx-trailer: 1\r\n\r\n" % (len(BODY), BODY),
    )
    pieces = [complete[i : i + 40] for i in range(0, len(complete), 40)]
    assert responses(exchange_bytes(gateway, *pieces, pause=0.005))[0].status == 200
    (entry,) = bedrock.quiet_log()
    assert entry["body_bytes"] == len(BODY) and "x-trailer" not in dict(entry["headers"])


def test_http_1_0_is_refused(gateway, bedrock):
    response = first(gateway, request(version=b"HTTP/1.0"))
    assert response.status == 426 and is_in_both_forms(response)
    assert bedrock.quiet_log() == []


@pytest.mark.parametrize(
    "headers",
    [
        b"x-large: " + b"a" * 70_000 + b"\r\n",
        b"".join(b"x-%d: 1\r\n" % number for number in range(200)),
    ],
)
def test_oversized_headers_are_refused_in_json(gateway, bedrock, headers):
    response = first(gateway, request(headers=AUTH + LENGTH + headers))
    assert response.status == 431 and is_in_both_forms(response)
    assert bedrock.quiet_log() == []


def test_an_incomplete_body_does_not_reach_bedrock(gateway, bedrock):
    with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
        raw.sendall(request(headers=AUTH + b"content-length: 1000\r\n", body=b"half"))
    with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
        raw.sendall(
            request(headers=AUTH + b"transfer-encoding: chunked\r\n", body=b"4\r\nhalf\r\n")
        )
    assert post(gateway, "both").status == 200
    assert len(bedrock.quiet_log()) == 1


def test_health_probes_need_no_key(gateway):
    for path in ["/health/liveliness", "/health/readiness"]:
        probe = connection(gateway.url)
        probe.request("GET", path)
        assert probe.getresponse().status == 200
        probe.close()


def test_responses_carry_no_headers_of_envoy(gateway, bedrock):
    bedrock.fault("status", status=429, region=WEST)
    bedrock.fault("status", status=429, region=EAST, count=1)
    for model, operation in [
        ("both", "converse"),
        ("both", "converse-stream"),
        ("no-such-model", "converse"),
    ]:
        response = post(gateway, model, operation)
        assert not [
            name
            for name in response.headers
            if name.lower().startswith(("x-envoy", "x-eb-", "server"))
        ]

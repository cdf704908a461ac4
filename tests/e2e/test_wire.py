"""Hostile and malformed requests. None goes upstream; Envoy's errors look like the gateway's."""

import socket

import h2.config
import h2.connection
import h2.events
import pytest

from clients import (
    Response,
    connection,
    exchange,
    exchange_bytes,
    post,
    question,
    read_until_silent,
    responses,
)
from deployments import EAST, WEST
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


# Keys.


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"authorization: \r\n",
        b"authorization: Bearer\r\n",
        b"authorization: Bearer \r\n",
        b"authorization: Bearer sk-wrong\r\n",
        b"authorization: Basic c2stMTIzNA==\r\n",
        f"authorization: {KEY}\r\n".encode(),
        f"authorization: Bearer {KEY}x\r\n".encode(),
        f"authorization: Bearer {KEY[:-1]}\r\n".encode(),
        f"authorization: Bearer {KEY.upper()}\r\n".encode(),
        AUTH + AUTH,
        AUTH + b"authorization: Bearer other\r\n",
        b"authorization: Bearer other\r\n" + AUTH,
        f"authorization: Bearer {KEY}, Bearer other\r\n".encode(),
        f"cookie: key={KEY}; token={KEY}\r\n".encode(),
        f"authorization: AWS4-HMAC-SHA256 Credential={KEY}\r\n".encode(),
        AUTH + b"x-litellm-api-key: other\r\n",
        b"x-api-key: \xff\xfe\r\n",
        f"proxy-authorization: Bearer {KEY}\r\n".encode(),
    ],
)
@pytest.mark.parametrize(
    "path", [b"/model/both/converse", b"/bedrock/model/no-such-model/converse-stream", b"/model/x"]
)
def test_a_request_without_the_key_is_refused_before_anything_else(
    over_http, bedrock, headers, path
):
    response = first(over_http, request(path, headers + LENGTH))
    assert (response.status, response.error_type) == (401, "UnrecognizedClientException")
    assert is_in_both_forms(response)
    assert KEY.encode() not in response.body and b"no-such-model" not in response.body
    assert bedrock.quiet_log() == []


@pytest.mark.parametrize(
    "headers",
    [
        AUTH,
        AUTH.replace(b"Bearer", b"bEARER"),
        f"x-litellm-api-key: {KEY}\r\n".encode(),
        f"x-litellm-api-key: Bearer {KEY}\r\nauthorization: Bearer other\r\n".encode(),
        f"x-api-key: {KEY}\r\n".encode(),
        f"api-key: {KEY}\r\n".encode(),
        f"authorization: AWS4-HMAC-SHA256 Credential={KEY}/20260101/eu-west-1/bedrock/"
        f"aws4_request, SignedHeaders=host, Signature=0\r\n".encode(),
    ],
)
def test_the_key_is_accepted_wherever_clients_put_it(over_http, bedrock, headers):
    assert first(over_http, request(headers=headers + LENGTH)).status == 200
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


# Paths.


@pytest.mark.parametrize(
    "path",
    [
        b"/model/../model/both/converse",
        b"/model/both/../both/converse",
        b"/model/./both/converse",
        b"/model/%2e%2e/converse",
        b"/model/%2E%2e%2fboth/converse",
        b"/model/both%2f..%2fboth/converse",
        b"/model/both%5c..%5cboth/converse",
        b"/model/both\\converse",
        b"/model\\both\\converse",
        b"/model/both%00/converse",
        b"/model/both%0a/converse",
        b"/model/both%7f/converse",
        b"/model/both%/converse",
        b"/model/both%4/converse",
        b"/model/both%zz/converse",
        b"/model/both%ff/converse",
        b"/model//converse",
        b"/model//both/converse",
        b"//model//both/converse",
        b"/model/both//converse",
        b"/model/both/converse/",
        b"/model/both/converse/more",
        b"/model/both/Converse",
        b"/model/BOTH/converse",
        b"/model/both",
        b"/model/",
        b"/model",
        b"/bedrock",
        b"/bedrock/",
        b"/bedrock/bedrock/model/both/converse",
        b"/bedrockmodel/both/converse",
        b"/model/both/converse%2f",
        b"/model/both/%63onverse",
        b"/%6dodel/both/converse",
        b"/model/" + b"a" * 3000 + b"/converse",
        b"/model/both/async-invoke",
        b"/model/both%20/converse",
        b"/model/both;x/converse",
        b"/guardrail/x/version/1/apply",
        b"/admin",
        b"/stats",
        b"/",
        b"/metrics",
        b"/config_dump",
        b"/quitquitquit",
        b"*",
        b"/model/both/converse#fragment",
        b"/health",
        b"/model/b%6fth%2F/converse",
    ],
)
def test_no_other_path_reaches_bedrock(over_http, bedrock, path):
    response = first(over_http, request(path))
    assert response.status in (400, 404) and is_in_both_forms(response), (
        response.status,
        response.body,
    )
    assert bedrock.quiet_log() == []


@pytest.mark.parametrize(
    "path",
    [
        b"/model/both/converse",
        b"/bedrock/model/both/converse",
        b"/model/b%6Fth/converse",
        b"/model/both/converse?x=/../",
        b"/model/team/alias:1/converse",
        b"/model/team%2Falias%3A1/converse",
        b"/model/team%2falias%3a1/converse",
        b"http://elsewhere.example/model/both/converse",
        b"http://169.254.169.254:1/bedrock/model/both/converse",
    ],
)
def test_every_spelling_of_a_path_reaches_the_same_model(over_http, bedrock, path):
    """Absolute targets too: their host does not affect where the request goes."""
    assert first(over_http, request(path)).status == 200
    (entry,) = bedrock.quiet_log()
    assert entry["path"] == "/model/us.anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse"


@pytest.mark.parametrize(
    "method",
    [b"GET", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"BREW", b"CONNECT"],
)
def test_no_other_method_reaches_bedrock(over_http, bedrock, method):
    response = first(over_http, request(method=method))
    assert 400 <= response.status < 500
    assert bedrock.quiet_log() == []


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

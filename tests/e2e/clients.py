"""How tests send requests to a gateway: boto3, curl, http.client and raw sockets."""

import dataclasses
import http.client
import json
import socket
import subprocess
import time
import urllib.parse

import boto3
from botocore.config import Config

from gateway import KEY

CURL_SECONDS = 30
# The body of a CountTokens request.
COUNT_TOKENS = b'{"input":{"converse":{"messages":[]}}}'


def messages(text: str) -> list:
    return [{"role": "user", "content": [{"text": text}]}]


def question(text: str, **more) -> bytes:
    """The body of a Converse request."""
    return json.dumps({"messages": messages(text), **more}).encode()


def anthropic(text: str) -> bytes:
    """The body of an Invoke request to an Anthropic model."""
    return json.dumps(
        {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 4000,
            "messages": [{"role": "user", "content": text}],
        }
    ).encode()


# boto3.


def boto(gateway, *, key=KEY, read_timeout=20, prefix="/bedrock"):
    """A client over plain HTTP, with the proxy key as its access key id."""
    return boto3.client(
        "bedrock-runtime",
        region_name="eu-central-1",
        endpoint_url=gateway.url + prefix,
        aws_access_key_id=key,
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout),
    )


def text_of(response: dict) -> str:
    return response["output"]["message"]["content"][0]["text"]


def streamed_text(events) -> str:
    return "".join(
        event["contentBlockDelta"]["delta"].get("text", "")
        for event in events
        if "contentBlockDelta" in event
    )


# http.client.


@dataclasses.dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def error_type(self) -> str:
        return self.headers["x-amzn-errortype"]


def connection(url: str, timeout=30) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=timeout)


def send(opened, model, operation="converse", body=None, *, key=KEY, headers=None, prefix=""):
    """Sends a request and returns the response, its body unread."""
    name = urllib.parse.quote(model, safe="")
    defaults = {
        "content-type": "application/json",
        **({"authorization": f"Bearer {key}"} if key else {}),
    }
    body = question("hello") if body is None else body
    opened.request(
        "POST", f"{prefix}/model/{name}/{operation}", body, {**defaults, **(headers or {})}
    )
    return opened.getresponse()


def post(gateway, model, operation="converse", body=None, *, timeout=30, **options) -> Response:
    """Sends a request on a new connection and returns the whole response."""
    opened = connection(gateway.url, timeout)
    try:
        response = send(opened, model, operation, body, **options)
        return Response(response.status, response.headers, response.read())
    finally:
        opened.close()


# Raw sockets.


def exchange_bytes(gateway, *pieces: bytes, pause=0.05, timeout=10) -> bytes:
    """Sends bytes and returns all bytes received until the gateway closes or falls silent."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=timeout) as raw:
        for piece in pieces:
            raw.sendall(piece)
            time.sleep(pause)
        return read_until_silent(raw, seconds=0.5)


def exchange(gateway, sent: bytes, timeout=2) -> Response | None:
    """The first response to these bytes.

    None if the gateway closes the connection, stays silent or sends something other than HTTP.
    """
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=timeout) as raw:
        try:
            raw.sendall(sent)
            response = http.client.HTTPResponse(raw, method=sent.split(b" ")[0].decode("latin-1"))
            response.begin()
            return Response(response.status, response.headers, response.read())
        except (http.client.HTTPException, OSError):
            return None


def read_until_silent(raw: socket.socket, seconds: float) -> bytes:
    received = b""
    raw.settimeout(seconds)
    try:
        while chunk := raw.recv(65_536):
            received += chunk
    except (TimeoutError, ConnectionResetError):
        pass
    return received


def responses(received: bytes) -> list:
    """The HTTP/1.1 responses in `received`, each with a content-length."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = http.client.HTTPMessage()
        for name, _, value in (field.partition(":") for field in fields):
            headers[name] = value.strip()
        length = int(headers["content-length"] or 0)
        found.append(Response(int(line.split()[1]), headers, rest[:length]))
        received = rest[length:]
    return found


# curl.


def curl(*arguments, exit_codes=(0,), stdin=None) -> subprocess.CompletedProcess:
    """Runs curl with these arguments and this standard input; fails on any other exit code."""
    done = subprocess.run(
        ["curl", "-sS", "--max-time", str(CURL_SECONDS), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=CURL_SECONDS + 5,
    )
    assert done.returncode in exit_codes, (done.returncode, done.stderr.decode(), done.stdout[:500])
    return done

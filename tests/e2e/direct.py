"""Signed requests sent directly to an emulator, without a gateway."""

import http.client
import urllib.parse

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import pytest
from botocore.config import Config

from clients import Response, messages, question, text_of
from deployments import CLAUDE, WEST
from emulator import DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY
from gateway import TEMPORARY_KEY_ID, TEMPORARY_SECRET

CREDENTIALS = botocore.credentials.Credentials(DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY)
# Bedrock's error type of each status.
ERROR_TYPES = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
# These need the session token `gateway.SESSION_TOKEN`.
TEMPORARY = {"aws_access_key_id": TEMPORARY_KEY_ID, "aws_secret_access_key": TEMPORARY_SECRET}


def request(emulator, region, model, operation="converse", body=None) -> Response:
    """Sends only the required headers: an SDK would add some that a gateway must not send."""
    path = f"/model/{urllib.parse.quote(model, safe='')}/{operation}"
    body = question("hello") if body is None else body
    signed = botocore.awsrequest.AWSRequest(
        "POST", emulator.url(region) + path, data=body, headers={"content-type": "application/json"}
    )
    botocore.auth.SigV4Auth(CREDENTIALS, "bedrock", region).add_auth(signed)
    connection = http.client.HTTPConnection(emulator.address(region), timeout=20)
    try:
        connection.request("POST", path, body, dict(signed.headers))
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read())
    finally:
        connection.close()


# boto3.


def client(emulator, region=WEST, tls=False, signed_for=None, read_timeout=20, **credentials):
    credentials = credentials or {
        "aws_access_key_id": DEMO_ACCESS_KEY_ID,
        "aws_secret_access_key": DEMO_SECRET_ACCESS_KEY,
    }
    return boto3.client(
        "bedrock-runtime",
        region_name=signed_for or region,
        endpoint_url=emulator.url(region, tls),
        verify=emulator.ca_file if tls else None,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout),
        **credentials,
    )


def converse(emulator, text="hello", model=CLAUDE, **options):
    return client(emulator, **options).converse(modelId=model, messages=messages(text))


def converse_text(emulator, text="hello", model=CLAUDE, **options) -> str:
    return text_of(converse(emulator, text, model, **options))


def stream(emulator, text="hello", model=CLAUDE, **options):
    response = client(emulator, **options).converse_stream(modelId=model, messages=messages(text))
    return response["stream"]


def error_of(call, *arguments, **options) -> tuple:
    """The (code, status, message) of the error that `call` raises with these arguments."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(*arguments, **options)
    error = caught.value.response
    return (
        error["Error"]["Code"],
        error["ResponseMetadata"]["HTTPStatusCode"],
        error["Error"]["Message"],
    )

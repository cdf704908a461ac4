"""Correctly signed requests sent directly to the emulator, to compare a gateway's response with."""

import http.client
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from clients import Response, question
from emulator import DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY

CREDENTIALS = botocore.credentials.Credentials(DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY)


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

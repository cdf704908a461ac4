"""The emulator's own answer to a request that is signed as a gateway should, to compare a gateway's answer with."""

import http.client
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from clients import Answer, question
from emulator import DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY

CREDENTIALS = botocore.credentials.Credentials(DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY)


def ask(emulator, region, model, operation="converse", body=None) -> Answer:
    """Nothing but what has to be sent: an SDK would add headers that no gateway may send."""
    path = f"/model/{urllib.parse.quote(model, safe='')}/{operation}"
    body = question("hello") if body is None else body
    request = botocore.awsrequest.AWSRequest(
        "POST", emulator.url(region) + path, data=body, headers={"content-type": "application/json"}
    )
    botocore.auth.SigV4Auth(CREDENTIALS, "bedrock", region).add_auth(request)
    connection = http.client.HTTPConnection(emulator.address(region), timeout=20)
    try:
        connection.request("POST", path, body, dict(request.headers))
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()

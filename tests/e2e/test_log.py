"""The log of `run`: what the filter says about one request can be found by its id."""

import json
import re

import pytest

from clients import post
from deployments import EAST, WEST, Parameters
from gateway import ENVIRONMENT, config
from supervised import Supervised, eventually

# A colon and an equals sign, as in what surrounds the id.
CALL_ID = "call:7=a"
UNUSABLE = {"aws_profile_name": "nobody"}


@pytest.fixture(params=["text", "json"])
def log_format(request):
    return request.param


@pytest.fixture
def running(log_format, bedrock, tmp_path):
    """A gateway with a model whose credentials cannot be obtained."""
    at = Parameters(bedrock)
    path = tmp_path / "config.yaml"
    path.write_text(config([("both", at(WEST)), ("unusable", at(EAST, **UNUSABLE))]))
    environment = ENVIRONMENT | {"AWS_CONFIG_FILE": str(tmp_path / "no-profiles")}
    options = {"config": path, "bedrock": "aws", "env": environment}
    with Supervised("--log-format", log_format, **options) as gateway:
        yield gateway


def requests_of(log: str, log_format: str) -> list:
    """The ids of the requests that the log is about, each with the message."""
    if log_format == "json":
        entries = (json.loads(line) for line in log.splitlines())
        return [(each["request_id"], each["message"]) for each in entries if "request_id" in each]
    lines = re.findall(r" (warning|error) filter: (.+) request_id=(\S+)$", log, re.MULTILINE)
    return [(id, message) for _, message, id in lines]


def test_a_line_about_a_request_has_the_id_of_its_response_and_row(running, log_format):
    for header in [{"x-litellm-call-id": CALL_ID}, {}]:
        refused = post(running, "unusable", headers=header)
        assert refused.status == 503
        call = refused.headers["x-litellm-call-id"]
        assert not header or call == CALL_ID

        def about(call=call) -> list:
            return [text for id, text in requests_of(running.log(), log_format) if id == call]

        (message,) = eventually(about, f"a line about {call} in\n{running.log()}")
        assert "credentials" in message and "unusable" in message
        rows = eventually(
            lambda call=call: [row for row in running.rows() if row["request_id"] == call],
            "the row of the request",
        )
        assert len(rows) == 1
    assert post(running, "both").status == 200
    assert len(requests_of(running.log(), log_format)) == 2

"""GET /spend/logs: who may look up a request, by which ids, and for how long."""

import time
import urllib.parse

import requests

from clients import post
from deployments import WEST, Parameters
from gateway import KEY, Gateway, config

BEARER = {"authorization": f"Bearer {KEY}"}
# A row exists once its request has ended, which another worker may see later than the client.
SETTLED_SECONDS = 5


def look_up(gateway, id: str, **more) -> requests.Response:
    return requests.get(
        f"{gateway.url}/spend/logs",
        params={"request_id": id},
        timeout=10,
        **{"headers": BEARER, **more},
    )


def row(gateway, id: str) -> dict | None:
    """The row of a request, once it exists."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while not (found := look_up(gateway, id).json()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found[0] if found else None


def test_a_request_is_found_by_both_of_its_ids(gateway, bedrock):
    response = post(gateway, "both", headers={"x-litellm-call-id": "spend-1"})
    found = row(gateway, "spend-1")
    assert found["x_amzn_requestid"] == response.headers["x-amzn-requestid"]
    assert found["http_status"] == 200 and found["total_tokens"] > 0
    assert row(gateway, response.headers["x-amzn-requestid"]) == found


def test_an_id_that_needs_percent_encoding_is_found(gateway, bedrock):
    id = "team/a+b?c&d=%41#1"
    post(gateway, "both", headers={"x-litellm-call-id": id})
    assert row(gateway, id)["request_id"] == id
    assert look_up(gateway, urllib.parse.quote(id, safe="")).json() == []


def test_the_row_of_a_stream_has_the_cost_that_its_headers_lack(gateway, bedrock):
    post(gateway, "both", "converse-stream", headers={"x-litellm-call-id": "spend-stream"})
    found = row(gateway, "spend-stream")
    assert found["stream"] and found["spend"] > 0 and found["usage_source"] == "reported"


def test_a_refused_request_is_found_and_a_probe_is_not(gateway, bedrock):
    post(gateway, "no-such-model", headers={"x-litellm-call-id": "spend-refused"})
    requests.get(
        f"{gateway.url}/health/readiness", headers={"x-litellm-call-id": "spend-probe"}, timeout=10
    )
    found = row(gateway, "spend-refused")
    assert (found["status"], found["http_status"]) == ("failure", 400)
    assert found["error_class"] == "ValidationException"
    assert found["path"] == "/model/no-such-model/converse"
    assert found["requested_model"] == "no-such-model"
    assert look_up(gateway, "spend-probe").json() == []


def test_the_row_of_a_refused_request_shows_what_it_asked_for(gateway, bedrock):
    for id, path, key, expected, model in [
        (
            "refused-1",
            "/bedrock/model/no%2Fsuch/invoke?token=tops3cret",
            KEY,
            "/bedrock/model/no%2Fsuch/invoke",
            "no/such",
        ),
        (
            "refused-2",
            "/model/both/converse?key=tops3cret",
            "sk-wrong",
            "/model/both/converse",
            "both",
        ),
        ("refused-3", "/v1/chat/completions", KEY, "/v1/chat/completions", None),
        ("refused-4", "/model/both%3Fkey=tops3cret/converse", "sk-wrong", "/model/both", None),
        ("refused-5", f"/{KEY}/model/both/converse", KEY, "/[redacted]/model/both/converse", None),
        (
            "refused-6",
            f"/model/{KEY}/converse",
            "sk-wrong",
            "/model/[redacted]/converse",
            "[redacted]",
        ),
        ("refused-7", f"/model/{'x' * 3000}/converse", KEY, f"/model/{'x' * 249}…", None),
    ]:
        headers = {"authorization": f"Bearer {key}", "x-litellm-call-id": id}
        response = requests.post(gateway.url + path, data=b"{}", headers=headers, timeout=10)
        assert response.status_code in (400, 401, 404), path
        found = row(gateway, id)
        assert (found["path"], found["requested_model"]) == (expected, model)
        assert found["model_group"] is None
        assert "tops3cret" not in str(found) and KEY not in str(found)
    post(gateway, "both", headers={"x-litellm-call-id": "refused-8"})
    assert "path" not in row(gateway, "refused-8")


def test_a_lookup_needs_the_proxy_key(gateway, bedrock):
    post(gateway, "both", headers={"x-litellm-call-id": "spend-secret"})
    assert row(gateway, "spend-secret")
    for headers in ({}, {"authorization": "Bearer sk-wrong"}, {"cookie": KEY}):
        for method in ("GET", "POST", "HEAD"):
            response = requests.request(
                method,
                f"{gateway.url}/spend/logs?request_id=spend-secret",
                headers=headers,
                timeout=10,
            )
            assert response.status_code == 401 and "spend-secret" not in response.text, (
                method,
                headers,
            )


def test_a_malformed_lookup_is_refused(gateway, bedrock):
    for path in (
        "/spend/logs",
        "/spend/logs?request_id=",
        "/spend/logs?request_id=a&request_id=b",
        "/spend/logs?api_key=a",
    ):
        response = requests.get(gateway.url + path, headers=BEARER, timeout=10)
        assert response.status_code == 400 and "request_id" in response.json()["message"], path
    response = requests.post(f"{gateway.url}/spend/logs?request_id=a", headers=BEARER, timeout=10)
    assert (response.status_code, response.headers["allow"]) == (405, "GET")
    assert requests.get(f"{gateway.url}/spend/keys", headers=BEARER, timeout=10).status_code == 404


def test_the_length_of_the_history_can_be_configured(bedrock, emulator_for):
    text = config([("m", Parameters(bedrock)(WEST))])
    with Gateway(text, workers=1, arguments=["--spend-history", "5"]) as small:
        for number in range(12):
            post(small, "m", headers={"x-litellm-call-id": f"spend-{number}"})
        found = [number for number in range(12) if look_up(small, f"spend-{number}").json()]
        assert found == [7, 8, 9, 10, 11]
    with Gateway(text, workers=1, arguments=["--spend-history", "0"]) as none:
        post(none, "m", headers={"x-litellm-call-id": "spend-0"})
        assert look_up(none, "spend-0").json() == []

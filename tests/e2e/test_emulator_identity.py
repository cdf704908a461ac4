"""The emulator's identity service, as AWS's own libraries see it, and what its regions enforce."""

import base64
import datetime
import json
import os
import subprocess
import sys
import threading
import time

import boto3
import botocore.exceptions
import botocore.parsers
import pytest
import requests
from aws_bedrock_token_generator import BedrockTokenGenerator, provide_token
from botocore.config import Config
from botocore.credentials import Credentials

import direct
from clients import messages, text_of
from deployments import CLAUDE, EAST, WEST
from emulator import DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY

ROLE = "arn:aws:iam::111122223333:role/team/reader"
OTHER_ROLE = "arn:aws:iam::444455556666:role/other"
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=10, connect_timeout=5)
DEADLINE_SECONDS = 30
INVALID = "The security token included in the request is invalid."
EXPIRED = "The security token included in the request is expired"
INVALID_KEY = "Authentication failed: Please make sure your API Key is valid."


@pytest.fixture
def identity(emulator):
    return emulator.identity


@pytest.fixture
def using(monkeypatch):
    """Sets exactly these AWS variables, and returns a session that reads them."""

    def session(variables) -> boto3.session.Session:
        for name in list(os.environ):
            if name.startswith("AWS_"):
                monkeypatch.delenv(name)
        # The default of a second is too short for a busy machine.
        for name, value in {"AWS_METADATA_SERVICE_TIMEOUT": "10", **variables}.items():
            monkeypatch.setenv(name, value)
        return boto3.session.Session()

    return session


def keys_of(issued: dict) -> dict:
    """What `Identity.issue` returns, as arguments of a boto3 client."""
    return {
        "aws_access_key_id": issued["AccessKeyId"],
        "aws_secret_access_key": issued["SecretAccessKey"],
        "aws_session_token": issued["Token"],
    }


def bedrock(session, emulator, region=WEST):
    return session.client(
        "bedrock-runtime", region_name=region, endpoint_url=emulator.url(region), config=ONCE
    )


def converse(session, emulator, region=WEST) -> str:
    client = bedrock(session, emulator, region)
    return text_of(client.converse(modelId=CLAUDE, messages=messages("who am I")))


def demo_sts(identity, **credentials):
    credentials = credentials or {
        "aws_access_key_id": DEMO_ACCESS_KEY_ID,
        "aws_secret_access_key": DEMO_SECRET_ACCESS_KEY,
    }
    return boto3.client(
        "sts", region_name=WEST, endpoint_url=identity.url, config=ONCE, **credentials
    )


def assume(identity, role=ROLE, name="session", **options):
    return demo_sts(identity).assume_role(RoleArn=role, RoleSessionName=name, **options)


# Sources.


def assumed_role(identity, folder):
    return identity.profile(
        folder,
        f"""[default]
role_arn = {ROLE}
source_profile = base
[profile base]
aws_access_key_id = {DEMO_ACCESS_KEY_ID}
aws_secret_access_key = {DEMO_SECRET_ACCESS_KEY}
""",
    )


SOURCES = {
    "assume-role": (assumed_role, "111122223333"),
    "assume-role-with-web-identity": (
        lambda identity, folder: identity.web_identity(folder, ROLE),
        "111122223333",
    ),
    "imds-credentials": (lambda identity, folder: identity.instance(), "123456789012"),
    "ecs": (lambda identity, folder: identity.task(), "123456789012"),
    "eks": (lambda identity, folder: identity.pod(folder), "123456789012"),
}


@pytest.mark.parametrize("endpoint", SOURCES)
def test_every_source_issues_credentials_that_the_regions_accept(
    emulator, identity, using, tmp_path, endpoint
):
    environment, account = SOURCES[endpoint]
    session = using(environment(identity, tmp_path))
    assert "who am I" in converse(session, emulator)
    (entry,) = emulator.quiet_log()
    (call,) = identity.calls(endpoint)
    assert call["status"] == 200 and call["issued"].startswith("ASIA")
    assert entry["reason"] == "signature" and entry["access_key_id"] == call["issued"]
    assert entry["account"] == account and entry["credential_expired"] is False
    caller = session.client("sts", config=ONCE, region_name=EAST).get_caller_identity()
    assert identity.calls("get-caller-identity")[0]["signing_region"] == EAST
    assert caller["Account"] == account and f"{account}:assumed-role/" in caller["Arn"]
    secrets = identity.issued_secrets()
    credentials = session.get_credentials().get_frozen_credentials()
    assert credentials.secret_key in secrets and credentials.token in secrets
    assert not [secret for secret in secrets if secret in json.dumps(entry)]


def test_two_accounts_are_told_apart(emulator, identity):
    identity.register_key("AKIAOTHERACCOUNT0001", "other/secret", "444455556666", user="ops")
    other = {
        "aws_access_key_id": "AKIAOTHERACCOUNT0001",
        "aws_secret_access_key": "other/secret",
    }
    caller = demo_sts(identity, **other).get_caller_identity()
    assert caller["Arn"] == "arn:aws:iam::444455556666:user/ops"
    direct.converse(emulator)
    direct.converse(emulator, **other)
    direct.converse(emulator, **keys_of(identity.issue(ROLE)))
    accounts = [entry["account"] for entry in emulator.quiet_log()]
    assert accounts == ["123456789012", "444455556666", "111122223333"]


PRINT_CREDENTIALS = """
import boto3, json
credentials = boto3.session.Session().get_credentials().get_frozen_credentials()
print(json.dumps(credentials._asdict()))
"""


def test_a_profile_of_sso_gets_credentials_while_its_token_is_valid(emulator, identity, tmp_path):
    def run(**login):
        variables = identity.sso(tmp_path, "111122223333", "reader", **login)
        return subprocess.run(
            [sys.executable, "-c", PRINT_CREDENTIALS],
            env={"PATH": os.environ["PATH"], **variables},
            capture_output=True,
            text=True,
            timeout=60,
        )

    got = json.loads(run().stdout)
    direct.converse(
        emulator,
        aws_access_key_id=got["access_key"],
        aws_secret_access_key=got["secret_key"],
        aws_session_token=got["token"],
    )
    (entry,) = emulator.quiet_log()
    (call,) = identity.calls("sso")
    assert entry["account"] == "111122223333" and entry["access_key_id"] == call["issued"]
    assert call["role_arn"] == "arn:aws:iam::111122223333:role/reader"
    assert "emulated-sso-token" in identity.issued_secrets()
    identity.reset()
    identity.fault(code="UnauthorizedException", status=401, endpoint="sso")
    assert "UnauthorizedSSOTokenError" in run().stderr
    assert identity.calls("sso")[0]["status"] == 401


def test_a_token_of_sso_must_be_registered_valid_and_good_for_the_role(identity):
    def status(token, role="reader", account="111122223333"):
        response = requests.get(
            f"{identity.url}/federation/credentials",
            {"role_name": role, "account_id": account},
            headers={"x-amz-sso_bearer_token": token},
            timeout=10,
        )
        return response.status_code

    identity.register_sso_token("expired", lifetime_seconds=0)
    identity.register_sso_token("good", roles=["arn:aws:iam::111122223333:role/reader"])
    assert [status("other"), status("expired"), status("good", "admin")] == [401, 401, 403]
    assert [status("good", account="1"), status("good")] == [400, 200]


# What the regions refuse.


def refusal(emulator, region=WEST, **credentials):
    """The error of a request with these credentials, and its entry in the log."""
    emulator.clear_log()
    emulator.mode(hostile=True)
    error = direct.error_of(direct.converse, emulator, region=region, **credentials)
    (entry,) = emulator.quiet_log()
    emulator.mode(hostile=False)
    direct.converse(emulator)
    return error, entry


def poll(send):
    """Calls `send` until it returns an error. Returns it, and the time at which it was there."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if error := send():
            return error, time.time()
        time.sleep(0.1)
    raise TimeoutError(f"no error within {DEADLINE_SECONDS} s")


def test_credentials_are_refused_once_they_have_expired(emulator, identity):
    identity.set_lifetime(3)
    asked = datetime.datetime.now(datetime.UTC)
    issued = assume(identity)["Credentials"]
    answered = datetime.datetime.now(datetime.UTC)
    credentials = {
        "aws_access_key_id": issued["AccessKeyId"],
        "aws_secret_access_key": issued["SecretAccessKey"],
        "aws_session_token": issued["SessionToken"],
    }
    second = datetime.timedelta(seconds=1)
    assert asked + 2 * second < issued["Expiration"] <= answered + 3 * second
    emulator.mode(hostile=True)
    accepted = []

    def send():
        before = time.time()
        try:
            direct.converse(emulator, **credentials)
        except botocore.exceptions.ClientError as error:
            return error
        accepted.append(before)
        return None

    _, refused = poll(send)
    expired = issued["Expiration"].timestamp()
    assert refused >= expired and all(before < expired for before in accepted)
    error, entry = refusal(emulator, **credentials)
    assert error == ("ExpiredTokenException", 403, EXPIRED)
    assert entry["reason"] == "expired credential" and entry["credential_expired"]
    assert entry["account"] == "111122223333"


@pytest.mark.parametrize(
    "change, code, reason",
    [
        ({"aws_session_token": None}, "UnrecognizedClientException", "wrong security token"),
        ({"aws_session_token": "x"}, "UnrecognizedClientException", "wrong security token"),
        ({"aws_secret_access_key": "x"}, "InvalidSignatureException", "wrong signature"),
        ({"aws_access_key_id": "ASIAX"}, "UnrecognizedClientException", "unknown access key id"),
    ],
)
def test_each_part_of_a_credential_counts(emulator, identity, change, code, reason):
    error, entry = refusal(emulator, **{**keys_of(identity.issue(ROLE)), **change})
    assert error[:2] == (code, 403) and entry["reason"] == reason
    assert code != "UnrecognizedClientException" or error[2] == INVALID


def test_a_token_of_another_credential_is_refused(emulator, identity):
    one, other = identity.issue(ROLE), identity.issue(ROLE)
    error, _ = refusal(emulator, **keys_of({**one, "Token": other["Token"]}))
    assert error == ("UnrecognizedClientException", 403, INVALID)


def test_a_revoked_credential_is_refused_at_once(emulator, identity):
    issued = identity.issue(ROLE)
    direct.converse(emulator, **keys_of(issued))
    assert identity.revoke(issued["AccessKeyId"]) == 1
    error, entry = refusal(emulator, **keys_of(issued))
    assert error == ("UnrecognizedClientException", 403, INVALID)
    assert entry["reason"] == "revoked credential" and entry["credential_expired"] is False
    assert identity.revoke(issued["AccessKeyId"]) == 0


# STS.


def test_a_trust_policy_decides_who_may_assume_a_role(identity):
    identity.register_role(ROLE, external_id="shared", principals=["123456789012"])
    assert assume(identity, ExternalId="shared")["AssumedRoleUser"]["Arn"] == (
        "arn:aws:sts::111122223333:assumed-role/reader/session"
    )
    denied = direct.error_of(assume, identity, ExternalId="other")
    assert denied == (
        "AccessDenied",
        403,
        "User: arn:aws:iam::123456789012:user/emulator is not authorized to perform: "
        f"sts:AssumeRole on resource: {ROLE}",
    )
    assert direct.error_of(assume, identity)[0] == "AccessDenied"
    identity.register_role(ROLE, principals=["999999999999"])
    assert direct.error_of(assume, identity)[0] == "AccessDenied"
    assume(identity, OTHER_ROLE)
    identity.settings(only_registered_roles=True)
    assert direct.error_of(assume, identity, OTHER_ROLE)[0] == "AccessDenied"


def test_a_role_chain_is_limited_to_an_hour(identity):
    chained = demo_sts(identity, **keys_of(identity.issue(ROLE)))
    role = {"RoleArn": OTHER_ROLE, "RoleSessionName": "next"}
    assert chained.assume_role(DurationSeconds=3600, **role)["Credentials"]
    code, status, _ = direct.error_of(chained.assume_role, DurationSeconds=3601, **role)
    assert (code, status) == ("ValidationError", 400)
    identity.register_role(OTHER_ROLE, principals=[ROLE])
    assert chained.assume_role(**role)["Credentials"]
    assert direct.error_of(assume, identity, OTHER_ROLE)[0] == "AccessDenied"


def test_what_is_not_signed_correctly_is_refused_by_sts(identity):
    def error(**credentials):
        return direct.error_of(demo_sts(identity, **credentials).get_caller_identity)

    demo = {"aws_access_key_id": DEMO_ACCESS_KEY_ID, "aws_secret_access_key": "wrong"}
    assert error(**demo)[:2] == ("SignatureDoesNotMatch", 403)
    unknown = {**demo, "aws_access_key_id": "AKIANOBODY"}
    assert error(**unknown) == ("InvalidClientTokenId", 403, INVALID)
    expired = keys_of(identity.issue(ROLE, lifetime_seconds=0))
    assert error(**expired) == ("ExpiredToken", 403, EXPIRED)
    response = requests.post(identity.url, {"Action": "AssumeRole"}, timeout=10)
    assert response.status_code == 403 and "MissingAuthenticationToken" in response.text
    response = requests.post(identity.url, {"Action": "GetFederationToken"}, timeout=10)
    assert response.status_code == 400 and "InvalidAction" in response.text
    assert demo_sts(identity).get_caller_identity()["Account"] == "123456789012"


@pytest.mark.parametrize(
    "token, code, status",
    [
        ("unknown", "InvalidIdentityToken", 400),
        ("expired", "ExpiredTokenException", 400),
        ("of-another-role", "AccessDenied", 403),
        ("of-another-subject", "AccessDenied", 403),
    ],
)
def test_a_web_identity_token_that_does_not_fit_is_refused(
    emulator, identity, using, tmp_path, token, code, status
):
    identity.register_role(ROLE, subjects=["good"])
    identity.register_token("expired", subject="good", lifetime_seconds=0)
    identity.register_token("of-another-role", subject="good", roles=[OTHER_ROLE])
    identity.register_token("of-another-subject", subject="bad")
    variables = identity.web_identity(tmp_path, ROLE, "good", subject="good", roles=[ROLE])
    (tmp_path / "web-identity-token").write_text(token)
    session = using(variables)
    error = direct.error_of(converse, session, emulator)
    assert error[:2] == (code, status)
    (tmp_path / "web-identity-token").write_text("good")
    assert converse(session, emulator)


# Faults.


@pytest.mark.parametrize(
    "code, status",
    [
        ("Throttling", 400),
        ("AccessDenied", 403),
        ("ExpiredTokenException", 400),
        ("InvalidIdentityToken", 400),
        ("RegionDisabledException", 403),
        ("InternalFailure", 500),
        ("ServiceUnavailable", 503),
    ],
)
def test_an_error_of_sts_reaches_the_sdk_as_from_aws(identity, code, status):
    identity.fault(code=code, endpoint="sts", count=1)
    error = direct.error_of(assume, identity)
    assert error[:2] == (code, status) and error[2]
    assert assume(identity)["Credentials"]
    assert [call["error"] for call in identity.calls("assume-role")] == [code, None]
    assert identity.counts()["assume-role"] == 2 and identity.faults()[0]["hits"] == 1


def test_sts_may_hang_close_or_send_nonsense_for_one_role(identity):
    impatient = boto3.client(
        "sts",
        region_name=WEST,
        endpoint_url=identity.url,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=1),
        aws_access_key_id=DEMO_ACCESS_KEY_ID,
        aws_secret_access_key=DEMO_SECRET_ACCESS_KEY,
    )
    for kind, error in [
        ("hang", botocore.exceptions.ReadTimeoutError),
        ("close", botocore.exceptions.ConnectionClosedError),
        ("garbage", botocore.parsers.ResponseParserError),
        ("truncated", botocore.parsers.ResponseParserError),
    ]:
        identity.fault(kind, role_arn=ROLE)
        with pytest.raises(error):
            impatient.assume_role(RoleArn=ROLE, RoleSessionName="session")
        assert assume(identity, OTHER_ROLE)["Credentials"], kind
        assert identity.calls("assume-role")[-2]["fault"] == kind
        identity.clear_faults()
    assert assume(identity)["Credentials"]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404, "endpoint": "imds-role"},
        {"status": 403, "endpoint": "imds-token"},
        {"status": 500, "endpoint": "imds"},
        {"kind": "garbage", "endpoint": "imds-credentials"},
        {"kind": "hang", "endpoint": "imds"},
    ],
)
def test_an_instance_without_credentials_has_none_until_it_recovers(
    emulator, identity, using, fault
):
    identity.fault(**fault)
    variables = identity.instance()
    with pytest.raises(botocore.exceptions.NoCredentialsError):
        converse(using({**variables, "AWS_METADATA_SERVICE_TIMEOUT": "1"}), emulator)
    identity.clear_faults()
    assert converse(using(variables), emulator)


def test_an_instance_may_have_no_role_or_another_one(emulator, identity, using):
    variables = identity.instance()
    identity.settings(instance_role=None)
    with pytest.raises(botocore.exceptions.NoCredentialsError):
        converse(using(variables), emulator)
    identity.settings(instance_role=ROLE)
    session = using(variables)
    assert converse(session, emulator)
    assert (
        session.client("sts", config=ONCE)
        .get_caller_identity()["Arn"]
        .startswith("arn:aws:sts::111122223333:assumed-role/reader/i-")
    )


def test_metadata_needs_a_token_of_version_2(identity):
    base, header = f"{identity.url}/latest", "X-aws-ec2-metadata-token"
    role = f"{base}/meta-data/iam/security-credentials/"
    assert requests.get(role, timeout=10).status_code == 401
    assert requests.get(role, headers={header: "x"}, timeout=10).status_code == 401
    for seconds, status in [("0", 400), ("1", 200), ("21600", 200), ("21601", 400), ("x", 400)]:
        response = requests.put(
            f"{base}/api/token", headers={f"{header}-ttl-seconds": seconds}, timeout=10
        )
        assert response.status_code == status, seconds
        if seconds == "21600":
            token = {header: response.text}
    assert requests.get(role, headers=token, timeout=10).text == "emulated-instance"
    assert requests.get(f"{role}other", headers=token, timeout=10).status_code == 404
    region = requests.get(f"{base}/meta-data/placement/region", headers=token, timeout=10)
    assert region.text == "us-east-1"
    document = requests.get(f"{base}/dynamic/instance-identity/document", headers=token, timeout=10)
    assert document.json()["accountId"] == "123456789012"


@pytest.mark.parametrize("source", ["ecs", "eks"])
def test_a_container_gets_an_error_with_a_code(emulator, identity, using, tmp_path, source):
    environment, _ = SOURCES[source]
    variables = environment(identity, tmp_path)
    identity.fault(code="AccessDeniedException", status=403, endpoint=source)
    with pytest.raises(botocore.exceptions.CredentialRetrievalError, match="AccessDenied"):
        converse(using(variables), emulator)
    identity.clear_faults()
    assert converse(using(variables), emulator)


def test_a_pod_needs_a_token_that_is_registered(emulator, identity, using, tmp_path):
    variables = identity.pod(tmp_path)
    before = identity.settings()["pod_tokens"]
    identity.settings(pod_tokens=["next"])
    with pytest.raises(botocore.exceptions.CredentialRetrievalError, match="invalid"):
        converse(using(variables), emulator)
    (tmp_path / "pod-token").write_text("next")
    assert converse(using(variables), emulator)
    assert {"next", *before} <= set(identity.issued_secrets())
    identity.settings(pod_tokens=before)


def test_another_task_has_other_credentials(identity):
    response = requests.get(f"{identity.url}/v2/credentials/{'0' * 36}", timeout=10)
    assert response.status_code == 400 and response.json()["code"] == "InvalidIdInRequest"


# Short-term API keys.


def minted(issued: dict, region=WEST) -> str:
    credentials = Credentials(issued["AccessKeyId"], issued["SecretAccessKey"], issued["Token"])
    return BedrockTokenGenerator().get_token(credentials, region)


def with_key(emulator, key, region=WEST):
    """Sends a request with an API key. Returns its status, message and entry in the log."""
    emulator.clear_log()
    response = requests.post(
        f"{emulator.url(region)}/model/{CLAUDE}/converse",
        json={"messages": messages("x")},
        headers={"authorization": f"Bearer {key}"},
        timeout=10,
    )
    (entry,) = emulator.quiet_log()
    assert key not in json.dumps(entry)
    return response.status_code, response.json().get("Message"), entry


def test_a_key_of_the_token_generator_is_accepted_through_boto3(
    emulator, identity, using, monkeypatch
):
    using(identity.task())
    key = provide_token(region=WEST)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
    client = boto3.session.Session().client(
        "bedrock-runtime",
        region_name=WEST,
        endpoint_url=emulator.url(WEST, tls=True),
        verify=emulator.ca_file,
        config=ONCE,
    )
    assert client.converse(modelId=CLAUDE, messages=messages("x"))
    (entry,) = emulator.quiet_log()
    assert entry["reason"] == "short-term api key" and entry["account"] == "123456789012"
    assert entry["access_key_id"] == identity.calls("ecs")[0]["issued"]
    assert key in identity.issued_secrets() and key not in json.dumps(entry)


def test_a_key_of_a_long_term_credential_is_accepted(emulator, using, identity):
    using(identity.keys(DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY))
    status, _, entry = with_key(emulator, provide_token(region=EAST), EAST)
    assert status == 200 and entry["access_key_id"] == DEMO_ACCESS_KEY_ID


def test_a_key_is_refused_in_another_region(emulator, identity):
    emulator.mode(hostile=True)
    key = minted(identity.issue(ROLE), EAST)
    assert with_key(emulator, key, EAST)[0] == 200
    status, message, entry = with_key(emulator, key, WEST)
    assert (status, message) == (403, INVALID_KEY)
    assert entry["reason"] == "api key of another region"


def test_a_key_is_refused_once_its_credential_has_expired_or_is_revoked(emulator, identity):
    emulator.mode(hostile=True)
    expired = minted(identity.issue(ROLE, lifetime_seconds=0))
    status, message, entry = with_key(emulator, expired)
    assert (status, message) == (403, "Bearer Token has expired")
    assert entry["credential_expired"] and entry["error_type"] == "AccessDeniedException"
    issued = identity.issue(ROLE)
    key = minted(issued)
    assert with_key(emulator, key)[0] == 200
    identity.revoke(issued["AccessKeyId"])
    assert with_key(emulator, key)[:2] == (403, INVALID_KEY)


def test_a_key_is_refused_after_its_own_lifetime(emulator, identity, using):
    emulator.mode(hostile=True)
    using(identity.task())
    minted_at = time.time()
    key = provide_token(region=WEST, expiry=datetime.timedelta(seconds=3))

    def send():
        answer = with_key(emulator, key)
        return answer if answer[0] != 200 else None

    (status, message, entry), refused = poll(send)
    assert refused >= minted_at + 2
    assert (status, message) == (403, "Bearer Token has expired")
    assert entry["reason"] == "expired api key" and entry["credential_expired"] is False


@pytest.mark.parametrize(
    "before, after",
    [
        ("X-Amz-Expires=43200", "X-Amz-Expires=43199"),
        ("X-Amz-Expires=43200", "X-Amz-Expires=43201"),
        ("X-Amz-Expires=43200", "X-Amz-Expires=0"),
        ("CallWithBearerToken", "CallWithBearer"),
        ("bedrock.amazonaws.com", "bedrock.example.com"),
        ("&Version=1", ""),
        ("&Version=1", "&Version=1&More=1"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("%2Fbedrock%2F", "%2Fsts%2F"),
    ],
)
def test_a_key_that_was_changed_is_refused(emulator, identity, before, after):
    emulator.mode(hostile=True)
    prefix, encoded = "bedrock-api-key-", minted(identity.issue(ROLE))
    url = base64.b64decode(encoded.removeprefix(prefix)).decode()
    assert before in url
    changed = prefix + base64.b64encode(url.replace(before, after).encode()).decode()
    assert with_key(emulator, changed)[:2] == (403, INVALID_KEY)
    assert with_key(emulator, encoded)[0] == 200


def test_a_key_that_is_not_base64_is_refused(emulator):
    emulator.mode(hostile=True)
    for key in ["bedrock-api-key-", "bedrock-api-key-%%%", "bedrock-api-key-eHg="]:
        assert with_key(emulator, key)[:2] == (403, INVALID_KEY)


# Rotation and the control API.


def test_credentials_rotate_while_requests_run(emulator, identity, using):
    identity.set_lifetime(20)
    session = using(identity.task())
    client = bedrock(session, emulator)
    failures = []

    def run():
        # botocore renews what lives for less than ten minutes before each request.
        for _ in range(5):
            try:
                client.converse(modelId=CLAUDE, messages=messages("x"))
            except botocore.exceptions.ClientError as error:
                failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = emulator.quiet_log()
    assert not failures and not [entry for entry in entries if entry["credential_expired"]]
    assert len(entries) == 15 and len({entry["access_key_id"] for entry in entries}) >= 5


@pytest.mark.parametrize(
    "path, body, reason",
    [
        ("settings", {"lifetime": 5}, "unknown field `lifetime`"),
        ("settings", {"task_role": "reader"}, "expected a role such as arn:aws:iam::"),
        ("keys", {"access_key_id": "A", "secret_access_key": "s", "account": "1"}, "12 digits"),
        ("faults", {"kind": "hang", "endpoint": "saml"}, "expected endpoint to be sts, imds"),
        ("faults", {"kind": "error", "status": 200}, "from 400 to 599, but found 200"),
    ],
)
def test_a_wrong_control_request_is_refused_with_a_reason(emulator, path, body, reason):
    response = requests.post(f"{emulator.control}/identity/{path}", json=body, timeout=10)
    assert response.status_code == 400 and reason in response.json()["error"]


def test_a_reset_keeps_what_clients_have(emulator, identity):
    issued = identity.issue(ROLE)
    task_id = identity.settings(task_role=ROLE)["task_id"]
    identity.reset()
    settings = identity.settings()
    assert settings["task_id"] == task_id and settings["task_role"] != ROLE
    direct.converse(emulator, **keys_of(issued))
    assert issued["SecretAccessKey"] in identity.issued_secrets()
    described = {one["access_key_id"]: one for one in identity.credentials()}
    assert described[issued["AccessKeyId"]]["account"] == "111122223333"
    assert issued["SecretAccessKey"] not in json.dumps(described)

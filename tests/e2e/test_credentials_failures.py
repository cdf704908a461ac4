"""`envoy-bedrock credentials` on failures: one line says for whom, from where and what to do."""

import shutil

import pytest

from credential_broker import BASE, KEYS, OTHER, PROFILE, ROLE, Broker

DENIED = {"code": "AccessDenied", "status": 403}
WHOM = "the credentials of m in us-west-2"
CHAIN = "the default credential chain"
WITH_KEYS = f"{KEYS}, aws_role_name: '{ROLE}'"
ROLE_WITH_KEYS = f"role {ROLE} with access keys in ID"
TRUST = f"Check that the trust policy of {ROLE} permits"
LOG_IN = "Log in again: aws sso login --profile sso"
NO_CHAIN = (
    "there are no access keys, profile, web identity or container credentials in the environment, "
    "and the instance metadata service "
)
SET_OR_GIVE = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or give the instance"
CHECK_STS = "Check the network, and the endpoint in aws_sts_endpoint or AWS_ENDPOINT_URL_STS"


def environment(identity, folder) -> dict:
    return identity.environment(**BASE)


def chain(environment: str, **more):
    """The environment of a source of the default chain."""
    return lambda identity, folder: {**getattr(identity, environment)(), **more}


def profile(text: str, name="default"):
    """A shared file, whose profile `name` the default chain uses."""
    return lambda identity, folder: identity.profile(folder, text, name)


def process(command: str) -> str:
    return f"[profile team]\ncredential_process = {command}\n"


def sso(seconds: int, is_chain=False, is_logged_in=True):
    """A sign-in of IAM Identity Center that lasts for `seconds`."""

    def made(identity, folder):
        variables = identity.sso(folder, "123456789012", "sso-role", lifetime_seconds=seconds)
        if not is_logged_in:
            shutil.rmtree(folder / ".aws")
        return variables if is_chain else {**variables, "AWS_PROFILE": "default"}

    return made


def irsa(identity, folder):
    variables = identity.web_identity(folder, ROLE)
    return {**variables, "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token"}


def token_file(text: str):
    """The token file of `web_identity`, with `text`."""

    def made(identity, folder):
        (folder / "token").write_text(text)
        identity.register_token("old-token", lifetime_seconds=0)
        return identity.environment(TOKEN_FILE=str(folder / "token"))

    return made


WEB_IDENTITY = f"aws_role_name: '{ROLE}', aws_web_identity_token: os.environ/TOKEN_FILE"

# The parameters, the environment, a fault, the source in the log, and parts of the line after it.
FAILURES = {
    "sts throttles": (
        WITH_KEYS,
        environment,
        {"endpoint": "sts", "code": "Throttling", "status": 400, "message": "Rate exceeded"},
        ROLE_WITH_KEYS,
        ["STS: Throttling: Rate exceeded. AWS throttles these requests; the gateway retries"],
    ),
    "sts denies": (
        WITH_KEYS,
        environment,
        {"endpoint": "assume-role", "message": "You may not.", **DENIED},
        ROLE_WITH_KEYS,
        [f"STS: AccessDenied: You may not. {TRUST} this caller", "may call sts:AssumeRole"],
    ),
    "sts does not know the keys": (
        WITH_KEYS,
        lambda identity, folder: identity.environment(**BASE | {"SECRET": "wrong+s3cret"}),
        None,
        ROLE_WITH_KEYS,
        ["STS: SignatureDoesNotMatch", "Check ID and SECRET"],
    ),
    "sts sends garbage": (
        WITH_KEYS,
        environment,
        {"kind": "garbage", "endpoint": "sts"},
        ROLE_WITH_KEYS,
        [f"STS: the response cannot be understood. {CHECK_STS}"],
    ),
    "sts gives old credentials": (
        WITH_KEYS,
        environment,
        {"kind": "truncated", "endpoint": "sts"},
        ROLE_WITH_KEYS,
        ["the source returned expired credentials. Check that the clock"],
    ),
    "sts cannot be reached": (
        WITH_KEYS,
        lambda identity, folder: identity.environment(
            **BASE, AWS_ENDPOINT_URL_STS="http://127.0.0.1:9"
        ),
        None,
        ROLE_WITH_KEYS,
        ["STS cannot be reached: ", f"Connection refused (os error 111). {CHECK_STS}"],
    ),
    "sts hangs": (
        WITH_KEYS,
        environment,
        {"kind": "hang", "endpoint": "sts"},
        ROLE_WITH_KEYS,
        ["STS cannot be reached: timeout: ", CHECK_STS],
    ),
    "the base of a role is denied": (
        f"aws_profile_name: team, aws_role_name: '{OTHER}'",
        profile(PROFILE),
        {"endpoint": "assume-role", "role_arn": ROLE, "message": "You may not.", **DENIED},
        f"role {OTHER} with profile team",
        [
            "AccessDenied: You may not. "
            "Check the profile: aws sts get-caller-identity --profile team"
        ],
    ),
    "imds hangs": (
        "weight: 1",
        chain("instance"),
        {"kind": "hang", "endpoint": "imds"},
        CHAIN,
        [f"{NO_CHAIN}does not respond. {SET_OR_GIVE}", "IMDS needs a hop limit of 2"],
    ),
    "imds is disabled": (
        f"aws_role_name: '{ROLE}'",
        environment,
        None,
        f"role {ROLE} with {CHAIN}",
        [f"{NO_CHAIN}is disabled. {SET_OR_GIVE}"],
    ),
    "the profile of the chain is missing": (
        "weight: 1",
        profile("", "nobody"),
        None,
        CHAIN,
        [f"the profile nobody of AWS_PROFILE does not exist or has no credentials. {SET_OR_GIVE}"],
    ),
    "the container is denied": (
        "weight: 1",
        chain("task"),
        {"endpoint": "ecs", "message": "no", **DENIED},
        CHAIN,
        ["the container's credentials endpoint: ", "Check that the task or service account"],
    ),
    "sso has expired": (
        "aws_profile_name: sso",
        sso(0),
        None,
        "profile sso",
        [f"the SSO token has expired and cannot be refreshed. {LOG_IN}"],
    ),
    "sso of the chain has expired": (
        "weight: 1",
        sso(0, is_chain=True),
        None,
        CHAIN,
        [f"profile sso: the SSO token has expired and cannot be refreshed. {LOG_IN}"],
    ),
    "sso refuses the base of a role": (
        f"aws_profile_name: sso, aws_role_name: '{ROLE}'",
        sso(3600),
        {
            "endpoint": "sso",
            "code": "UnauthorizedException",
            "status": 401,
            "message": "Session token not found or invalid",
        },
        f"role {ROLE} with profile sso",
        [f"UnauthorizedException: Session token not found or invalid. {LOG_IN}"],
    ),
    "nobody has logged in": (
        "aws_profile_name: sso",
        sso(3600, is_logged_in=False),
        None,
        "profile sso",
        [f"failed to load the cached SSO token. {LOG_IN}"],
    ),
    "a process prints nonsense": (
        "aws_profile_name: team",
        profile(process("echo tops3cret")),
        None,
        "profile team",
        ["Check what the credential_process of the profile prints: aws sts get-caller-identity"],
    ),
    "a process of the chain fails": (
        "weight: 1",
        profile(process("sh -c 'echo tops3cret >&2; exit 3'"), "team"),
        None,
        CHAIN,
        ["profile team: ", "exit status: 3. Check what the credential_process"],
    ),
    "there is no such profile": (
        "aws_profile_name: nobody",
        profile(PROFILE),
        None,
        "profile nobody",
        ["profile `nobody` was not defined", "Add the profile to ~/.aws/config, or correct"],
    ),
    "the profile is empty": (
        "aws_profile_name: team",
        profile("[profile team]\nregion = us-west-2\n"),
        None,
        "profile team",
        ["or has no access keys, role_arn, credential_process or SSO settings. Check the profile"],
    ),
    "the profile is incomplete": (
        "aws_profile_name: team",
        profile("[profile team]\naws_access_key_id = AKIA\n"),
        None,
        "profile team: invalid credential source in `team`: profile missing aws_secret_access_key.",
        ["Check the profile: aws sts get-caller-identity --profile team"],
    ),
    "the profile uses aws login": (
        "aws_profile_name: team",
        profile("[profile team]\nlogin_session = arn:aws:iam::123456789012:user/admin\n"),
        None,
        "profile team",
        ["`aws login`, which is not supported. Name a profile with `credential_process = aws"],
    ),
    "there is no token": (
        f"aws_role_name: '{ROLE}', aws_web_identity_token: /nowhere/token",
        environment,
        None,
        f"role {ROLE} with the token in /nowhere/token",
        ["No such file or directory (os error 2). Check that /nowhere/token exists"],
    ),
    "the chain has no token": (
        "weight: 1",
        irsa,
        None,
        CHAIN,
        [
            f"role {ROLE} with the token in /nowhere/token: No such file",
            "Check that /nowhere/token",
        ],
    ),
    "the token is empty": (
        WEB_IDENTITY,
        token_file("\n"),
        None,
        f"role {ROLE} with the token in ",
        ["/token is empty. Check that "],
    ),
    "the token has expired": (
        WEB_IDENTITY,
        token_file("old-token"),
        None,
        f"role {ROLE} with the token in ",
        ["STS: ExpiredTokenException: ", "/token is renewed"],
    ),
    "the token is unknown": (
        WEB_IDENTITY,
        token_file("strange"),
        None,
        f"role {ROLE} with the token in ",
        ["STS: InvalidIdentityToken: ", f"{TRUST} the token's identity provider"],
    ),
    "a variable is missing": (
        f"aws_role_name: os.environ/NO_ROLE, {KEYS}",
        environment,
        None,
        "role os.environ/NO_ROLE with access keys in ID",
        ["the environment variable NO_ROLE is not set. Set NO_ROLE"],
    ),
}


def lines(broker, begin: str) -> list:
    return [line for line in broker.log().splitlines() if f"{WHOM} {begin}" in line]


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_has_one_line_with_deployment_source_and_remedy(identity, tmp_path, name):
    parameters, made, fault, source, parts = FAILURES[name]
    variables = made(identity, tmp_path)
    if fault:
        identity.fault(**fault)
    with Broker(tmp_path, parameters, variables) as broker:
        broker.wait(lambda: lines(broker, "cannot"), "log the failure")
        (line,) = lines(broker, "cannot")
        begin = f" error credentials: {WHOM} cannot be obtained from {source}"
        assert begin in line and [part for part in parts if part not in line] == [], line
        secrets = ["tops3cret", "wrong+s3cret", *identity.issued_secrets()]
        assert [secret for secret in secrets if secret in broker.log()] == []
        status, error = broker.get(f"/credentials/{broker.id}")
        assert status >= 400 and error["message"] in line, error


CODES = {
    "throttled": ("sts", "Throttling", 400, 429),
    "denied": ("assume-role", "AccessDenied", 403, 403),
}


@pytest.mark.parametrize("name", CODES)
def test_a_failure_that_ends_is_logged_as_such(identity, tmp_path, name):
    endpoint, code, status, answered = CODES[name]
    identity.fault(endpoint=endpoint, code=code, status=status, message="no")
    with Broker(tmp_path, WITH_KEYS, identity.environment(**BASE)) as broker:
        broker.wait(lambda: lines(broker, "cannot"), "log the failure")
        status, error = broker.get(f"/credentials/{broker.id}")
        assert (status, error["code"]) == (answered, code)
        identity.clear_faults()
        broker.credential()
        broker.wait(lambda: lines(broker, "are available again"), "log the recovery")


def test_old_credentials_are_served_until_they_expire_and_the_log_says_both(identity, tmp_path):
    identity.set_lifetime(6)
    with Broker(tmp_path, WITH_KEYS, identity.environment(**BASE)) as broker:
        first = broker.credential()
        identity.fault(endpoint="sts", message="no", **DENIED)
        renewal = f"cannot be renewed from {ROLE_WITH_KEYS}"
        broker.wait(lambda: lines(broker, renewal), "log the failure")
        (line,) = lines(broker, renewal)
        assert "; the old ones are used until they expire: STS: AccessDenied: no. Check" in line
        path = f"/credentials/{broker.id}"
        assert broker.get(path) == (200, first)
        broker.wait(lambda: broker.get(path)[0] == 403, "stop serving the expired credential")
        expired = f"{renewal} and have expired: STS: AccessDenied: no. Check"
        broker.wait(lambda: lines(broker, expired), "log the expiry")
        assert len(lines(broker, "cannot")) == 2


def test_a_token_file_that_vanishes_is_named_and_its_return_ends_the_failure(identity, tmp_path):
    variables = token_file("first")(identity, tmp_path)
    identity.register_token("first")
    identity.set_lifetime(6)
    with Broker(tmp_path, WEB_IDENTITY, variables) as broker:
        first = broker.credential()
        token = tmp_path / "token"
        token.rename(tmp_path / "away")
        broker.wait(lambda: lines(broker, "cannot be renewed"), "log the failure")
        (line,) = lines(broker, "cannot be renewed")
        assert f"No such file or directory (os error 2). Check that {token} exists" in line
        assert broker.get(f"/credentials/{broker.id}") == (200, first)
        (tmp_path / "away").rename(token)
        broker.wait(lambda: lines(broker, "are available again"), "log the recovery")
        assert broker.credential() != first

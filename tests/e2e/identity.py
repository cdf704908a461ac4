"""The emulator's identity service: its control API, and the environments of its sources."""

import datetime
import hashlib
import json
import pathlib

SSO_SESSION = "emulated"
SSO_START_URL = "https://emulated.awsapps.com/start"


class Identity:
    """The identity service of an emulator, whose `call` sends requests to the control API."""

    def __init__(self, call):
        self._call = call
        self.url = call("GET", "/identity")["url"]

    # Behaviour.

    def settings(self, **change) -> dict:
        """Changes settings, and returns them all: instance_role, task_role, pod_role and so on."""
        return self._call("POST", "/identity/settings", change)

    def set_lifetime(self, seconds):
        """The lifetime of what is issued from now on; `None` for AWS's lifetimes.

        Credentials expire at a whole second, so up to a second earlier.
        """
        self.settings(lifetime_seconds=seconds)

    def register_key(self, access_key_id, secret_access_key, account, **more):
        """Registers a long-term key. `more`: user, session_token."""
        key = {"access_key_id": access_key_id, "secret_access_key": secret_access_key}
        self._call("POST", "/identity/keys", {**key, "account": account, **more})

    def register_role(self, arn, **trust):
        """Registers a role. `trust`: external_id, principals, subjects (of web identities)."""
        self._call("POST", "/identity/roles", {"arn": arn, **trust})

    def register_token(self, token, **more):
        """Registers a web identity token. `more`: subject, roles, lifetime_seconds."""
        self._call("POST", "/identity/web-identity-tokens", {"token": token, **more})

    def register_sso_token(self, token, **more):
        """Registers a token of SSO. `more`: roles, lifetime_seconds."""
        self._call("POST", "/identity/sso-tokens", {"token": token, **more})

    def issue(self, role_arn, lifetime_seconds=3600, **more) -> dict:
        """A credential as the container endpoints send it. 0 seconds: it has expired already."""
        request = {"role_arn": role_arn, "lifetime_seconds": lifetime_seconds, **more}
        return self._call("POST", "/identity/issue", request)

    def revoke(self, access_key_id=None) -> int:
        """Revokes a credential, or all temporary ones. Returns how many were revoked."""
        request = {"access_key_id": access_key_id} if access_key_id else {}
        return self._call("POST", "/identity/revoke", request)["revoked"]

    def fault(self, kind="error", **fault) -> int:
        """Sets a fault: error, hang, garbage, truncated or close. Returns its id.

        `fault`: endpoint ("sts", "assume-role", "imds", "ecs" and so on), role_arn, count, and for
        errors code, status and message.
        """
        return self._call("POST", "/identity/faults", {"kind": kind, **fault})["id"]

    def faults(self) -> list:
        return self._call("GET", "/identity/faults")

    def clear_faults(self, id=None):
        params = {} if id is None else {"id": id}
        self._call("DELETE", "/identity/faults", params=params)

    def reset(self):
        """Restores everything except the credentials, which stay valid."""
        self._call("DELETE", "/identity")

    # What happened.

    def counts(self) -> dict:
        """The number of calls of each endpoint."""
        return self._call("GET", "/identity/calls")["counts"]

    def calls(self, endpoint=None) -> list:
        """The calls of one endpoint or of all, oldest first."""
        calls = self._call("GET", "/identity/calls")["calls"]
        return [call for call in calls if endpoint in (None, call["endpoint"])]

    def clear_calls(self):
        self._call("DELETE", "/identity/calls")

    def credentials(self) -> list:
        """Every credential that exists: id, account, ARN and expiry."""
        return self._call("GET", "/identity/credentials")

    def issued_secrets(self) -> list:
        """Every secret that was ever issued or registered, and the API keys that regions saw."""
        return self._call("GET", "/identity/secrets")

    # The environment of each source. No other AWS_ variable may be set, not even to "".

    def environment(self, **variables) -> dict:
        """The variables that every source needs: STS is at the emulator, and IMDS is off."""
        return {
            "AWS_REGION": "us-west-2",
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_ENDPOINT_URL_STS": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            **variables,
        }

    def keys(self, access_key_id, secret_access_key, token="") -> dict:
        """Keys in the environment."""
        return self.environment(
            AWS_ACCESS_KEY_ID=access_key_id,
            AWS_SECRET_ACCESS_KEY=secret_access_key,
            AWS_SESSION_TOKEN=token,
        )

    def profile(self, folder, config, name="default") -> dict:
        """A profile of a config file with the text `config`, which is written into `folder`."""
        file = pathlib.Path(folder) / "aws-config"
        file.write_text(config, encoding="utf-8")
        return self.environment(AWS_CONFIG_FILE=str(file), AWS_PROFILE=name)

    def web_identity(self, folder, role_arn, token="emulated-web-identity", **more) -> dict:
        """IRSA: a token file in `folder`, and a role. The token is registered."""
        self.register_token(token, **more)
        file = pathlib.Path(folder) / "web-identity-token"
        file.write_text(token, encoding="utf-8")
        return self.environment(
            AWS_WEB_IDENTITY_TOKEN_FILE=str(file),
            AWS_ROLE_ARN=role_arn,
            AWS_ROLE_SESSION_NAME="web-session",
        )

    def instance(self) -> dict:
        """IMDSv2 of an EC2 instance."""
        return self.environment(
            AWS_EC2_METADATA_SERVICE_ENDPOINT=self.url, AWS_EC2_METADATA_DISABLED="false"
        )

    def task(self) -> dict:
        """ECS. The relative URI of a real task is bound to an address that only ECS has."""
        task_id = self.settings()["task_id"]
        return self.environment(
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{self.url}/v2/credentials/{task_id}"
        )

    def pod(self, folder) -> dict:
        """EKS Pod Identity: a token file in `folder`."""
        file = pathlib.Path(folder) / "pod-token"
        file.write_text(self.settings()["pod_tokens"][0], encoding="utf-8")
        return self.environment(
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{self.url}/v1/credentials",
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(file),
        )

    def sso(self, folder, account, role, token="emulated-sso-token", lifetime_seconds=3600) -> dict:
        """A profile of SSO after a login. `folder` is the home directory. The token is registered.

        botocore looks for the home directory when it is imported, so this is for a new process.
        """
        self.register_sso_token(token, lifetime_seconds=lifetime_seconds)
        now = datetime.datetime.now(datetime.UTC)
        expires = now + datetime.timedelta(seconds=lifetime_seconds)
        cached = {
            "startUrl": SSO_START_URL,
            "region": "us-east-1",
            "accessToken": token,
            "expiresAt": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        cache = pathlib.Path(folder) / ".aws" / "sso" / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha1(SSO_SESSION.encode()).hexdigest()
        (cache / f"{name}.json").write_text(json.dumps(cached), encoding="utf-8")
        config = f"""[sso-session {SSO_SESSION}]
sso_start_url = {SSO_START_URL}
sso_region = us-east-1
sso_registration_scopes = sso:account:access
[profile sso]
sso_session = {SSO_SESSION}
sso_account_id = {account}
sso_role_name = {role}
"""
        variables = self.profile(folder, config, "sso")
        return {**variables, "AWS_ENDPOINT_URL_SSO": self.url, "HOME": str(folder)}

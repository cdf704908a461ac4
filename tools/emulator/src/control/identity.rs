//! The control API of the identity service.
//!
//! | request | effect |
//! | --- | --- |
//! | `GET /identity` | `{"url": …, "settings": {…}}` |
//! | `DELETE /identity` | settings, roles, tokens, faults and calls are as at the start; credentials and the list of secrets stay |
//! | `POST /identity/settings` | changes what is given ([`SettingsChange`]); responds with all settings |
//! | `POST /identity/keys` | registers a long-term credential of an account ([`KeyRequest`]) |
//! | `POST /identity/roles` | registers a role and its trust ([`TrustedRole`]), in place of one with the same ARN |
//! | `POST /identity/web-identity-tokens` | registers a token ([`WebIdentityRequest`]) |
//! | `POST /identity/sso-tokens` | registers a token of SSO, whose subject is not used ([`WebIdentityRequest`]) |
//! | `POST /identity/issue` | issues a credential ([`IssueRequest`]), and responds with it |
//! | `POST /identity/revoke` | `{"access_key_id": …}`, or `{}` for all temporary credentials; responds `{"revoked": n}` |
//! | `POST /identity/faults` | adds a fault ([`IdentityFault`]); responds `{"id": n}` |
//! | `GET /identity/faults`, `DELETE /identity/faults[?id=n]` | the faults and their hits; clears one or all |
//! | `GET /identity/calls` | `{"counts": {endpoint: n}, "calls": […]}` |
//! | `DELETE /identity/calls` | removes counts and calls |
//! | `GET /identity/credentials` | every credential without its secret |
//! | `GET /identity/secrets` | every secret that was ever issued or registered, and the short-term API keys that the regions have seen |

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};

use super::controller::Controller;
use super::request::{ControlError, QueryParameters, number, read};
use crate::config::KnownCredential;
use crate::identity::fault::IdentityFault;
use crate::identity::issue;
use crate::identity::role::{RoleArn, TrustedRole};
use crate::identity::settings::SettingsChange;
use crate::identity::web_identity::WebIdentityRequest;
use crate::judge::keyring::OwnedCredential;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRequest {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    /// Twelve digits.
    account: String,
    /// Name of the IAM user.
    #[serde(default = "default_user")]
    user: String,
}

fn default_user() -> String {
    "emulator".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueRequest {
    role_arn: RoleArn,
    #[serde(default = "default_user")]
    session: String,
    /// 0 for a credential that has expired.
    lifetime_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeRequest {
    access_key_id: Option<String>,
}

/// Runs a request whose path starts with `/identity`.
pub(super) async fn run(
    controller: &Controller,
    method: &str,
    path: &str,
    query: &QueryParameters,
    body: Incoming,
) -> Result<Value, ControlError> {
    let emulator = &controller.emulator;
    let identity = &emulator.identity;
    let done = json!({ "ok": true });
    Ok(match (method, path) {
        ("GET", "/identity") => {
            let url = controller.identity.map(|address| format!("http://{address}"));
            json!({ "url": url, "settings": identity.settings() })
        }
        ("DELETE", "/identity") => {
            identity.reset();
            done
        }
        ("POST", "/identity/settings") => {
            let change: SettingsChange = read(body).await?;
            identity.change_settings(change);
            json!(identity.settings())
        }
        ("POST", "/identity/keys") => {
            let request: KeyRequest = read(body).await?;
            register_key(controller, request)?;
            done
        }
        ("POST", "/identity/roles") => {
            let role: TrustedRole = read(body).await?;
            identity.register_role(role);
            done
        }
        ("POST", "/identity/web-identity-tokens") => {
            let request: WebIdentityRequest = read(body).await?;
            identity.register_web_identity(request, SystemTime::now());
            done
        }
        ("POST", "/identity/sso-tokens") => {
            let request: WebIdentityRequest = read(body).await?;
            identity.register_sso_token(request, SystemTime::now());
            done
        }
        ("POST", "/identity/issue") => {
            let request: IssueRequest = read(body).await?;
            let IssueRequest {
                role_arn,
                session,
                lifetime_seconds,
            } = &request;
            issue::members(&issue::issue(emulator, role_arn, session, *lifetime_seconds))
        }
        ("POST", "/identity/revoke") => {
            let RevokeRequest { access_key_id } = read(body).await?;
            let revoked = emulator.change_keyring(|keyring| keyring.revoke(access_key_id.as_deref()));
            json!({ "revoked": revoked })
        }
        ("POST", "/identity/faults") => {
            let fault: IdentityFault = read(body).await?;
            fault.check().map_err(ControlError::Identity)?;
            json!({ "id": identity.faults.add(fault) })
        }
        ("GET", "/identity/faults") => json!(identity.faults.list()),
        ("DELETE", "/identity/faults") => {
            identity.faults.clear(number(query, "id")?);
            done
        }
        ("GET", "/identity/calls") => {
            json!({ "counts": identity.calls.counts(), "calls": identity.calls.list() })
        }
        ("DELETE", "/identity/calls") => {
            identity.calls.clear();
            done
        }
        ("GET", "/identity/credentials") => {
            let known = emulator.known();
            Value::Array(known.keyring.credentials().map(describe).collect())
        }
        ("GET", "/identity/secrets") => json!(identity.secrets()),
        (method, path) => return Err(ControlError::UnknownPath(format!("{method} {path}"))),
    })
}

fn register_key(controller: &Controller, request: KeyRequest) -> Result<(), ControlError> {
    let KeyRequest { account, user, .. } = &request;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        let reason = format!("expected account to be 12 digits, but found {account:?}");
        return Err(ControlError::Identity(reason));
    }
    let credential = KnownCredential {
        access_key_id: request.access_key_id.clone(),
        secret_access_key: request.secret_access_key.clone(),
        session_token: request.session_token.clone(),
    };
    let emulator = &controller.emulator;
    emulator.identity.note_credential(&credential);
    emulator.change_keyring(|keyring| keyring.insert(OwnedCredential::of_user(credential, account, user)));
    Ok(())
}

fn describe(owned: &OwnedCredential) -> Value {
    let expires = owned.expires.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    json!({
        "access_key_id": owned.credential.access_key_id,
        "account": owned.principal.account,
        "arn": owned.principal.arn,
        "expires_unix_seconds": expires.map(|at| at.as_secs()),
        "is_revoked": owned.is_revoked,
    })
}

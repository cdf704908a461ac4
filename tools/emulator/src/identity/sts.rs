//! STS: the actions of the query protocol.

use std::time::SystemTime;

use super::endpoint::IdentityEndpoint;
use super::error::IdentityError;
use super::form::Form;
use super::issue::{self, rfc3339};
use super::reply::IdentityReply;
use super::role::RoleArn;
use super::secret;
use super::state::RoleTrust;
use super::xml::{self, Element};
use crate::judge::keyring::{OwnedCredential, Principal};
use crate::judge::raw_request::RawRequest;
use crate::judge::verify::verify_sts;
use crate::state::EmulatorState;

const LIFETIME_DEFAULT_SECONDS: u64 = 3600;
const LIFETIME_MIN_SECONDS: u64 = 900;
const LIFETIME_LIMIT_SECONDS: u64 = 43_200;
/// Longest lifetime that the credentials of a role can ask for.
const CHAINED_LIFETIME_LIMIT_SECONDS: u64 = 3600;

/// The action that a form names.
pub(super) fn endpoint(form: &Form) -> Result<IdentityEndpoint, IdentityError> {
    match form.find("Action") {
        Some("AssumeRole") => Ok(IdentityEndpoint::AssumeRole),
        Some("AssumeRoleWithWebIdentity") => Ok(IdentityEndpoint::AssumeRoleWithWebIdentity),
        Some("GetCallerIdentity") => Ok(IdentityEndpoint::GetCallerIdentity),
        action => Err(IdentityError::of_code(
            "InvalidAction",
            Some(&format!(
                "Could not find operation {} for version 2011-06-15",
                action.unwrap_or_default()
            )),
        )),
    }
}

pub(super) fn assume_role(
    emulator: &EmulatorState,
    request: &RawRequest<'_>,
    form: &Form,
) -> Result<IdentityReply, IdentityError> {
    let caller = caller(emulator, request)?;
    let session = RoleSession::parse(form)?;
    if caller.expires.is_some() && session.lifetime_seconds > CHAINED_LIFETIME_LIMIT_SECONDS {
        return Err(IdentityError::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    let is_trusted = match emulator.identity.trust(&session.role) {
        RoleTrust::Registered(role) => role.trusts(&caller.principal, form.find("ExternalId")),
        RoleTrust::Open => true,
        RoleTrust::Unknown => false,
    };
    if !is_trusted {
        return Err(IdentityError::denied(format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {}",
            caller.principal.arn,
            session.role.as_str()
        )));
    }
    Ok(session.issue(emulator, "AssumeRole", &[]))
}

pub(super) fn assume_role_with_web_identity(
    emulator: &EmulatorState,
    form: &Form,
) -> Result<IdentityReply, IdentityError> {
    let session = RoleSession::parse(form)?;
    let now = SystemTime::now();
    let token = form.require("WebIdentityToken")?;
    let identity = emulator.identity.web_identity(token);
    let identity = identity.ok_or_else(|| {
        let message =
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";
        IdentityError::of_code("InvalidIdentityToken", Some(message))
    })?;
    if identity.is_expired(now) {
        return Err(IdentityError::of_code(
            "ExpiredTokenException",
            Some("Token expired"),
        ));
    }
    let is_trusted = match emulator.identity.trust(&session.role) {
        RoleTrust::Registered(role) => role.trusts_subject(&identity.subject),
        RoleTrust::Open => true,
        RoleTrust::Unknown => false,
    };
    if !(is_trusted && identity.may_assume(&session.role)) {
        return Err(IdentityError::denied(
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        ));
    }
    let subject = [
        Element::Text("SubjectFromWebIdentityToken", &identity.subject),
        Element::Text("Audience", "sts.amazonaws.com"),
    ];
    Ok(session.issue(emulator, "AssumeRoleWithWebIdentity", &subject))
}

pub(super) fn caller_identity(
    emulator: &EmulatorState,
    request: &RawRequest<'_>,
) -> Result<IdentityReply, IdentityError> {
    let Principal {
        account,
        arn,
        user_id,
    } = caller(emulator, request)?.principal;
    let result = [
        Element::Text("Arn", &arn),
        Element::Text("UserId", &user_id),
        Element::Text("Account", &account),
    ];
    Ok(reply("GetCallerIdentity", &result))
}

fn caller(emulator: &EmulatorState, request: &RawRequest<'_>) -> Result<OwnedCredential, IdentityError> {
    verify_sts(&emulator.known().keyring, SystemTime::now(), request)
        .cloned()
        .map_err(|failure| IdentityError::unauthenticated(&failure))
}

fn reply(action: &str, result: &[Element<'_>]) -> IdentityReply {
    IdentityReply::ok("text/xml", xml::response(action, result, &secret::request_id()))
}

/// The session that a request asks for.
#[derive(Debug)]
struct RoleSession {
    role: RoleArn,
    name: String,
    lifetime_seconds: u64,
}

impl RoleSession {
    fn parse(form: &Form) -> Result<Self, IdentityError> {
        let arn = form.require("RoleArn")?;
        let name = form.require("RoleSessionName")?;
        check_session_name(name)?;
        let lifetime_seconds = match form.find("DurationSeconds") {
            None => LIFETIME_DEFAULT_SECONDS,
            Some(text) => lifetime(text)?,
        };
        Ok(Self {
            role: RoleArn::parse(arn)
                .ok_or_else(|| IdentityError::validation(format!("{arn} is invalid")))?,
            name: name.to_owned(),
            lifetime_seconds,
        })
    }

    /// Issues the session's credentials. `more` goes into the result.
    fn issue(&self, emulator: &EmulatorState, action: &str, more: &[Element<'_>]) -> IdentityReply {
        let lifetime_seconds = emulator.identity.settings().lifetime_seconds;
        let lifetime_seconds = lifetime_seconds.unwrap_or(self.lifetime_seconds);
        let owned = issue::issue(emulator, &self.role, &self.name, lifetime_seconds);
        let OwnedCredential {
            credential,
            principal,
            expires,
            ..
        } = &owned;
        let expiration = expires.map(rfc3339).unwrap_or_default();
        let credentials = vec![
            Element::Text("AccessKeyId", &credential.access_key_id),
            Element::Text("SecretAccessKey", &credential.secret_access_key),
            Element::Text(
                "SessionToken",
                credential.session_token.as_deref().unwrap_or_default(),
            ),
            Element::Text("Expiration", &expiration),
        ];
        let user = vec![
            Element::Text("AssumedRoleId", &principal.user_id),
            Element::Text("Arn", &principal.arn),
        ];
        let mut result = vec![
            Element::Group("Credentials", credentials),
            Element::Group("AssumedRoleUser", user),
        ];
        result.extend(more.iter().cloned());
        reply(action, &result).with_issued(&credential.access_key_id)
    }
}

fn check_session_name(name: &str) -> Result<(), IdentityError> {
    let constraint = if name.chars().count() < 2 {
        "Member must have length greater than or equal to 2"
    } else if name.chars().count() > 64 {
        "Member must have length less than or equal to 64"
    } else if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
    {
        "Member must satisfy regular expression pattern: [\\w+=,.@-]*"
    } else {
        return Ok(());
    };
    Err(IdentityError::validation(format!(
        "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: {constraint}"
    )))
}

fn lifetime(text: &str) -> Result<u64, IdentityError> {
    let value = text.parse().ok();
    let constraint = match value {
        Some(seconds) if seconds < LIFETIME_MIN_SECONDS => {
            format!("Member must have value greater than or equal to {LIFETIME_MIN_SECONDS}")
        }
        Some(seconds) if seconds <= LIFETIME_LIMIT_SECONDS => return Ok(seconds),
        _ => format!("Member must have value less than or equal to {LIFETIME_LIMIT_SECONDS}"),
    };
    Err(IdentityError::validation(format!(
        "1 validation error detected: Value '{text}' at 'durationSeconds' failed to satisfy constraint: {constraint}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(name: &str, duration: Option<u64>) -> Result<RoleSession, IdentityError> {
        let mut body = format!("RoleArn=arn:aws:iam::111122223333:role/r&RoleSessionName={name}");
        if let Some(duration) = duration {
            body = format!("{body}&DurationSeconds={duration}");
        }
        RoleSession::parse(&Form::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn a_session_name_has_2_to_64_characters_of_a_pattern() {
        for (name, is_valid) in [
            ("a", false),
            ("ab", true),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
            ("a%2B%3D%2C.%40-_", true),
            ("a/b", false),
            ("a%20b", false),
        ] {
            let parsed = session(name, None);
            assert_eq!(parsed.is_ok(), is_valid, "{name}");
            if let Err(error) = parsed {
                assert!(error.message.contains("'roleSessionName'"), "{}", error.message);
            }
        }
    }

    #[test]
    fn a_lifetime_is_between_15_minutes_and_12_hours() {
        for (seconds, is_valid) in [(899, false), (900, true), (43_200, true), (43_201, false)] {
            assert_eq!(session("ab", Some(seconds)).is_ok(), is_valid, "{seconds}");
        }
        assert_eq!(session("ab", None).unwrap().lifetime_seconds, 3600);
        assert!(lifetime("x").is_err());
    }

    #[test]
    fn a_role_must_be_named_by_its_arn() {
        for (body, message) in [
            ("RoleSessionName=ab", "Value null at 'roleArn'"),
            ("RoleArn=r&RoleSessionName=ab", "r is invalid"),
            (
                "RoleArn=arn:aws:iam::111122223333:role/r",
                "Value null at 'roleSessionName'",
            ),
        ] {
            let error = RoleSession::parse(&Form::parse(body.as_bytes()).unwrap()).unwrap_err();
            assert!(error.message.contains(message), "{}", error.message);
        }
    }
}

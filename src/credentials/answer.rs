//! Answers of the broker.

use serde::Deserialize;

use crate::credentials::issued::{IssuedCredential, IssuedSecret};
use crate::excerpt::excerpt;
use crate::secret::Secret;
use crate::sigv4::AccessKeyId;
use crate::time::UnixTime;

/// Longest message of the broker that is kept, in bytes.
const MESSAGE_MAX_BYTES: usize = 500;
/// The broker's code while its first fetch is under way.
const PENDING: &str = "Pending";
/// The code of a call that did not reach the broker.
const UNREACHABLE: &str = "Unreachable";
/// The code of an answer that the filter does not understand.
const MALFORMED: &str = "Malformed";
/// Codes and their names in metrics. Any other code is `other`, so that a broker cannot create
/// metrics.
const REASONS: [(&str, &str); 10] = [
    (PENDING, "pending"),
    (UNREACHABLE, "unreachable"),
    (MALFORMED, "malformed"),
    ("AccessDenied", "access_denied"),
    ("Throttling", "throttling"),
    ("ExpiredToken", "expired_token"),
    ("NotFound", "not_found"),
    ("ProviderError", "provider_error"),
    ("InvalidConfiguration", "invalid_configuration"),
    ("Timeout", "timeout"),
];

/// Why the broker has no credential. Contains no secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BrokerFailure {
    /// What went wrong, in one word.
    pub(crate) code: String,
    /// The source and the remedy, in one line.
    pub(crate) message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeysAnswer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BearerAnswer {
    token: String,
    expiration: Option<String>,
}

impl BrokerFailure {
    /// The broker could not be reached: `status` is Envoy's, or 0 if there was no response.
    fn unreachable(status: u16) -> Self {
        let message = match status {
            0 => "the credential broker did not answer".to_owned(),
            status => format!("the credential broker did not answer: status {status}"),
        };
        Self {
            code: UNREACHABLE.to_owned(),
            message,
        }
    }

    fn malformed(field: &str) -> Self {
        Self {
            code: MALFORMED.to_owned(),
            message: format!("{field} in the answer of the credential broker is missing or malformed"),
        }
    }

    /// The broker has answered with a credential that has expired.
    pub(super) fn expired() -> Self {
        Self {
            code: "ExpiredToken".to_owned(),
            message: "the credential broker has only an expired credential".to_owned(),
        }
    }

    /// The name of its code in metrics.
    pub(crate) fn reason(&self) -> &'static str {
        let known = REASONS.iter().find(|(code, _)| *code == self.code);
        known.map_or("other", |(_, reason)| reason)
    }

    /// Whether the broker has not tried yet.
    pub(crate) fn is_pending(&self) -> bool {
        self.code == PENDING
    }

    /// Whether it says nothing about the credential.
    pub(super) fn is_inconclusive(&self) -> bool {
        self.is_pending() || self.code == UNREACHABLE
    }
}

/// Reads an answer: its `status`, which is 0 if there was none, and its body.
pub(super) fn read(is_bearer: bool, status: u16, body: &[u8]) -> Result<IssuedCredential, BrokerFailure> {
    if status != 200 {
        // Envoy's own replies have another format.
        let failure = serde_json::from_slice(body).map_err(|_| BrokerFailure::unreachable(status));
        return Err(failure.map_or_else(
            |failure| failure,
            |BrokerFailure { code, message }| BrokerFailure {
                code: excerpt(code.as_bytes(), MESSAGE_MAX_BYTES),
                message: excerpt(message.as_bytes(), MESSAGE_MAX_BYTES),
            },
        ));
    }
    if is_bearer { bearer(body) } else { keys(body) }
}

fn keys(body: &[u8]) -> Result<IssuedCredential, BrokerFailure> {
    let answer: KeysAnswer =
        serde_json::from_slice(body).map_err(|_| BrokerFailure::malformed("the access key"))?;
    let expires = expiry(answer.expiration.as_deref())?;
    let access_key_id =
        AccessKeyId::new(answer.access_key_id).map_err(|_| BrokerFailure::malformed("AccessKeyId"))?;
    let session_token = answer.token.filter(|token| !token.is_empty());
    if answer.secret_access_key.is_empty() {
        return Err(BrokerFailure::malformed("SecretAccessKey"));
    }
    if session_token
        .as_deref()
        .is_some_and(|token| !is_header_value(token))
    {
        return Err(BrokerFailure::malformed("Token"));
    }
    let name = access_key_id.as_str().to_owned();
    let secret = IssuedSecret::Keys {
        access_key_id,
        secret_access_key: Secret::new(answer.secret_access_key),
        session_token: session_token.map(Secret::new),
    };
    Ok(IssuedCredential::new(secret, expires, name))
}

fn bearer(body: &[u8]) -> Result<IssuedCredential, BrokerFailure> {
    let answer: BearerAnswer =
        serde_json::from_slice(body).map_err(|_| BrokerFailure::malformed("the API key"))?;
    let expires = expiry(answer.expiration.as_deref())?;
    if answer.token.is_empty() || !is_header_value(&answer.token) {
        return Err(BrokerFailure::malformed("Token"));
    }
    let secret = IssuedSecret::Bearer(Secret::new(format!("Bearer {}", answer.token)));
    Ok(IssuedCredential::new(
        secret,
        expires,
        answer.expiration.unwrap_or_default(),
    ))
}

fn expiry(text: Option<&str>) -> Result<Option<UnixTime>, BrokerFailure> {
    let parse = |text| UnixTime::parse_rfc3339(text).ok_or(BrokerFailure::malformed("Expiration"));
    text.map(parse).transpose()
}

/// Whether `text` can be sent in a header.
fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(is_bearer: bool, status: u16, body: &str) -> (String, &'static str) {
        let failure = read(is_bearer, status, body.as_bytes()).unwrap_err();
        assert!(!failure.message.contains("s3cr3t"), "{failure:?}");
        (failure.code.clone(), failure.reason())
    }

    #[test]
    fn an_access_key_is_read_with_its_token_and_expiry() {
        let body = br#"{"AccessKeyId": "ASIA1", "SecretAccessKey": "s3cr3t", "Token": "t",
            "Expiration": "2026-11-22T14:19:34Z", "AccountId": "123456789012"}"#;
        let issued = read(false, 200, body).unwrap();
        assert_eq!(issued.expires, Some(UnixTime::from_seconds(1_795_357_174)));
        assert_eq!(issued.name, "ASIA1");
        assert!(!format!("{issued:?}").contains("s3cr3t"));
        let endless = br#"{"AccessKeyId": "AKIA1", "SecretAccessKey": "s3cr3t", "Token": ""}"#;
        let issued = read(false, 200, endless).unwrap();
        let IssuedSecret::Keys { session_token, .. } = &issued.secret else {
            panic!("{issued:?}");
        };
        assert!(issued.expires.is_none() && session_token.is_none());
        assert!(issued.is_valid(UnixTime::from_nanoseconds(u64::MAX)));
    }

    #[test]
    fn an_api_key_becomes_a_complete_header_and_is_named_by_its_expiry() {
        let body = br#"{"Token": "bedrock-api-key-s3cr3t", "Expiration": "2026-11-22T14:19:34Z"}"#;
        let issued = read(true, 200, body).unwrap();
        let IssuedSecret::Bearer(value) = &issued.secret else {
            panic!("{issued:?}");
        };
        assert_eq!(value.expose(), "Bearer bedrock-api-key-s3cr3t");
        assert_eq!(issued.name, "2026-11-22T14:19:34Z");
    }

    #[test]
    fn a_failure_keeps_the_code_and_the_message_of_the_broker() {
        let body = br#"{"code": "AccessDenied", "message": "role x: not authorized\n"}"#;
        let failure = read(false, 502, body).unwrap_err();
        assert_eq!(failure.code, "AccessDenied");
        assert_eq!(failure.message, "role x: not authorized\u{fffd}");
        assert_eq!(failure.reason(), "access_denied");
    }

    #[test]
    fn an_answer_that_is_not_the_brokers_is_a_failure_without_its_content() {
        for (is_bearer, status, body, expected) in [
            (false, 0, "", ("Unreachable", "unreachable")),
            (
                false,
                503,
                "upstream connect error s3cr3t",
                ("Unreachable", "unreachable"),
            ),
            (false, 200, "s3cr3t", ("Malformed", "malformed")),
            (false, 200, r#"{"Token": "s3cr3t"}"#, ("Malformed", "malformed")),
            (
                false,
                200,
                r#"{"AccessKeyId": "s3cr3t/", "SecretAccessKey": "x"}"#,
                ("Malformed", "malformed"),
            ),
            (
                false,
                200,
                r#"{"AccessKeyId": "A", "SecretAccessKey": ""}"#,
                ("Malformed", "malformed"),
            ),
            (
                false,
                200,
                r#"{"AccessKeyId": "A", "SecretAccessKey": "s3cr3t", "Token": "a\nb"}"#,
                ("Malformed", "malformed"),
            ),
            (
                true,
                200,
                r#"{"Token": "s3cr3t", "Expiration": "soon"}"#,
                ("Malformed", "malformed"),
            ),
            (true, 200, r#"{"Token": "a b"}"#, ("Malformed", "malformed")),
            (
                true,
                500,
                r#"{"code": "Surprise", "message": "m"}"#,
                ("Surprise", "other"),
            ),
        ] {
            let (code, reason) = failure(is_bearer, status, body);
            assert_eq!((code.as_str(), reason), expected, "{status} {body}");
        }
    }
}

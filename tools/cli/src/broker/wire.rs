//! The broker's responses, in the format of the container credentials endpoints of ECS and EKS.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::failure::Failure;

/// A credential.
pub(super) fn credential(keys: &Credentials) -> Value {
    json!({
        "AccessKeyId": keys.access_key_id(),
        "SecretAccessKey": keys.secret_access_key(),
        "Token": keys.session_token(),
        "Expiration": keys.expiry().map(rfc3339),
    })
}

/// An API key.
pub(super) fn api_key(key: &str, expiry: SystemTime) -> Value {
    json!({ "Token": key, "Expiration": rfc3339(expiry) })
}

/// An error.
pub(super) fn error(failure: &Failure) -> Value {
    json!({ "code": failure.code.name(), "message": failure.reason })
}

/// A time as in `2026-11-26T12:00:00Z`, rounded down.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (hour, minute, second) = time.to_hms();
    let date = time.date();
    format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_time_is_written_in_utc_to_the_second() {
        let time = UNIX_EPOCH + Duration::from_millis(1_795_694_400_999);
        assert_eq!(rfc3339(time), "2026-11-26T12:00:00Z");
    }
}

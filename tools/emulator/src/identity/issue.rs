//! Issuing temporary credentials.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::role::RoleArn;
use super::secret;
use crate::judge::keyring::OwnedCredential;
use crate::state::EmulatorState;

/// Issues a credential of a session of `role`. It expires at a whole second, because no wire format
/// has a fraction, so up to a second earlier than `lifetime_seconds` says.
pub(crate) fn issue(
    emulator: &EmulatorState,
    role: &RoleArn,
    session: &str,
    lifetime_seconds: u64,
) -> OwnedCredential {
    let owned = OwnedCredential {
        credential: secret::credential(),
        principal: role.session(session),
        expires: Some(UNIX_EPOCH + Duration::from_secs(unix_seconds(SystemTime::now()) + lifetime_seconds)),
        is_revoked: false,
    };
    emulator.identity.note_credential(&owned.credential);
    emulator.change_keyring(|keyring| keyring.insert(owned.clone()));
    owned
}

/// The members that IMDS and the container endpoints have in common.
pub(crate) fn members(owned: &OwnedCredential) -> Value {
    json!({
        "AccessKeyId": owned.credential.access_key_id,
        "SecretAccessKey": owned.credential.secret_access_key,
        "Token": owned.credential.session_token,
        "Expiration": owned.expires.map(rfc3339),
    })
}

/// A time in the form that AWS's wire formats use: UTC, whole seconds.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let seconds = i64::try_from(unix_seconds(time)).unwrap_or(i64::MAX);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc_and_whole_seconds() {
        let time = UNIX_EPOCH + Duration::from_millis(1_789_000_001_999);
        assert_eq!(rfc3339(time), "2026-09-10T00:26:41Z");
    }
}

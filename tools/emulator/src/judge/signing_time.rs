//! When a signature was made.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::PrimitiveDateTime;
use time::macros::format_description;

use super::auth_failure::AuthFailure;

/// Largest difference between the signing time and now.
pub(super) const CLOCK_SKEW_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Parses `X-Amz-Date`. Its day must be `scope_date`, the one in the credential scope.
pub(super) fn parse(text: &str, scope_date: &str) -> Result<SystemTime, Box<AuthFailure>> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let parsed = PrimitiveDateTime::parse(text, format).ok();
    let parsed = parsed
        .and_then(|at| u64::try_from(at.assume_utc().unix_timestamp()).ok())
        .ok_or_else(|| AuthFailure::incomplete("Date must be in ISO-8601 'basic format'."))?;
    if !text.starts_with(scope_date) || scope_date.len() != 8 {
        return Err(AuthFailure::signature(
            "wrong day",
            format!("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date: {text}"),
        ));
    }
    Ok(UNIX_EPOCH + Duration::from_secs(parsed))
}

pub(super) fn check_not_in_the_future(
    text: &str,
    signed_at: SystemTime,
    now: SystemTime,
) -> Result<(), Box<AuthFailure>> {
    if signed_at > now + CLOCK_SKEW_LIMIT {
        let message =
            format!("Signature not yet current: {text} is still later than the server's time + 5 min.");
        return Err(AuthFailure::signature("not yet current", message));
    }
    Ok(())
}

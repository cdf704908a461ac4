//! How long a key lives.

use envoy_bedrock::time::UnixTime;
use time::OffsetDateTime;

use super::error::KeysError;

/// The latest expiry, in seconds since 1970: the year 9999.
const EXPIRY_MAX: u64 = 253_370_764_800;

/// The time after a duration such as `30d`, in the words of LiteLLM's `duration`. `name` is the option
/// that has it.
pub(super) fn expiry(name: &'static str, duration: &str) -> Result<String, KeysError> {
    let bad = || KeysError::BadValue {
        name,
        expected: "a whole number with a unit, such as 30m, 12h or 90d",
        found: duration.to_owned(),
    };
    let (number, unit) = duration
        .split_at_checked(duration.len().saturating_sub(1))
        .ok_or_else(bad)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(bad()),
    };
    let number: u64 = number.parse().map_err(|_| bad())?;
    let life = number.checked_mul(seconds).ok_or_else(bad)?;
    let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default();
    let expires = now
        .checked_add(life)
        .filter(|seconds| *seconds < EXPIRY_MAX)
        .ok_or_else(bad)?;
    Ok(UnixTime::from_seconds(expires).rfc3339().as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_with_a_unit() {
        for duration in ["30s", "5m", "12h", "90d"] {
            let expires = expiry("--duration", duration).unwrap();
            let expires = UnixTime::parse_rfc3339(&expires).unwrap().seconds();
            assert!(expires > u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap());
        }
        for duration in ["", "d", "1.5h", "-1d", "10", "3w", "99999999999999999999d", "é"] {
            let error = expiry("--duration", duration).unwrap_err().to_string();
            assert!(
                error.starts_with("--duration: expected a whole number"),
                "{error}"
            );
        }
    }
}

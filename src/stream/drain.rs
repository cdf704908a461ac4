//! Limits on draining: discarding the rest of an upload before the gateway replies.
//!
//! After a reply to a request that is still arriving, Envoy closes the HTTP/1.1 connection or
//! resets the HTTP/2 stream. Most clients send everything before they read the response, so they
//! would see a broken connection instead of the reply. The reply therefore waits for the end of
//! the upload. The limits are in bytes, total time and silence.

use crate::headers::Headers;
use crate::routing::active_config::ActiveConfig;
use crate::time::UnixTime;

/// When the reply is sent although the upload continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    /// Maximum bytes to discard.
    bytes: u64,
    /// Maximum seconds since the request's headers.
    total_seconds: u64,
    /// Maximum seconds since the last byte.
    silence_seconds: u64,
}

/// Who is uploading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uploader {
    /// A client with a valid proxy key.
    Known,
    /// Anybody else. The limits are lower.
    Unknown,
}

impl Uploader {
    /// Checks the proxy key of a request.
    pub(super) fn of(config: &ActiveConfig, headers: Headers<'_>, now: UnixTime) -> Self {
        match config.keys.admit(headers, None, || now) {
            Ok(_) => Self::Known,
            Err(_) => Self::Unknown,
        }
    }
}

/// Envoy's limit for receiving a whole request, in seconds: enough for 32 MiB at one megabit per
/// second. Envoy then replies with 408.
pub const UPLOAD_SECONDS: u64 = 300;

/// Byte limit with a valid key: several times what Bedrock accepts, so that a client with a body
/// that is far too large still learns why it was refused.
const KNOWN_BYTES_MIN: u64 = 128 * 1024 * 1024;
/// The same as a multiple of the body limit, if that is higher.
const KNOWN_BODY_LIMITS: u64 = 4;
/// Slightly less than Envoy's limit, so that the client gets this reply instead of the 408.
const KNOWN_SECONDS: u64 = UPLOAD_SECONDS - 10;
/// A shorter pause may be a lost packet or a slow disk. After a longer one, the client is probably
/// waiting for a response.
const KNOWN_SILENCE_SECONDS: u64 = 10;

/// Byte limit without a valid key: 1.5 times the default body limit, so that a client with a
/// mistyped key and a large body still learns about its key.
const UNKNOWN_BYTES_MIN: u64 = 48 * 1024 * 1024;
/// The same as bytes above the body limit, if that is higher.
const UNKNOWN_BYTES_ABOVE_LIMIT: u64 = 16 * 1024 * 1024;
/// Enough for 48 MiB at seven megabits per second.
const UNKNOWN_SECONDS: u64 = 60;
/// Half of the time that a client with a valid key has.
const UNKNOWN_SILENCE_SECONDS: u64 = 5;

/// Interval at which [`Drain::is_over`] must be checked for a stalled upload, in milliseconds.
pub const TICK_MILLISECONDS: u32 = 1000;

impl Bounds {
    fn of(uploader: Uploader, body_limit_bytes: u64) -> Self {
        match uploader {
            Uploader::Known => Self {
                bytes: body_limit_bytes
                    .saturating_mul(KNOWN_BODY_LIMITS)
                    .max(KNOWN_BYTES_MIN),
                total_seconds: KNOWN_SECONDS,
                silence_seconds: KNOWN_SILENCE_SECONDS,
            },
            Uploader::Unknown => Self {
                bytes: body_limit_bytes
                    .saturating_add(UNKNOWN_BYTES_ABOVE_LIMIT)
                    .max(UNKNOWN_BYTES_MIN),
                total_seconds: UNKNOWN_SECONDS,
                silence_seconds: UNKNOWN_SILENCE_SECONDS,
            },
        }
    }
}

/// An upload that is being discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drain {
    bounds: Bounds,
    started: UnixTime,
    last: UnixTime,
    bytes: u64,
}

impl Drain {
    /// Begins to drain an upload whose headers arrived at `started`. If `declared`, its
    /// `content-length`, exceeds the byte limit, the drain [is over](Self::is_over) at once,
    /// because it could not reach the end of the upload.
    pub(super) fn begin(
        uploader: Uploader,
        body_limit_bytes: u64,
        declared: Option<u64>,
        started: UnixTime,
        now: UnixTime,
    ) -> Self {
        let bounds = Bounds::of(uploader, body_limit_bytes);
        let bytes = declared.filter(|declared| *declared > bounds.bytes).unwrap_or(0);
        Self {
            bounds,
            started,
            last: now,
            bytes,
        }
    }

    /// Records that `bytes` were discarded at `now`.
    pub(super) fn discard(&mut self, bytes: u64, now: UnixTime) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.last = now;
    }

    /// Whether a limit is exceeded, so that the reply must be sent although the upload continues.
    pub(super) fn is_over(&self, now: UnixTime) -> bool {
        self.bytes > self.bounds.bytes
            || now.milliseconds_since(self.started) >= milliseconds(self.bounds.total_seconds)
            || now.milliseconds_since(self.last) >= milliseconds(self.bounds.silence_seconds)
    }
}

const fn milliseconds(seconds: u64) -> u64 {
    seconds.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBIBYTE: u64 = 1024 * 1024;
    const DEFAULT_LIMIT: u64 = 32 * MEBIBYTE;

    fn at(milliseconds: u64) -> UnixTime {
        UnixTime::from_nanoseconds(milliseconds * 1_000_000)
    }

    fn drain(uploader: Uploader) -> Drain {
        Drain::begin(uploader, DEFAULT_LIMIT, None, at(0), at(0))
    }

    #[test]
    fn an_upload_is_discarded_up_to_a_limit_in_bytes() {
        for (uploader, bound) in [
            (Uploader::Known, 128 * MEBIBYTE),
            (Uploader::Unknown, 48 * MEBIBYTE),
        ] {
            for (bytes, over) in [(bound - 1, false), (bound, false), (bound + 1, true)] {
                let mut drain = drain(uploader);
                drain.discard(bytes - 10, at(1));
                assert!(!drain.is_over(at(1)));
                drain.discard(10, at(1));
                assert_eq!(drain.is_over(at(1)), over, "{uploader:?}: {bytes}");
            }
        }
    }

    #[test]
    fn a_declared_length_beyond_the_limit_is_not_drained() {
        for (uploader, bound) in [
            (Uploader::Known, 128 * MEBIBYTE),
            (Uploader::Unknown, 48 * MEBIBYTE),
        ] {
            for (declared, over) in [
                (bound - 1, false),
                (bound, false),
                (bound + 1, true),
                (u64::MAX, true),
            ] {
                let drain = Drain::begin(uploader, DEFAULT_LIMIT, Some(declared), at(0), at(0));
                assert_eq!(drain.is_over(at(0)), over, "{uploader:?}: {declared}");
            }
        }
    }

    #[test]
    fn an_upload_that_never_ends_is_limited_in_time() {
        for (uploader, seconds) in [(Uploader::Known, 290), (Uploader::Unknown, 60)] {
            let mut drain = drain(uploader);
            let end = seconds * 1000;
            for second in 1..seconds {
                drain.discard(1, at(second * 1000));
            }
            assert!(!drain.is_over(at(end - 1)), "{uploader:?}");
            assert!(drain.is_over(at(end)), "{uploader:?}");
            assert!(drain.is_over(at(end + 1)), "{uploader:?}");
        }
    }

    #[test]
    fn time_before_the_refusal_counts() {
        let drain = Drain::begin(Uploader::Known, DEFAULT_LIMIT, None, at(0), at(285_000));
        assert!(!drain.is_over(at(289_999)));
        assert!(drain.is_over(at(290_000)));
    }

    #[test]
    fn silence_is_measured_from_the_last_byte() {
        for (uploader, silence) in [(Uploader::Known, 10_000), (Uploader::Unknown, 5000)] {
            let mut drain = drain(uploader);
            assert!(!drain.is_over(at(silence - 1)), "{uploader:?}");
            assert!(drain.is_over(at(silence)), "{uploader:?}");
            drain.discard(1, at(3000));
            assert!(!drain.is_over(at(3000 + silence - 1)), "{uploader:?}");
            assert!(drain.is_over(at(3000 + silence)), "{uploader:?}");
            assert!(drain.is_over(at(3000 + silence + 1)), "{uploader:?}");
        }
    }

    #[test]
    fn the_limits_follow_a_raised_body_limit_but_not_a_lowered_one() {
        for (limit, known, unknown) in [
            (MEBIBYTE, 128 * MEBIBYTE, 48 * MEBIBYTE),
            (DEFAULT_LIMIT, 128 * MEBIBYTE, 48 * MEBIBYTE),
            (100 * MEBIBYTE, 400 * MEBIBYTE, 116 * MEBIBYTE),
            (u64::MAX, u64::MAX, u64::MAX),
        ] {
            assert_eq!(Bounds::of(Uploader::Known, limit).bytes, known);
            assert_eq!(Bounds::of(Uploader::Unknown, limit).bytes, unknown);
        }
    }

    #[test]
    fn every_limit_is_lower_without_a_key() {
        for limit in [0, MEBIBYTE, DEFAULT_LIMIT, 100 * MEBIBYTE, 4096 * MEBIBYTE] {
            let (known, unknown) = (
                Bounds::of(Uploader::Known, limit),
                Bounds::of(Uploader::Unknown, limit),
            );
            assert!(unknown.bytes < known.bytes, "{limit}");
            assert!(unknown.total_seconds < known.total_seconds);
            assert!(unknown.silence_seconds < known.silence_seconds);
        }
    }

    #[test]
    fn a_clock_that_steps_back_does_not_end_a_drain() {
        let mut drain = Drain::begin(Uploader::Unknown, DEFAULT_LIMIT, None, at(50_000), at(50_000));
        drain.discard(1, at(49_000));
        assert!(!drain.is_over(at(48_000)));
    }
}

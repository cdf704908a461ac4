//! The rest of an upload whose request is refused.
//!
//! Envoy closes an HTTP/1.1 connection, or resets an HTTP/2 stream, as soon as it has replied to a
//! request that is still arriving. Most clients read the response only after they have sent everything,
//! so they would see a broken connection instead of the reply. The reply therefore waits for the end of
//! the upload, and what arrives until then is discarded. [`Drain`] limits that in bytes, time and
//! silence.

use crate::headers::Headers;
use crate::routing::active_config::ActiveConfig;
use crate::time::UnixTime;

/// How much of a refused upload is discarded before the reply is sent anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    /// Bytes of the upload that are discarded.
    bytes: u64,
    /// Seconds since the request's headers.
    total_seconds: u64,
    /// Seconds since the last byte.
    silence_seconds: u64,
}

/// Who is uploading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploader {
    /// Presented a valid key.
    Known,
    /// Presented no valid key. Anybody can do that, so the limits are lower.
    Unknown,
}

impl Uploader {
    /// Decides by the key that a request presents.
    pub fn of(config: &ActiveConfig, headers: Headers<'_>) -> Self {
        match config.admit(headers) {
            Ok(()) => Self::Known,
            Err(_) => Self::Unknown,
        }
    }
}

/// Time for a whole request with its body, in seconds: 32 MiB at one megabit per second. Envoy replies
/// with 408 after it.
pub const UPLOAD_SECONDS: u64 = 300;

/// Bytes discarded for a caller with a valid key, at least: several times what Bedrock accepts, so that a
/// client with a far too large body still learns why it is refused.
const KNOWN_BYTES_MIN: u64 = 128 * 1024 * 1024;
/// The same as a multiple of the body limit, if that was raised.
const KNOWN_BODY_LIMITS: u64 = 4;
/// Just below Envoy's own limit for the upload, so that the client gets this reply and not the 408.
const KNOWN_SECONDS: u64 = UPLOAD_SECONDS - 10;
/// A short pause in an upload is a lost packet or a slow disk. After a longer one, the client is more
/// likely waiting for a response.
const KNOWN_SILENCE_SECONDS: u64 = 10;

/// Bytes discarded for a caller without a valid key, at least: one and a half times the default body limit,
/// since a mistyped key is as common as a body that is too large.
const UNKNOWN_BYTES_MIN: u64 = 48 * 1024 * 1024;
/// Bytes discarded beyond the body limit, if that was raised.
const UNKNOWN_BYTES_ABOVE_LIMIT: u64 = 16 * 1024 * 1024;
/// Enough for 48 MiB at seven megabits per second.
const UNKNOWN_SECONDS: u64 = 60;
/// Half of the time that a caller with a key has.
const UNKNOWN_SILENCE_SECONDS: u64 = 5;

/// How often [`Drain::is_over`] must be checked for an upload that has stalled, in milliseconds.
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

/// A refused upload whose rest is being discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    bounds: Bounds,
    started: UnixTime,
    last: UnixTime,
    bytes: u64,
}

impl Drain {
    /// Begins to discard an upload whose headers came at `started`. If its `content-length`, `declared`,
    /// exceeds the limit, the drain is [over](Self::is_over) at once: discarding a part helps nobody.
    pub fn begin(
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

    /// Bytes of the upload were discarded at `now`.
    pub fn discard(&mut self, bytes: u64, now: UnixTime) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.last = now;
    }

    /// Whether the reply must be sent now, although the upload continues.
    pub fn is_over(&self, now: UnixTime) -> bool {
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
    fn silence_is_limited_from_the_last_byte() {
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
    fn a_clock_that_steps_back_ends_nothing_early() {
        let mut drain = Drain::begin(Uploader::Unknown, DEFAULT_LIMIT, None, at(50_000), at(50_000));
        drain.discard(1, at(49_000));
        assert!(!drain.is_over(at(48_000)));
    }
}

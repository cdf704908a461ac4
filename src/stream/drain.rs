//! What happens to the rest of an upload whose request is refused.
//!
//! Envoy closes an HTTP/1.1 connection, or resets an HTTP/2 stream, as soon as it has answered a request that is still
//! arriving. Most clients only look for an answer once they have sent everything, so they would see a broken connection
//! instead of the refusal. A refusal therefore waits until the upload has ended, and what arrives until then is
//! discarded. [`Drain`] says how long that may go on. Envoy's part is in `shell/refusal.rs`.

use crate::headers::Headers;
use crate::routing::active_config::ActiveConfig;
use crate::time::UnixTime;

/// How much of a refused upload is discarded before the refusal is sent anyway.
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
    /// Presented none. Anybody can do this, so less is taken.
    Unknown,
}

impl Uploader {
    /// Tells by the key that a request offers.
    pub fn of(config: &ActiveConfig, headers: Headers<'_>) -> Self {
        match config.admit(headers) {
            Ok(()) => Self::Known,
            Err(_) => Self::Unknown,
        }
    }
}

/// Time for a whole request, headers and body: 32 MiB at a megabit per second. Envoy answers 408 after this time.
pub const UPLOAD_SECONDS: u64 = 300;

/// Least that is taken from a caller with a valid key: several times what Bedrock takes, so that a client with far too large a
/// body still learns why it is refused.
const KNOWN_BYTES_MIN: u64 = 128 * 1024 * 1024;
/// The same in body limits, where the limit was raised.
const KNOWN_BODY_LIMITS: u64 = 4;
/// Just below Envoy's own limit for the upload, so that the client gets the refusal and not the 408.
const KNOWN_SECONDS: u64 = UPLOAD_SECONDS - 10;
/// A pause in an upload is a lost packet or a slow disk. Longer than this, and the client is more likely waiting for an answer.
const KNOWN_SILENCE_SECONDS: u64 = 10;

/// Least that is taken from a caller without a valid key: any body that the default limit allows, and half as much again,
/// since a mistyped key is as common as a body that is too large.
const UNKNOWN_BYTES_MIN: u64 = 48 * 1024 * 1024;
/// What is taken above the body limit where that was raised.
const UNKNOWN_BYTES_ABOVE_LIMIT: u64 = 16 * 1024 * 1024;
/// 48 MiB at seven megabits per second.
const UNKNOWN_SECONDS: u64 = 60;
/// Half of what a caller with a key gets.
const UNKNOWN_SILENCE_SECONDS: u64 = 5;

/// How often [`Drain::is_over`] has to be asked about an upload that has stalled.
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
    /// Begins to discard an upload whose headers came at `started`. `declared` is its `content-length`; one beyond the
    /// bounds makes it [over](Self::is_over) at once, since discarding a part of it helps nobody.
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

    /// Bytes of the upload were discarded.
    pub fn discard(&mut self, bytes: u64, now: UnixTime) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.last = now;
    }

    /// Whether the refusal has to be sent now, although the upload goes on.
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
    fn an_upload_is_discarded_up_to_its_bound_in_bytes() {
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
    fn a_declared_length_beyond_the_bound_is_not_even_begun() {
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
    fn an_upload_that_never_ends_is_bounded_in_time() {
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
    fn time_that_passed_before_the_refusal_counts() {
        let drain = Drain::begin(Uploader::Known, DEFAULT_LIMIT, None, at(0), at(285_000));
        assert!(!drain.is_over(at(289_999)));
        assert!(drain.is_over(at(290_000)));
    }

    #[test]
    fn an_upload_that_falls_silent_is_bounded_from_its_last_byte() {
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
    fn the_bounds_follow_a_raised_body_limit_but_not_a_lowered_one() {
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
    fn every_bound_is_tighter_without_a_key() {
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

//! Durations as Envoy's JSON spells them.

use std::time::Duration;

/// `1.500s`, to the millisecond, which is the resolution of Envoy's timers.
pub(super) fn duration(length: Duration) -> String {
    match length.subsec_millis() {
        0 => format!("{}s", length.as_secs()),
        milliseconds => format!("{}.{milliseconds:03}s", length.as_secs()),
    }
}

/// A duration of whole seconds.
pub(super) fn seconds(count: u64) -> String {
    duration(Duration::from_secs(count))
}

/// A duration of whole milliseconds.
pub(super) fn milliseconds(count: u64) -> String {
    duration(Duration::from_millis(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_has_three_digits() {
        assert_eq!(seconds(600), "600s");
        assert_eq!(milliseconds(10), "0.010s");
        assert_eq!(milliseconds(1_250), "1.250s");
    }
}

//! Durations as Envoy's JSON spells them.

use std::time::Duration;

use super::yaml::Node;

/// `1.500s`, to the millisecond: what Envoy's timers resolve.
pub(crate) fn duration(length: Duration) -> Node {
    let text = match length.subsec_millis() {
        0 => format!("{}s", length.as_secs()),
        millis => format!("{}.{millis:03}s", length.as_secs()),
    };
    Node::Text(text)
}

/// A duration of whole seconds.
pub(crate) fn seconds(count: u64) -> Node {
    duration(Duration::from_secs(count))
}

/// A duration of whole milliseconds.
pub(crate) fn milliseconds(count: u64) -> Node {
    duration(Duration::from_millis(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_shown_where_there_are_any() {
        assert_eq!(seconds(600), Node::from("600s"));
        assert_eq!(milliseconds(10), Node::from("0.010s"));
        assert_eq!(milliseconds(1_250), Node::from("1.250s"));
    }
}

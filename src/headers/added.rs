//! Headers that are added to a map.

use std::fmt;

/// The value of most headers that the gateway adds is shorter, in bytes.
const TYPICAL_BYTES: usize = 24;

/// Headers to add, in order. Their values share one allocation.
#[derive(Clone, Default)]
pub struct AddedHeaders {
    /// Each name, and where its value ends.
    names: Vec<(&'static str, usize)>,
    values: String,
}

impl AddedHeaders {
    /// No headers, with room for `count`.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self {
            names: Vec::with_capacity(count),
            values: String::with_capacity(count.saturating_mul(TYPICAL_BYTES)),
        }
    }

    /// Adds a header, unless a byte of its value is not allowed in one: names of the configuration
    /// may contain such.
    pub(crate) fn push(&mut self, name: &'static str, value: &str) {
        self.write(name, |values| values.push_str(value));
    }

    /// Adds a header whose value `write` appends, as [`push`](Self::push) does.
    pub(crate) fn write(&mut self, name: &'static str, write: impl FnOnce(&mut String)) {
        let start = self.values.len();
        write(&mut self.values);
        let value = self.values.get(start..).unwrap_or_default();
        if value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            self.names.push((name, self.values.len()));
        } else {
            self.values.truncate(start);
        }
    }

    /// The names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> + Clone {
        let starts = std::iter::once(0).chain(self.names.iter().map(|(_, end)| *end));
        let names = self.names.iter().zip(starts);
        names.map(|((name, end), start)| (*name, self.values.get(start..*end).unwrap_or_default()))
    }
}

impl fmt::Debug for AddedHeaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_their_order_and_those_that_are_not_allowed_are_left_out() {
        let mut added = AddedHeaders::with_capacity(1);
        added.push("a", "1");
        added.push("b", "x\ny");
        added.push("c", "");
        added.push("d", "é");
        added.write("a", |values| values.push_str("x y"));
        assert_eq!(
            added.iter().collect::<Vec<_>>(),
            [("a", "1"), ("c", ""), ("a", "x y")]
        );
    }
}

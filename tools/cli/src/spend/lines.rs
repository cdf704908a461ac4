//! Lines of limited length.

use std::io::{self, BufRead, Read};

/// Longest line that is parsed. A row has a few hundred bytes, and the limits on headers bound its
/// longest fields.
pub(super) const LINE_MAX_BYTES: usize = 1 << 20;

/// A line without its line break.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RawLine<'a> {
    /// A complete line.
    Whole(&'a [u8]),
    /// The last line, without a line break.
    Last(&'a [u8]),
    /// A line above the limit, which was skipped.
    TooLong,
}

/// Reads lines into one buffer.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        let buffer = Vec::new();
        Self { reader, buffer }
    }

    /// The next line, `None` at the end.
    ///
    /// # Errors
    /// Those of the reader.
    pub(super) fn next(&mut self) -> io::Result<Option<RawLine<'_>>> {
        self.buffer.clear();
        let limit = LINE_MAX_BYTES as u64 + 1;
        let read = Read::take(&mut self.reader, limit).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
            return Ok(Some(RawLine::Whole(&self.buffer)));
        }
        if read <= LINE_MAX_BYTES {
            return Ok(Some(RawLine::Last(&self.buffer)));
        }
        self.reader.skip_until(b'\n')?;
        Ok(Some(RawLine::TooLong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_above_the_limit_are_skipped() {
        for (length, fits) in [
            (LINE_MAX_BYTES - 1, true),
            (LINE_MAX_BYTES, true),
            (LINE_MAX_BYTES + 1, false),
        ] {
            let long = "x".repeat(length);
            let text = format!("{long}\nnext\n{long}");
            let mut lines = Lines::new(text.as_bytes());
            let expected = match fits {
                true => RawLine::Whole(long.as_bytes()),
                false => RawLine::TooLong,
            };
            assert_eq!(lines.next().unwrap(), Some(expected));
            assert_eq!(lines.next().unwrap(), Some(RawLine::Whole(b"next")));
            let expected = match fits {
                true => RawLine::Last(long.as_bytes()),
                false => RawLine::TooLong,
            };
            assert_eq!(lines.next().unwrap(), Some(expected));
            assert_eq!(lines.next().unwrap(), None);
        }
    }
}

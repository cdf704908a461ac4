//! A line of Envoy's log.

use envoy_bedrock::contract::names::{LOG_NATIVE, LOG_REQUEST_ID};
use tracing::Level;

/// Makes every message one line: level, logger and message, with line breaks escaped.
pub(crate) const ENVOY_ARGUMENTS: [&str; 4] = [
    "--log-format",
    "[%l] [%n] %v",
    "--log-format-escaped",
    "--log-stacktrace-single-entry",
];
/// Start of what the filter logs: `wasm log NAME ROOT_ID VM_ID: `.
const FILTER: &str = "wasm log ";

/// A line of Envoy's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EnvoyLine {
    pub(super) level: Level,
    /// `envoy` or `filter`.
    pub(super) source: &'static str,
    /// The part of Envoy that wrote it.
    pub(super) logger: Option<String>,
    pub(super) message: String,
    /// The call id of the request that the filter was handling.
    pub(super) request_id: Option<String>,
}

impl EnvoyLine {
    /// Parses what Envoy's logger writes; `None` for any other text.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (level, logger, message) = prefix(line)?;
        let message = unescaped(message);
        let from_filter = match logger {
            "wasm" => message
                .strip_prefix(FILTER)
                .and_then(|message| Some(message.split_once(": ")?.1)),
            "dynamic_modules" => message.strip_prefix(LOG_NATIVE),
            _ => None,
        };
        let Some(message) = from_filter else {
            return Some(Self {
                level,
                source: "envoy",
                logger: Some(logger.to_owned()),
                message,
                request_id: None,
            });
        };
        let (message, request_id) = match message.rsplit_once(LOG_REQUEST_ID) {
            Some((message, id)) if !id.contains(char::is_whitespace) => (message, Some(id.to_owned())),
            _ => (message, None),
        };
        Some(Self {
            level,
            source: "filter",
            logger: None,
            message: message.to_owned(),
            request_id,
        })
    }

    /// What Envoy, its libraries and the kernel's loader write without Envoy's logger. They only do
    /// so before they abort.
    pub(super) fn unformatted(line: &str) -> Self {
        Self {
            level: Level::ERROR,
            source: "envoy",
            logger: None,
            message: line.to_owned(),
            request_id: None,
        }
    }

    /// Writes the line to the log.
    pub(super) fn emit(&self) {
        macro_rules! emit {
            ($level:ident) => {
                tracing::$level!(
                    source = self.source,
                    logger = self.logger.as_deref(),
                    request_id = self.request_id.as_deref(),
                    "{}",
                    self.message
                )
            };
        }
        match self.level {
            Level::ERROR => emit!(error),
            Level::WARN => emit!(warn),
            Level::INFO => emit!(info),
            Level::DEBUG => emit!(debug),
            Level::TRACE => emit!(trace),
        }
    }
}

/// Level, logger and message of `[level] [logger] message`.
fn prefix(line: &str) -> Option<(Level, &str, &str)> {
    let (level, rest) = line.strip_prefix('[')?.split_once("] [")?;
    let (logger, message) = rest.split_once("] ")?;
    let level = match level {
        "trace" => Level::TRACE,
        "debug" => Level::DEBUG,
        "info" => Level::INFO,
        "warning" => Level::WARN,
        "error" | "critical" => Level::ERROR,
        _ => return None,
    };
    Some((level, logger, message))
}

/// The text that Envoy escaped as in C: `\n`, `\'`, and `\303` for a byte.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b'r') => bytes.push(b'\r'),
            Some(b't') => bytes.push(b'\t'),
            Some(digit @ b'0'..=b'3') => {
                let mut octal = || rest.next().map_or(0, |digit| digit.wrapping_sub(b'0') & 7);
                bytes.push((digit - b'0') << 6 | octal() << 3 | octal());
            }
            Some(other) => bytes.push(other),
            None => bytes.push(b'\\'),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_level_logger_and_message() {
        let line = EnvoyLine::parse("[critical] [main] error \\'a\\' \\\\ caf\\303\\251\\n  second [x] line")
            .unwrap();
        assert_eq!((line.level, line.source), (Level::ERROR, "envoy"));
        assert_eq!(line.logger.as_deref(), Some("main"));
        assert_eq!(line.message, "error 'a' \\ café\n  second [x] line");
    }

    #[test]
    fn a_line_of_the_filter_names_its_request() {
        let text = "[error] [wasm] wasm log gateway gateway envoy-bedrock: failed: x request_id=call=1";
        let line = EnvoyLine::parse(text).unwrap();
        assert_eq!((line.source, line.logger.as_deref()), ("filter", None));
        assert_eq!(line.message, "failed: x");
        assert_eq!(line.request_id.as_deref(), Some("call=1"));
        let line = EnvoyLine::parse("[info] [wasm] wasm log gateway: a request_id=b c").unwrap();
        assert_eq!(
            (line.message.as_str(), line.request_id),
            ("a request_id=b c", None)
        );
    }

    #[test]
    fn a_line_of_the_native_module_is_one_of_the_filter() {
        let line = EnvoyLine::parse("[warning] [dynamic_modules] envoy-bedrock: a: b request_id=c").unwrap();
        assert_eq!((line.source, line.message.as_str()), ("filter", "a: b"));
        assert_eq!(line.request_id.as_deref(), Some("c"));
        let line = EnvoyLine::parse("[info] [dynamic_modules] Dynamic module ABI version matched").unwrap();
        assert_eq!(
            (line.source, line.logger.as_deref()),
            ("envoy", Some("dynamic_modules"))
        );
    }

    #[test]
    fn other_text_is_not_parsed() {
        for text in [
            "Unable to create Wasm plugin gateway",
            "[x] [y] z",
            "[error] none",
            "",
        ] {
            assert_eq!(EnvoyLine::parse(text), None);
        }
    }

    #[test]
    fn an_escape_that_is_cut_off_is_harmless() {
        for (escaped, expected) in [("a\\", "a\\"), ("\\1", "@"), ("\\", "\\")] {
            assert_eq!(unescaped(escaped), expected);
        }
    }
}

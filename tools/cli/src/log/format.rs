//! The two formats of the log.

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style};
use envoy_bedrock::time::UnixTime;
use serde_json::{Map, Value};
use tracing::Level;

const DIM: Style = Style::new().dimmed();

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people: time, level, source and message.
    Text,
    /// For collectors: one JSON object per line, with time, level, source and message.
    Json,
}

/// The option of commands whose standard error is only the log.
#[derive(Debug, clap::Args)]
pub(crate) struct LogOptions {
    /// Format of the log on standard error.
    #[arg(
        long = "log-format",
        env = "LOG_FORMAT",
        value_enum,
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) format: LogFormat,
}

/// A message and what is known about it.
pub(super) struct LogMessage {
    pub(super) time: UnixTime,
    pub(super) level: Level,
    /// `run`, `envoy` or `filter`.
    pub(super) source: String,
    pub(super) message: String,
    /// Further members of the JSON object. The text has `logger` and `request_id` only.
    pub(super) fields: Map<String, Value>,
}

impl LogMessage {
    /// Writes the line and its end.
    pub(super) fn write(self, format: LogFormat, has_colors: bool, out: &mut dyn Write) -> fmt::Result {
        match format {
            LogFormat::Json => writeln!(out, "{}", self.json()),
            LogFormat::Text => self.text(has_colors, out),
        }
    }

    fn json(self) -> Value {
        let known = [
            ("time", self.time.rfc3339().as_str().to_owned()),
            ("level", level_name(self.level).to_owned()),
            ("source", self.source),
            ("message", self.message),
        ];
        let mut members: Map<String, Value> = self.fields;
        members.extend(known.map(|(name, text)| (name.to_owned(), Value::String(text))));
        Value::Object(members)
    }

    fn text(&self, has_colors: bool, out: &mut dyn Write) -> fmt::Result {
        let (dim, loud) = if has_colors {
            (DIM, style(self.level))
        } else {
            (Style::new(), Style::new())
        };
        write!(out, "{dim}{}{dim:#} ", self.time.rfc3339().as_str())?;
        write!(out, "{loud}{}{loud:#} ", level_name(self.level))?;
        let field = |name: &str| self.fields.get(name).and_then(Value::as_str);
        match field("logger") {
            Some(logger) => write!(out, "{dim}{}/{logger}:{dim:#} ", self.source)?,
            None => write!(out, "{dim}{}:{dim:#} ", self.source)?,
        }
        write_printable(&self.message, out)?;
        if let Some(id) = field("request_id") {
            write!(out, " {dim}request_id={id}{dim:#}")?;
        }
        out.write_char('\n')
    }
}

/// Writes text for a terminal: further lines are indented, so that each message has a visible
/// start, and control characters are escaped.
fn write_printable(text: &str, out: &mut dyn Write) -> fmt::Result {
    for character in text.trim_end().chars() {
        match character {
            '\n' => out.write_str("\n    ")?,
            '\t' => out.write_char(' ')?,
            character if character.is_control() => write!(out, "{}", character.escape_default())?,
            character => out.write_char(character)?,
        }
    }
    Ok(())
}

/// Envoy's name of a level.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn style(level: Level) -> Style {
    let color = match level {
        Level::ERROR => AnsiColor::Red,
        Level::WARN => AnsiColor::Yellow,
        Level::INFO => AnsiColor::Green,
        Level::DEBUG | Level::TRACE => AnsiColor::Blue,
    };
    Style::new().bold().fg_color(Some(anstyle::Color::Ansi(color)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> LogMessage {
        LogMessage {
            time: UnixTime::from_nanoseconds(1_764_142_602_123_000_000),
            level: Level::WARN,
            source: "filter".to_owned(),
            message: message.to_owned(),
            fields: Map::from_iter([("request_id".to_owned(), Value::from("call-1"))]),
        }
    }

    fn written(format: LogFormat, message: &str) -> String {
        let mut out = String::new();
        line(message).write(format, false, &mut out).unwrap();
        out
    }

    #[test]
    fn text_has_one_visible_start_per_message() {
        assert_eq!(
            written(LogFormat::Text, "first\nsecond \u{1b}[31m"),
            "2025-11-26T07:36:42.123Z warning filter: first\n    second \\u{1b}[31m request_id=call-1\n"
        );
    }

    #[test]
    fn json_is_one_line_whatever_the_message_contains() {
        let text = written(LogFormat::Json, "a \"quoted\"\nline \u{1b} \u{2028}");
        assert_eq!(text.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        for (name, expected) in [
            ("time", "2025-11-26T07:36:42.123Z"),
            ("level", "warning"),
            ("source", "filter"),
            ("message", "a \"quoted\"\nline \u{1b} \u{2028}"),
            ("request_id", "call-1"),
        ] {
            assert_eq!(value[name], expected);
        }
    }
}

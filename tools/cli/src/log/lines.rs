//! Writes events of `tracing` as lines of the log.

use std::fmt;
use std::io::IsTerminal;
use std::time::{SystemTime, UNIX_EPOCH};

use envoy_bedrock::time::UnixTime;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::format::{LogFormat, LogMessage};

/// Writes all events of this program to standard error from now on. `command` is the source of
/// events that do not name one.
pub(crate) fn install(command: &'static str, format: LogFormat) {
    let has_colors = format == LogFormat::Text
        && std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(has_colors)
        .with_writer(std::io::stderr)
        .event_format(LineFormat { command, format })
        // Envoy has filtered its own lines. Libraries of this program log what is secret.
        .with_filter(filter_fn(|metadata| {
            metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
        }));
    let subscriber = tracing_subscriber::registry().with(lines);
    // Fails only if a subscriber is installed already, which is then this one.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

struct LineFormat {
    command: &'static str,
    format: LogFormat,
}

impl<S, N> FormatEvent<S, N> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields(mut fields) = fields;
        let mut take = |name| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let line = LogMessage {
            time: now(),
            level: *event.metadata().level(),
            source: take("source").unwrap_or_else(|| self.command.to_owned()),
            message: take("message").unwrap_or_default(),
            fields,
        };
        line.write(self.format, writer.has_ansi_escapes(), &mut writer)
    }
}

/// The values of an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }
}

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_nanoseconds(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

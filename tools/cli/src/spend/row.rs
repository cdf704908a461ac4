//! A row of the spend log, reduced to what the sums need.

use std::borrow::Cow;
use std::fmt;

use envoy_bedrock::pricing::PicoUsd;
use envoy_bedrock::records::row::CALL_TYPE_INTERNAL;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use super::totals::Totals;
use super::window::UtcTime;
use crate::render::READINESS_FLAG;

/// A row of which every used part is valid.
pub(super) struct SpendRow<'a> {
    fields: SpendFields<'a>,
    start: UtcTime,
    spend: Option<PicoUsd>,
}

/// The fields, by LiteLLM's names. All but the time may be absent or null.
///
/// A request that the filter never saw, or during which its VM trapped, has only Envoy's fields.
#[derive(Deserialize)]
struct SpendFields<'a> {
    #[serde(borrow)]
    call_type: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    api_key: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    key_alias: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    model: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    model_group: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    model_id: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    model_region: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    end_user: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    status: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    usage_source: Option<BorrowedText<'a>>,
    #[serde(borrow, rename = "startTime")]
    start_time: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    envoy: Option<EnvoyFields<'a>>,
    #[serde(borrow)]
    spend: Option<&'a RawValue>,
    #[serde(borrow)]
    request_tags: Option<Vec<BorrowedText<'a>>>,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
}

/// The fields that Envoy writes.
#[derive(Deserialize)]
struct EnvoyFields<'a> {
    #[serde(borrow)]
    time: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    response_code: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    response_flags: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    upstream_host: Option<BorrowedText<'a>>,
}

impl EnvoyFields<'_> {
    fn is_failure(&self) -> bool {
        let code = self.response_code.as_ref();
        !code.is_some_and(|code| code.0.starts_with('2'))
    }

    /// Whether Envoy refused a readiness probe, because it was being drained.
    fn is_refused_probe(&self) -> bool {
        let flags = self.response_flags.as_ref();
        flags.is_some_and(|flags| flags.0 == READINESS_FLAG)
    }

    fn went_upstream(&self) -> bool {
        let host = self.upstream_host.as_ref();
        host.is_some_and(|host| !matches!(host.0.as_ref(), "" | "-"))
    }
}

impl<'a> SpendRow<'a> {
    /// Parses a line; `None` if it is not a spend-log row.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let fields: SpendFields<'a> = serde_json::from_slice(line).ok()?;
        let (start, spend) = match (&fields.start_time, &fields.envoy) {
            (Some(start), _) => {
                let spend = match fields.spend {
                    Some(number) => Some(amount(number.get())?),
                    None => None,
                };
                (start, spend)
            }
            // A request that never went upstream costs nothing.
            (None, Some(envoy)) => {
                let spend = (!envoy.went_upstream()).then_some(PicoUsd::ZERO);
                (envoy.time.as_ref()?, spend)
            }
            (None, None) => return None,
        };
        let start = UtcTime::parse(&start.0)?;
        Some(Self { fields, start, spend })
    }

    /// What the row adds to the sums.
    pub(super) fn totals(&self) -> Totals {
        let SpendFields {
            prompt_tokens,
            completion_tokens,
            cache_read_input_tokens,
            cache_creation_input_tokens,
            ..
        } = self.fields;
        Totals {
            requests: 1,
            failures: u64::from(self.status() == Some("failure")),
            prompt_tokens: prompt_tokens.unwrap_or(0),
            completion_tokens: completion_tokens.unwrap_or(0),
            cache_read_input_tokens: cache_read_input_tokens.unwrap_or(0),
            cache_creation_input_tokens: cache_creation_input_tokens.unwrap_or(0),
            spend: self.spend.unwrap_or(PicoUsd::ZERO),
            unknown_spend: u64::from(self.spend.is_none()),
            estimated: u64::from(self.usage_source() == Some("estimated")),
        }
    }

    /// Whether the row is a probe or a lookup rather than a request for a model.
    pub(super) fn is_internal(&self) -> bool {
        self.call_type() == Some(CALL_TYPE_INTERNAL)
            || self
                .fields
                .envoy
                .as_ref()
                .is_some_and(EnvoyFields::is_refused_probe)
    }

    /// How the request ended, `success` or `failure`.
    pub(super) fn status(&self) -> Option<&str> {
        match (&self.fields.status, &self.fields.envoy) {
            (Some(status), _) => Some(&status.0),
            (None, Some(envoy)) if envoy.is_failure() => Some("failure"),
            (None, Some(_)) => Some("success"),
            (None, None) => None,
        }
    }

    /// When the request started.
    pub(super) fn start(&self) -> UtcTime {
        self.start
    }

    /// The day on which the request started: `2026-11-22`.
    pub(super) fn day(&self) -> String {
        self.start.day()
    }

    /// Whether the request has this tag.
    pub(super) fn has_tag(&self, tag: &str) -> bool {
        let tags = self.fields.request_tags.iter().flatten();
        tags.into_iter().any(|own| own.0 == tag)
    }

    /// The sorted tags, each once, joined by commas; `None` without tags.
    pub(super) fn tags(&self) -> Option<String> {
        let tags = self.fields.request_tags.iter().flatten();
        let mut tags: Vec<&str> = tags.map(|tag| tag.0.as_ref()).collect();
        tags.sort_unstable();
        tags.dedup();
        (!tags.is_empty()).then(|| tags.join(","))
    }
}

/// Accessors for the labels. An empty label counts as absent.
macro_rules! labels {
    ($($name:ident),*) => {
        impl SpendRow<'_> {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                pub(super) fn $name(&self) -> Option<&str> {
                    self.fields.$name.as_ref().map(|text| text.0.as_ref()).filter(|text| !text.is_empty())
                }
            )*
        }
    };
}

labels!(
    call_type,
    api_key,
    key_alias,
    model,
    model_group,
    model_id,
    model_region,
    end_user,
    usage_source
);

/// An amount in USD as JSON writes it, possibly in quotes.
pub(super) fn amount(json: &str) -> Option<PicoUsd> {
    let unquoted = json
        .strip_prefix('"')
        .and_then(|json| json.strip_suffix('"'))
        .unwrap_or(json);
    Some(PicoUsd::parse(unquoted).ok()?.amount)
}

/// Text that is copied only if it has escapes. serde borrows for a `Cow`, but not for a `Cow` in an
/// `Option`.
pub(super) struct BorrowedText<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for BorrowedText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;
        impl<'de> Visitor<'de> for Borrowing {
            type Value = BorrowedText<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(BorrowedText(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(BorrowedText(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrowing)
    }
}

//! A fault and the requests that it hits.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fault::FaultKind;
use super::matcher::Matcher;
use crate::random::mix;

/// The members of a fault in JSON. A kind ignores those that it has no use for.
const MEMBERS: [&str; 11] = [
    "kind",
    "match",
    "count",
    "rate",
    "status",
    "error_type",
    "message",
    "after_events",
    "delay_ms",
    "headers",
    "trailers",
];

/// A fault and the requests that it hits, as the control API accepts and lists it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct FaultRule {
    #[serde(flatten)]
    pub(crate) kind: FaultKind,
    #[serde(rename = "match")]
    pub(crate) matcher: Matcher,
    /// How many of the matching requests it hits; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
    /// Which share of the matching requests it hits; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<FaultRate>,
}

impl TryFrom<Map<String, Value>> for FaultRule {
    type Error = FaultError;

    fn try_from(members: Map<String, Value>) -> Result<Self, FaultError> {
        #[derive(Deserialize)]
        struct Members {
            #[serde(flatten)]
            kind: FaultKind,
            #[serde(rename = "match", default)]
            matcher: Matcher,
            count: Option<u64>,
            rate: Option<FaultRate>,
        }
        // `flatten` rules out `deny_unknown_fields`.
        if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(FaultError::UnknownMember(unknown.clone()));
        }
        let Members {
            kind,
            matcher,
            count,
            rate,
        } = serde_json::from_value(Value::Object(members)).map_err(FaultError::Malformed)?;
        let hits_some_requests = !matcher.is_by_region() || count.is_some() || rate.is_some();
        if kind.port_mode().is_some() && hits_some_requests {
            return Err(FaultError::WholeRegion(kind.name()));
        }
        Ok(Self {
            kind,
            matcher,
            count,
            rate,
        })
    }
}

/// A share from 0 to 1.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub(crate) struct FaultRate(f64);

impl FaultRate {
    /// Whether the fault hits this candidate. The choice is the same in every run.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(crate) fn hits(self, candidate: u64) -> bool {
        let random = mix(candidate.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 11;
        let share = random as f64 / (1_u64 << 53) as f64;
        share < self.0
    }
}

impl TryFrom<f64> for FaultRate {
    type Error = FaultError;

    fn try_from(rate: f64) -> Result<Self, FaultError> {
        if (0.0..=1.0).contains(&rate) {
            Ok(Self(rate))
        } else {
            Err(FaultError::Rate(rate))
        }
    }
}

impl From<FaultRate> for f64 {
    fn from(rate: FaultRate) -> Self {
        rate.0
    }
}

/// Why JSON is not a fault.
#[derive(Debug)]
pub enum FaultError {
    /// A member that no fault has.
    UnknownMember(String),
    /// A member is missing or has the wrong type.
    Malformed(serde_json::Error),
    /// `rate` is not a share.
    Rate(f64),
    /// A fault of whole regions selects requests.
    WholeRegion(&'static str),
}

impl fmt::Display for FaultError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownMember(name) => {
                write!(out, "unknown member {name:?}: a fault has {}", MEMBERS.join(", "))
            }
            Self::Malformed(error) => error.fmt(out),
            Self::Rate(rate) => write!(out, "expected a rate from 0 to 1, but found {rate}"),
            Self::WholeRegion(kind) => write!(
                out,
                "{kind} closes all ports of a region: match may only have a region, and count and rate \
                 are not supported"
            ),
        }
    }
}

impl std::error::Error for FaultError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<FaultRule, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn invalid_faults_are_rejected_with_a_reason() {
        for (json, reason) in [
            (r#"{"kind":"status"}"#, "missing field `status`"),
            (
                r#"{"kind":"status","status":200}"#,
                "from 400 to 599, but found 200",
            ),
            (r#"{"kind":"hang","rate":2}"#, "from 0 to 1, but found 2"),
            (r#"{"kind":"refused","count":1}"#, "refused closes all ports"),
            (r#"{"kind":"blackhole","rate":1}"#, "blackhole closes all ports"),
            (
                r#"{"kind":"refused","match":{"model":"m"}}"#,
                "refused closes all ports",
            ),
            (r#"{"kind":"slow"}"#, "missing field `delay_ms`"),
            (r#"{"kind":"explode"}"#, "unknown variant `explode`"),
            (
                r#"{"kind":"hang","after_event":1}"#,
                "unknown member \"after_event\"",
            ),
            (r#"{"kind":"hang","match":{"zone":"a"}}"#, "unknown field `zone`"),
            (r#"{"status":429}"#, "missing field `kind`"),
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.contains(reason), "{json}: {error}");
        }
    }

    #[test]
    fn a_kind_ignores_members_that_it_has_no_use_for() {
        let rule = parse(r#"{"kind":"reset","after_events":2,"delay_ms":5,"message":"x"}"#).unwrap();
        assert_eq!(rule.kind, FaultKind::Reset);
    }

    #[test]
    fn the_name_in_the_log_is_the_kind_in_json() {
        for kind in [
            "status",
            "refused",
            "blackhole",
            "reset",
            "reset_after_request_headers",
            "cut",
            "stall",
            "exception",
            "slow",
            "silent_start",
            "corrupt_frame",
            "altered",
            "hang",
        ] {
            let json = format!(r#"{{"kind":"{kind}","status":500,"delay_ms":1}}"#);
            let rule = parse(&json).unwrap();
            assert_eq!(rule.kind.name(), kind);
            assert_eq!(serde_json::to_value(&rule).unwrap()["kind"], kind);
        }
    }
}

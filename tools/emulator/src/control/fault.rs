//! What goes wrong on demand. A fault hits requests that are otherwise right: one that is not believed gets its 403.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api_error::{ApiError, ErrorLayer};
use crate::control::matcher::{Matcher, Subject};
use crate::judge::route::ApiOperation;
use crate::random::mix;

/// A fault as the control API takes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRequest {
    /// What happens.
    pub kind: FaultName,
    /// To which requests.
    #[serde(rename = "match", default)]
    pub matcher: Matcher,
    /// To how many of them; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// To which share of them, 0 to 1; all when absent. The choice is the same in every run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// `status`: the HTTP status, 400 to 599.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// `status`: the error type instead of the usual one. `exception`: its type, as `throttlingException`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// `status`, `exception`: the text instead of the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `cut`, `stall`, `exception`, `corrupt_frame`: events that are sent before.
    #[serde(default)]
    pub after_events: usize,
    /// `slow`: time before the headers. `silent_start`: before the first event, for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultName {
    /// An error instead of the answer.
    Status,
    /// The region's ports refuse connections, and the open ones are reset, until the fault is cleared.
    Refused,
    /// The region's ports take connections and never read from them, until the fault is cleared.
    Blackhole,
    /// Reset before response headers, when the whole request is in.
    Reset,
    /// Reset as soon as the request headers are in; nothing is verified.
    ResetAfterRequestHeaders,
    /// The answer breaks off without an end: a stream after `after_events`, another answer in its middle.
    Cut,
    /// A stream falls silent after `after_events`, for ever.
    Stall,
    /// A stream ends with an exception after `after_events`.
    Exception,
    /// The headers are late.
    Slow,
    /// 200 at once, then silence.
    SilentStart,
    /// A stream's frame number `after_events` is damaged.
    CorruptFrame,
    /// Never answers.
    Hang,
}

/// What happens to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Status(ApiError),
    Reset,
    ResetAfterRequestHeaders,
    Cut {
        after_events: usize,
    },
    Stall {
        after_events: usize,
    },
    Exception {
        after_events: usize,
        name: String,
        message: String,
    },
    Slow(Duration),
    SilentStart(Option<Duration>),
    CorruptFrame {
        after_events: usize,
    },
    Hang,
}

impl Fault {
    /// Its name in the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Reset => "reset",
            Self::ResetAfterRequestHeaders => "reset_after_request_headers",
            Self::Cut { .. } => "cut",
            Self::Stall { .. } => "stall",
            Self::Exception { .. } => "exception",
            Self::Slow(_) => "slow",
            Self::SilentStart(_) => "silent_start",
            Self::CorruptFrame { .. } => "corrupt_frame",
            Self::Hang => "hang",
        }
    }
}

/// Whether a region's ports are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortMode {
    Open,
    Refused,
    Blackhole,
}

/// When faults are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultStage {
    /// The headers are in.
    Headers,
    /// The request was read and believed.
    Judged,
}

/// A fault in force, as `GET /faults` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct ActiveFault {
    /// For `DELETE /faults?id=…`.
    pub id: u64,
    /// Requests that it hit.
    pub hits: u64,
    /// Requests that it could have hit; `rate` is a share of these.
    pub candidates: u64,
    /// What it is.
    #[serde(flatten)]
    pub request: FaultRequest,
}

/// The faults in force, in the order in which they were set: the first that matches hits.
#[derive(Debug, Default)]
pub struct Faults(Mutex<(u64, Vec<ActiveFault>)>);

impl Faults {
    /// Adds a fault and returns its id, or says what is wrong with it.
    pub fn add(&self, request: FaultRequest) -> Result<u64, String> {
        request.check()?;
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.0 += 1;
        let id = held.0;
        held.1.push(ActiveFault {
            id,
            hits: 0,
            candidates: 0,
            request,
        });
        Ok(id)
    }

    /// Removes the fault with this id, or those of this region, or all.
    pub fn clear(&self, id: Option<u64>, region: Option<&str>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.1.retain(|active| {
            id.is_some_and(|id| id != active.id)
                || region.is_some_and(|region| active.request.matcher.region.as_deref() != Some(region))
        });
    }

    /// All of them, also those that are used up.
    pub fn list(&self) -> Vec<ActiveFault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    pub(crate) fn door(&self, region: &str) -> PortMode {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut doors = held
            .1
            .iter()
            .filter(|active| active.request.matcher.admits_region(region));
        doors
            .find_map(|active| match active.request.kind {
                FaultName::Refused => Some(PortMode::Refused),
                FaultName::Blackhole => Some(PortMode::Blackhole),
                _ => None,
            })
            .unwrap_or(PortMode::Open)
    }

    /// The fault that hits this request at this stage.
    pub(crate) fn take(&self, stage: FaultStage, subject: &Subject<'_>) -> Option<(u64, Fault)> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for active in &mut held.1 {
            let request = &active.request;
            if request.kind.stage() != Some(stage)
                || !request.matcher.admits(subject)
                || (request.kind.needs_stream() && !is_stream(subject.operation))
                || request.count.is_some_and(|count| active.hits >= count)
            {
                continue;
            }
            active.candidates += 1;
            if !is_drawn(request.rate, active.candidates) {
                continue;
            }
            active.hits += 1;
            return Some((active.id, active.request.fault()));
        }
        None
    }
}

fn is_stream(operation: Option<ApiOperation>) -> bool {
    matches!(
        operation,
        Some(ApiOperation::ConverseStream | ApiOperation::InvokeWithResponseStream)
    )
}

#[expect(clippy::cast_precision_loss, reason = "53 of the bits are kept")]
fn is_drawn(rate: Option<f64>, candidate: u64) -> bool {
    let drawn = (mix(candidate.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 11) as f64 / (1_u64 << 53) as f64;
    rate.is_none_or(|rate| drawn < rate)
}

impl FaultName {
    /// When it strikes; `None` for those of whole regions.
    fn stage(self) -> Option<FaultStage> {
        match self {
            Self::Refused | Self::Blackhole => None,
            Self::ResetAfterRequestHeaders => Some(FaultStage::Headers),
            _ => Some(FaultStage::Judged),
        }
    }

    fn needs_stream(self) -> bool {
        matches!(
            self,
            Self::Stall | Self::Exception | Self::SilentStart | Self::CorruptFrame
        )
    }
}

impl FaultRequest {
    fn check(&self) -> Result<(), String> {
        if self.rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
            return Err("expected rate from 0 to 1, but found another number".to_owned());
        }
        if self.kind == FaultName::Status {
            match self.status {
                Some(400..=599) => {}
                found => return Err(format!("expected status from 400 to 599, but found {found:?}")),
            }
        }
        if self.kind.stage().is_none()
            && (!self.matcher.is_by_region() || self.count.is_some() || self.rate.is_some())
        {
            return Err(
                "expected nothing but a region to match, as the fault is one of its ports".to_owned(),
            );
        }
        if self.kind == FaultName::Slow && self.delay_ms.is_none() {
            return Err("expected delay_ms, but found none".to_owned());
        }
        Ok(())
    }

    fn fault(&self) -> Fault {
        let after_events = self.after_events;
        let delay = self.delay_ms.map(Duration::from_millis);
        match self.kind {
            FaultName::Status => Fault::Status(self.error()),
            FaultName::Reset => Fault::Reset,
            FaultName::ResetAfterRequestHeaders => Fault::ResetAfterRequestHeaders,
            FaultName::Cut => Fault::Cut { after_events },
            FaultName::Stall => Fault::Stall { after_events },
            FaultName::Exception => Fault::Exception {
                after_events,
                name: self
                    .error_type
                    .clone()
                    .unwrap_or_else(|| "throttlingException".to_owned()),
                message: self
                    .message
                    .clone()
                    .unwrap_or_else(|| "Too many requests, please wait.".to_owned()),
            },
            FaultName::Slow => Fault::Slow(delay.unwrap_or_default()),
            FaultName::SilentStart => Fault::SilentStart(delay),
            FaultName::CorruptFrame => Fault::CorruptFrame { after_events },
            FaultName::Hang | FaultName::Refused | FaultName::Blackhole => Fault::Hang,
        }
    }

    fn error(&self) -> ApiError {
        let status = self.status.and_then(|status| StatusCode::from_u16(status).ok());
        let mut error = ApiError::of_status(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        if let Some(code) = &self.error_type {
            error.code.clone_from(code);
        }
        if let Some(message) = &self.message {
            error.message.clone_from(message);
        }
        let of_access = [
            "ExpiredTokenException",
            "IncompleteSignatureException",
            "InvalidSignatureException",
            "MissingAuthenticationTokenException",
            "UnrecognizedClientException",
        ];
        if of_access.contains(&error.code.as_str()) {
            error.layer = ErrorLayer::Access;
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(json: &str) -> Faults {
        let faults = Faults::default();
        faults.add(serde_json::from_str(json).unwrap()).unwrap();
        faults
    }

    fn subject(region: &str) -> Subject<'_> {
        Subject {
            region,
            access_key_id: Some("AK"),
            model: Some("m"),
            operation: Some(ApiOperation::Converse),
        }
    }

    #[test]
    fn a_counted_fault_hits_that_many_requests_of_its_region() {
        let faults = faults(r#"{"kind":"status","status":429,"count":2,"match":{"region":"a"}}"#);
        let hit = |region| faults.take(FaultStage::Judged, &subject(region)).is_some();
        assert_eq!(
            [hit("b"), hit("a"), hit("a"), hit("a")],
            [false, true, true, false]
        );
    }

    #[test]
    fn a_rate_hits_about_that_share() {
        let faults = faults(r#"{"kind":"hang","rate":0.3}"#);
        let hits = (0..1000)
            .filter(|_| faults.take(FaultStage::Judged, &subject("a")).is_some())
            .count();
        assert!((250..350).contains(&hits), "{hits}");
    }

    #[test]
    fn faults_of_streams_spare_other_operations() {
        let faults = faults(r#"{"kind":"exception"}"#);
        assert!(faults.take(FaultStage::Judged, &subject("a")).is_none());
    }

    #[test]
    fn a_closed_door_opens_when_its_fault_is_cleared() {
        let faults = faults(r#"{"kind":"refused","match":{"region":"a"}}"#);
        assert_eq!(
            (faults.door("a"), faults.door("b")),
            (PortMode::Refused, PortMode::Open)
        );
        faults.clear(None, Some("b"));
        assert_eq!(faults.door("a"), PortMode::Refused);
        faults.clear(None, Some("a"));
        assert_eq!(faults.door("a"), PortMode::Open);
    }

    #[test]
    fn impossible_faults_are_refused_with_a_reason() {
        for json in [
            r#"{"kind":"status"}"#,
            r#"{"kind":"status","status":200}"#,
            r#"{"kind":"hang","rate":2}"#,
            r#"{"kind":"refused","count":1}"#,
            r#"{"kind":"refused","match":{"model":"m"}}"#,
            r#"{"kind":"slow"}"#,
        ] {
            let error = Faults::default()
                .add(serde_json::from_str(json).unwrap())
                .unwrap_err();
            assert!(error.starts_with("expected "), "{error}");
        }
    }

    #[test]
    fn credentials_errors_are_spelled_as_the_access_layer_does() {
        let json = r#"{"kind":"status","status":403,"error_type":"ExpiredTokenException","message":"old"}"#;
        let Some((_, Fault::Status(error))) = faults(json).take(FaultStage::Judged, &subject("a")) else {
            panic!("expected a status")
        };
        assert_eq!(&error.body()[..], br#"{"Message":"old"}"#);
    }
}

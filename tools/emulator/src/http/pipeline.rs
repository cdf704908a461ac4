//! One request from its headers to its answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode, Version};
use sha2::{Digest, Sha256};

use crate::api_error::ApiError;
use crate::control::fault::{Fault, FaultStage, PortMode};
use crate::control::matcher::Subject;
use crate::control::pace::ResponsePace;
use crate::http::body::{BrokenOff, ResponseBody};
use crate::http::reset::ResetHandle;
use crate::http::script;
use crate::judge::authorization::{offered_access_key_id, redact};
use crate::judge::raw_request::RawRequest;
use crate::judge::route::{self, Route};
use crate::judge::verify::{Proof, verify};
use crate::judge::{models, strict};
use crate::log::recording::Recording;
use crate::log::request_log::{Ended, unix_ms};
use crate::random::mix;
use crate::response::guardrail::found as guardrail_of;
use crate::response::model_request::ModelRequest;
use crate::response::model_response::{ModelResponse, ResponseContent};
use crate::response::respond::answer;
use crate::state::{EmulatorState, RegionState};

/// Largest body that is read at all, in bytes: above every limit of Bedrock's, and small enough for a test machine.
const BODY_LIMIT_BYTES: usize = 64 * 1024 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const INPUT_TOKENS: HeaderName = HeaderName::from_static("x-amzn-bedrock-input-token-count");
const BODY_SHA256: HeaderName = HeaderName::from_static("x-emulator-body-sha256");

/// The connection of a request.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionInfo {
    pub(crate) number: u64,
    pub(crate) tls: bool,
    pub(crate) breaker: Arc<ResetHandle>,
}

/// Answers a request that reached `region`. An error breaks its connection (HTTP/1.1) or its stream (HTTP/2).
pub(crate) async fn handle(
    region: Arc<RegionState>,
    connection: ConnectionInfo,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, BrokenOff> {
    let (parts, incoming) = request.into_parts();
    let breaker = (parts.version != Version::HTTP_2).then(|| connection.breaker.clone());
    let exchange = begin(&region, &connection, &parts);
    let route = route::find(&parts.method, parts.uri.path(), &region.shared.base_path);
    let mut handling = PendingRequest {
        region,
        parts,
        route,
        exchange,
        breaker,
        access_key_id: None,
    };
    handling.note_claims();
    if *handling.region.door.borrow() == PortMode::Blackhole {
        return std::future::pending().await;
    }
    if let Some(fault) = handling.take(FaultStage::Headers) {
        return handling.strike(fault, None).await;
    }
    let body = match read(incoming).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            return Ok(handling.refuse(&ApiError::of_status(StatusCode::PAYLOAD_TOO_LARGE)));
        }
        Err(BodyError::Gone) => return Err(BrokenOff),
    };
    let digest = handling.note_body(&body);
    if let Err(error) = handling.judge() {
        return Ok(handling.refuse(&error));
    }
    let pace = handling.region.shared.paces.find(&handling.subject());
    let fault = handling.take(FaultStage::Judged);
    if let Some(fault @ (Fault::Status(_) | Fault::Reset | Fault::Hang)) = fault {
        return handling.strike(fault, None).await;
    }
    match handling.answer(&body, &digest, pace) {
        Err(error) => Ok(handling.refuse(&error)),
        Ok(answer) => {
            if pace.latency_ms > 0 {
                // A sleep of nothing would still last until the timer's next tick.
                tokio::time::sleep(Duration::from_millis(pace.latency_ms)).await;
            }
            match fault {
                Some(fault) => handling.strike(fault, Some((answer, pace))).await,
                None => Ok(handling.send(answer, pace, None)),
            }
        }
    }
}

/// A request that is being handled.
struct PendingRequest {
    region: Arc<RegionState>,
    parts: Parts,
    route: Option<Route>,
    exchange: Box<Recording>,
    breaker: Option<Arc<ResetHandle>>,
    access_key_id: Option<String>,
}

fn begin(region: &RegionState, connection: &ConnectionInfo, parts: &Parts) -> Box<Recording> {
    let shared = &region.shared;
    let mut exchange = Recording::new(shared.log.clone(), shared.stopping.clone(), &region.name);
    let entry = &mut exchange.entry;
    entry.request_id = request_id(shared, entry.arrival);
    if shared.log.wants_entries() {
        entry.connection = connection.number;
        entry.tls = connection.tls;
        entry.protocol = if parts.version == Version::HTTP_2 {
            "h2"
        } else {
            "h1"
        };
        entry.method = parts.method.to_string();
        entry.path = target(parts).to_owned();
        entry.authority = authority(parts).map(str::to_owned);
        entry.headers = logged(&parts.headers);
    }
    Box::new(exchange)
}

fn target(parts: &Parts) -> &str {
    parts.uri.path_and_query().map_or("/", |target| target.as_str())
}

/// `:authority` (an absolute request target of HTTP/1.1 has one too, and means the same).
fn authority(parts: &Parts) -> Option<&str> {
    parts.uri.authority().map(|authority| authority.as_str())
}

fn request_id(shared: &EmulatorState, arrival: u64) -> String {
    let (high, low) = (
        shared.seed,
        mix(shared.seed ^ arrival.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    );
    let hex = format!("{high:016x}{low:016x}");
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[16..24],
        &hex[24..28],
        &hex[28..31],
        &hex[..3],
        &hex[3..15]
    )
}

fn logged(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let shown = |(name, value): (&HeaderName, &HeaderValue)| {
        let shown = match name.as_str() {
            "authorization" => redact(&text(value)),
            "x-amz-security-token" => "[redacted]".to_owned(),
            _ => text(value),
        };
        (name.as_str().to_owned(), shown)
    };
    headers.iter().map(shown).collect()
}

enum BodyError {
    TooLarge,
    Gone,
}

async fn read(mut incoming: Incoming) -> Result<Bytes, BodyError> {
    let announced = usize::try_from(incoming.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > BODY_LIMIT_BYTES {
        return Err(BodyError::TooLarge);
    }
    let mut body = BytesMut::with_capacity(announced);
    while let Some(frame) = incoming.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyError::Gone)?.into_data() {
            if body.len().saturating_add(data.len()) > BODY_LIMIT_BYTES {
                return Err(BodyError::TooLarge);
            }
            body.extend_from_slice(&data);
        }
    }
    Ok(body.freeze())
}

impl PendingRequest {
    fn note_claims(&mut self) {
        let authorization = self
            .parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        self.access_key_id = authorization.and_then(offered_access_key_id).map(str::to_owned);
        let entry = &mut self.exchange.entry;
        entry.access_key_id.clone_from(&self.access_key_id);
        entry.model = self.route.as_ref().map(|route| route.model.clone());
        entry.operation = self.route.as_ref().map(|route| route.operation);
        entry.violations = strict::violations(
            &self.parts.headers,
            self.parts.uri.query(),
            authority(&self.parts),
        );
    }

    fn note_body(&mut self, body: &Bytes) -> [u8; 32] {
        let digest: [u8; 32] = Sha256::digest(body).into();
        let entry = &mut self.exchange.entry;
        entry.body_bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        entry.body_sha256 = hex::encode(digest);
        entry.body_unix_ms = Some(unix_ms());
        if let Some(route) = &self.route
            && self.region.shared.log.wants_entries()
        {
            entry.guardrail = guardrail_of(route.operation, &self.parts.headers, body);
        }
        digest
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            region: &self.region.name,
            access_key_id: self.access_key_id.as_deref(),
            model: self.route.as_ref().map(|route| route.model.as_str()),
            operation: self.route.as_ref().map(|route| route.operation),
        }
    }

    fn take(&mut self, stage: FaultStage) -> Option<Fault> {
        let (id, fault) = self.region.shared.faults.take(stage, &self.subject())?;
        self.exchange.entry.fault = Some(fault.name().to_owned());
        self.exchange.entry.fault_id = Some(id);
        Some(fault)
    }

    /// Whether the request is believed, is one that a gateway may send, and is an operation.
    fn judge(&mut self) -> Result<(), ApiError> {
        let shared = &self.region.shared;
        let offered = RawRequest {
            method: self.parts.method.as_str(),
            target: target(&self.parts),
            headers: &self.parts.headers,
            authority: authority(&self.parts),
            body_sha256: &self.exchange.entry.body_sha256,
        };
        let verdict = verify(&shared.keyring, &self.region.name, SystemTime::now(), &offered);
        let entry = &mut self.exchange.entry;
        entry.verified = Some(verdict.is_ok());
        entry.reason = Some(match &verdict {
            Ok(Proof::Signature) => "signature",
            Ok(Proof::ApiKey) => "api key",
            Err(refusal) => refusal.reason,
        });
        verdict.map_err(|refusal| refusal.error)?;
        if shared.is_strict.load(Ordering::Relaxed) && !entry.violations.is_empty() {
            let found = entry.violations.join(", ");
            return Err(ApiError::validation(format!(
                "expected only what a gateway may send, but found {found}"
            )));
        }
        if self.route.is_none() {
            return Err(ApiError::unknown_operation());
        }
        Ok(())
    }

    fn answer(&self, body: &[u8], digest: &[u8; 32], pace: ResponsePace) -> Result<ModelResponse, ApiError> {
        let route = self.route.as_ref().ok_or_else(ApiError::unknown_operation)?;
        let model = models::find(&route.model, &self.region.name, &self.region.shared.models);
        let model = model.ok_or_else(|| ApiError::validation("The provided model identifier is invalid."))?;
        answer(&ModelRequest {
            operation: route.operation,
            model_id: &route.model,
            model,
            region: &self.region.name,
            headers: &self.parts.headers,
            body,
            digest,
            pace,
        })
    }

    /// Lets `fault` happen, to `answer` if it is one that needs an answer.
    async fn strike(
        mut self,
        fault: Fault,
        answer: Option<(ModelResponse, ResponsePace)>,
    ) -> Result<Response<ResponseBody>, BrokenOff> {
        match (fault, answer) {
            (Fault::Status(error), _) => Ok(self.refuse(&error)),
            (Fault::Reset | Fault::ResetAfterRequestHeaders, _) => {
                self.exchange.end(Ended::Fault);
                if let Some(breaker) = &self.breaker {
                    breaker.reset();
                }
                Err(BrokenOff)
            }
            (Fault::Slow(delay), Some((answer, pace))) => {
                tokio::time::sleep(delay).await;
                Ok(self.send(answer, pace, None))
            }
            (fault, Some((answer, pace))) if fault != Fault::Hang => {
                Ok(self.send(answer, pace, Some(&fault)))
            }
            _ => std::future::pending().await,
        }
    }

    fn refuse(mut self, error: &ApiError) -> Response<ResponseBody> {
        let mut headers = Vec::new();
        if !error.code.is_empty() {
            self.exchange.entry.error_type = Some(error.code.clone());
            headers.extend(
                HeaderValue::from_str(&error.code)
                    .ok()
                    .map(|code| (ERROR_TYPE, code)),
            );
        }
        headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        self.respond(error.status, headers, |exchange, _| {
            ResponseBody::whole(error.body(), exchange)
        })
    }

    fn send(
        mut self,
        answer: ModelResponse,
        pace: ResponsePace,
        fault: Option<&Fault>,
    ) -> Response<ResponseBody> {
        self.exchange.entry.usage = answer.usage;
        let mut headers = answer.headers;
        self.exchange.entry.usage_reported = headers.iter().any(|(name, _)| *name == INPUT_TOKENS);
        let media = match answer.content {
            ResponseContent::Whole(_) => "application/json",
            ResponseContent::Frames(_) => "application/vnd.amazon.eventstream",
        };
        headers.push((CONTENT_TYPE, HeaderValue::from_static(media)));
        match answer.content {
            ResponseContent::Whole(bytes) if matches!(fault, Some(Fault::Cut { .. })) => {
                headers.push((CONTENT_LENGTH, HeaderValue::from(bytes.len())));
                let steps = script::half(&bytes);
                self.respond(StatusCode::OK, headers, |exchange, breaker| {
                    ResponseBody::steps(steps, exchange, breaker)
                })
            }
            ResponseContent::Whole(bytes) => self.respond(StatusCode::OK, headers, |exchange, _| {
                ResponseBody::whole(bytes, exchange)
            }),
            ResponseContent::Frames(frames) => {
                if let Some(Fault::Exception { name, .. }) = fault {
                    self.exchange.entry.error_type = Some(name.clone());
                }
                let steps = script::steps(frames, Duration::from_millis(pace.interval_ms), fault);
                self.respond(StatusCode::OK, headers, |exchange, breaker| {
                    ResponseBody::steps(steps, exchange, breaker)
                })
            }
        }
    }

    fn respond(
        mut self,
        status: StatusCode,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: impl FnOnce(Box<Recording>, Option<Arc<ResetHandle>>) -> ResponseBody,
    ) -> Response<ResponseBody> {
        let entry = &mut self.exchange.entry;
        entry.status = Some(status.as_u16());
        entry.headers_unix_ms = Some(unix_ms());
        let mut all: HeaderMap = headers.into_iter().collect();
        for (name, value) in [(REQUEST_ID, &entry.request_id), (BODY_SHA256, &entry.body_sha256)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                all.insert(name, value);
            }
        }
        if self.parts.method == hyper::Method::HEAD {
            // Its body is never asked for.
            self.exchange.end(Ended::Complete);
        }
        let mut response = Response::new(body(self.exchange, self.breaker));
        *response.status_mut() = status;
        *response.headers_mut() = all;
        response
    }
}

//! One request, from its headers to its response.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode, Version};
use sha2::{Digest, Sha256};

use super::arrival::{self, ConnectionInfo, authority, target};
use super::request_body::{self, BodyError};
use super::reset::ResetHandle;
use super::response_body::{BrokenOff, ResponseBody};
use super::script;
use crate::api_error::ApiError;
use crate::control::fault::{FaultKind, FaultStage, PortMode};
use crate::control::matcher::Subject;
use crate::control::pace::ResponsePace;
use crate::judge::authorization::{claimed_access_key_id, short_term_key};
use crate::judge::raw_request::RawRequest;
use crate::judge::route::{self, ModelRoute};
use crate::judge::verify::{Proof, verify};
use crate::judge::{models, strict};
use crate::log::entry::{Ended, unix_ms};
use crate::log::recording::Recording;
use crate::response::guardrail;
use crate::response::model_request::ModelRequest;
use crate::response::model_response::{ModelResponse, ResponseContent};
use crate::response::respond::respond;
use crate::state::RegionState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const INPUT_TOKENS: HeaderName = HeaderName::from_static("x-amzn-bedrock-input-token-count");
const BODY_SHA256: HeaderName = HeaderName::from_static("x-emulator-body-sha256");

/// Responds to a request that reached `region`. An error breaks off its connection (HTTP/1.1) or
/// its stream (HTTP/2).
pub(super) async fn handle(
    region: Arc<RegionState>,
    connection: ConnectionInfo,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, BrokenOff> {
    let (parts, incoming) = request.into_parts();
    let reset = (parts.version != Version::HTTP_2).then(|| connection.reset.clone());
    let recording = arrival::begin(&region, &connection, &parts);
    let route = route::find(&parts.method, parts.uri.path(), &region.emulator.base_path);
    let mut pending = PendingRequest {
        region,
        parts,
        route,
        recording,
        reset,
        access_key_id: None,
    };
    pending.record_headers();
    if *pending.region.port_mode.borrow() == PortMode::Blackhole {
        return std::future::pending().await;
    }
    if let Some(fault) = pending.take_fault(FaultStage::Headers) {
        return pending.fail(fault, None).await;
    }
    let body = match request_body::read(incoming).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            return Ok(pending.refuse(&ApiError::of_status(StatusCode::PAYLOAD_TOO_LARGE)));
        }
        Err(BodyError::Gone) => return Err(BrokenOff),
    };
    let digest = pending.record_body(&body);
    if let Err(error) = pending.judge() {
        return Ok(pending.refuse(&error));
    }
    let pace = pending.region.emulator.paces.find(&pending.subject());
    let fault = pending.take_fault(FaultStage::Judged);
    if let Some(fault @ (FaultKind::Status(_) | FaultKind::Reset | FaultKind::Hang)) = fault {
        return pending.fail(fault, None).await;
    }
    match pending.respond(&body, &digest, pace) {
        Err(error) => Ok(pending.refuse(&error)),
        Ok(response) => {
            if pace.latency_ms > 0 {
                // Sleeping for zero milliseconds would still wait for the timer's next tick.
                tokio::time::sleep(Duration::from_millis(pace.latency_ms)).await;
            }
            match fault {
                Some(fault) => pending.fail(fault, Some((response, pace))).await,
                None => Ok(pending.send(response, pace, None)),
            }
        }
    }
}

/// A request without a response yet.
struct PendingRequest {
    region: Arc<RegionState>,
    parts: Parts,
    route: Option<ModelRoute>,
    recording: Box<Recording>,
    reset: Option<Arc<ResetHandle>>,
    access_key_id: Option<String>,
}

impl PendingRequest {
    fn record_headers(&mut self) {
        let authorization = self
            .parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        self.access_key_id = authorization.and_then(claimed_access_key_id);
        if let Some(key) = authorization.and_then(short_term_key) {
            let secret = key.to_owned();
            self.region.emulator.identity.note_secrets([secret]);
        }
        let entry = &mut self.recording.entry;
        entry.access_key_id.clone_from(&self.access_key_id);
        entry.model = self.route.as_ref().map(|route| route.model.clone());
        entry.operation = self.route.as_ref().map(|route| route.operation);
        entry.violations = strict::violations(
            &self.parts.headers,
            self.parts.uri.query(),
            authority(&self.parts),
        );
    }

    fn record_body(&mut self, body: &Bytes) -> [u8; 32] {
        let digest: [u8; 32] = Sha256::digest(body).into();
        let entry = &mut self.recording.entry;
        entry.body_bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        entry.body_sha256 = hex::encode(digest);
        entry.body_unix_ms = Some(unix_ms());
        if let Some(route) = &self.route
            && self.region.emulator.log.keeps_entries()
        {
            entry.guardrail = guardrail::find(route.operation, &self.parts.headers, body);
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

    fn take_fault(&mut self, stage: FaultStage) -> Option<FaultKind> {
        let (id, fault) = self.region.emulator.faults.take(stage, &self.subject())?;
        self.recording.entry.fault = Some(fault.name().to_owned());
        self.recording.entry.fault_id = Some(id);
        Some(fault)
    }

    /// Accepts a request that is authenticated, that a gateway may send, and that names an
    /// operation.
    fn judge(&mut self) -> Result<(), ApiError> {
        let emulator = &self.region.emulator;
        let request = RawRequest {
            method: self.parts.method.as_str(),
            target: target(&self.parts),
            headers: &self.parts.headers,
            authority: authority(&self.parts),
            body_sha256: &self.recording.entry.body_sha256,
        };
        let known = emulator.known();
        let now = SystemTime::now();
        let verdict = verify(&known.keyring, &self.region.name, now, &request);
        let entry = &mut self.recording.entry;
        let claimed = self
            .access_key_id
            .as_deref()
            .and_then(|id| known.keyring.find(id));
        entry.account = claimed.map(|owned| owned.principal.account.clone());
        entry.credential_expired = claimed.is_some_and(|owned| owned.is_expired(now));
        entry.verified = Some(verdict.is_ok());
        entry.reason = Some(match &verdict {
            Ok(Proof::Signature) => "signature",
            Ok(Proof::ApiKey) => "api key",
            Ok(Proof::ShortTermApiKey) => "short-term api key",
            Err(failure) => failure.reason,
        });
        verdict.map_err(|failure| failure.error)?;
        if emulator.is_strict.load(Ordering::Relaxed) && !entry.violations.is_empty() {
            return Err(ApiError::validation(format!(
                "a gateway must not send this: {}",
                entry.violations.join(", ")
            )));
        }
        if self.route.is_none() {
            return Err(ApiError::unknown_operation());
        }
        Ok(())
    }

    fn respond(&self, body: &[u8], digest: &[u8; 32], pace: ResponsePace) -> Result<ModelResponse, ApiError> {
        let route = self.route.as_ref().ok_or_else(ApiError::unknown_operation)?;
        let kind = models::find(
            &route.model,
            &self.region.name,
            &self.region.emulator.known().models,
        );
        let kind = kind.ok_or_else(|| ApiError::validation("The provided model identifier is invalid."))?;
        respond(&ModelRequest {
            operation: route.operation,
            model_id: &route.model,
            model: kind,
            region: &self.region.name,
            headers: &self.parts.headers,
            body,
            digest,
            pace,
            prompt_cache: &self.region.emulator.prompt_cache,
        })
    }

    /// Makes the request fail. `response` is for faults that change a response.
    async fn fail(
        mut self,
        fault: FaultKind,
        response: Option<(ModelResponse, ResponsePace)>,
    ) -> Result<Response<ResponseBody>, BrokenOff> {
        match (fault, response) {
            (FaultKind::Status(fault), _) => Ok(self.refuse(&fault.error())),
            (FaultKind::Reset | FaultKind::ResetAfterRequestHeaders, _) => {
                self.recording.end(Ended::Fault);
                if let Some(reset) = &self.reset {
                    reset.reset();
                }
                Err(BrokenOff)
            }
            (FaultKind::Slow { delay_ms }, Some((response, pace))) => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                Ok(self.send(response, pace, None))
            }
            (FaultKind::Altered(alteration), Some((response, pace))) => {
                let mut response = self.send(response, pace, None);
                response.headers_mut().extend(alteration.headers());
                response.body_mut().add_trailers(alteration.trailers());
                if let Some(status) = alteration.status() {
                    *response.status_mut() = status;
                }
                Ok(response)
            }
            (fault, Some((response, pace))) if fault != FaultKind::Hang => {
                Ok(self.send(response, pace, Some(&fault)))
            }
            _ => std::future::pending().await,
        }
    }

    fn refuse(mut self, error: &ApiError) -> Response<ResponseBody> {
        let mut headers = Vec::new();
        if !error.code.is_empty() {
            self.recording.entry.error_type = Some(error.code.clone());
            if let Ok(code) = HeaderValue::from_str(&error.code) {
                headers.push((ERROR_TYPE, code));
            }
        }
        headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        self.finish(error.status, headers, |recording, _| {
            ResponseBody::whole(error.body(), recording)
        })
    }

    fn send(
        mut self,
        response: ModelResponse,
        pace: ResponsePace,
        fault: Option<&FaultKind>,
    ) -> Response<ResponseBody> {
        self.recording.entry.usage = response.usage;
        let mut headers = response.headers;
        self.recording.entry.usage_reported = headers.iter().any(|(name, _)| *name == INPUT_TOKENS);
        let media_type = match response.content {
            ResponseContent::Whole(_) => "application/json",
            ResponseContent::Frames(_) => "application/vnd.amazon.eventstream",
        };
        headers.push((CONTENT_TYPE, HeaderValue::from_static(media_type)));
        match response.content {
            ResponseContent::Whole(bytes) if matches!(fault, Some(FaultKind::Cut { .. })) => {
                headers.push((CONTENT_LENGTH, HeaderValue::from(bytes.len())));
                let steps = script::half(&bytes);
                self.finish(StatusCode::OK, headers, |recording, reset| {
                    ResponseBody::steps(steps, recording, reset)
                })
            }
            ResponseContent::Whole(bytes) => self.finish(StatusCode::OK, headers, |recording, _| {
                ResponseBody::whole(bytes, recording)
            }),
            ResponseContent::Frames(frames) => {
                if let Some(FaultKind::Exception(fault)) = fault {
                    self.recording.entry.error_type = Some(fault.error_type().to_owned());
                }
                let steps = script::steps(frames, Duration::from_millis(pace.interval_ms), fault);
                self.finish(StatusCode::OK, headers, |recording, reset| {
                    ResponseBody::steps(steps, recording, reset)
                })
            }
        }
    }

    fn finish(
        mut self,
        status: StatusCode,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: impl FnOnce(Box<Recording>, Option<Arc<ResetHandle>>) -> ResponseBody,
    ) -> Response<ResponseBody> {
        let entry = &mut self.recording.entry;
        entry.status = Some(status.as_u16());
        entry.headers_unix_ms = Some(unix_ms());
        let mut headers: HeaderMap = headers.into_iter().collect();
        for (name, value) in [(REQUEST_ID, &entry.request_id), (BODY_SHA256, &entry.body_sha256)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        if self.parts.method == hyper::Method::HEAD {
            // hyper never polls the body.
            self.recording.end(Ended::Complete);
        }
        let mut response = Response::new(body(self.recording, self.reset));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

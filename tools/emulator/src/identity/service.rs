//! One request to the identity service.

use std::fmt;
use std::future::pending;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use sha2::{Digest, Sha256};

use super::calls::IdentityCall;
use super::endpoint::IdentityEndpoint;
use super::error::IdentityError;
use super::fault::{IdentityFault, IdentityFaultKind};
use super::form::Form;
use super::reply::{ErrorFormat, IdentityReply};
use super::{container, imds, sso, sts};
use crate::judge::authorization::{claimed_access_key_id, claimed_region};
use crate::judge::raw_request::RawRequest;
use crate::log::entry::unix_ms;
use crate::state::EmulatorState;

/// Largest body, in bytes.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// The connection is closed without a response.
#[derive(Debug)]
pub(crate) struct IdentityBrokenOff;

impl fmt::Display for IdentityBrokenOff {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("closed without a response")
    }
}

impl std::error::Error for IdentityBrokenOff {}

/// Responds to a request.
pub(crate) async fn handle(
    emulator: &EmulatorState,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, IdentityBrokenOff> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT_BYTES).collect().await;
    let body = body.map_err(|_| IdentityBrokenOff)?.to_bytes();
    let pending_call = PendingCall::of(parts, body);
    let role_arn = pending_call.role_arn.as_deref();
    let fault = emulator.identity.faults.take(pending_call.endpoint, role_arn);
    let kind = fault.as_ref().map(|fault| fault.kind);
    let reply = match fault {
        None => Some(pending_call.reply(emulator)),
        Some(fault) => pending_call.fail(emulator, &fault),
    };
    emulator
        .identity
        .calls
        .add(pending_call.record(reply.as_ref(), kind));
    match (reply, kind) {
        (Some(reply), _) => Ok(response(reply)),
        (None, Some(IdentityFaultKind::Hang)) => pending().await,
        (None, _) => Err(IdentityBrokenOff),
    }
}

/// A call without a response yet.
struct PendingCall {
    parts: Parts,
    body: Bytes,
    unix_ms: u64,
    endpoint: IdentityEndpoint,
    /// The body of an STS call or the query of SSO, or why the call names no action.
    form: Result<Form, IdentityError>,
    role_arn: Option<String>,
}

impl PendingCall {
    fn of(parts: Parts, body: Bytes) -> Self {
        let path = parts.uri.path();
        let mut form = Ok(Form::default());
        let endpoint = if path.starts_with("/latest/") {
            imds::endpoint(&parts.method, path)
        } else if parts.method == Method::GET && path.starts_with(container::ECS_PREFIX) {
            IdentityEndpoint::Ecs
        } else if parts.method == Method::GET && path == container::EKS_PATH {
            IdentityEndpoint::Eks
        } else if parts.method == Method::GET && path == sso::PATH {
            form = Form::parse(parts.uri.query().unwrap_or_default().as_bytes());
            IdentityEndpoint::Sso
        } else {
            form = Form::parse(&body);
            let action = form.as_ref().map_err(Clone::clone).and_then(sts::endpoint);
            action.unwrap_or_else(|error| {
                form = Err(error);
                IdentityEndpoint::Unknown
            })
        };
        let role_arn = form.as_ref().ok().and_then(|form| match endpoint {
            IdentityEndpoint::Sso => sso::role(form).map(String::from),
            _ => form.find("RoleArn").map(str::to_owned),
        });
        Self {
            role_arn,
            parts,
            body,
            unix_ms: unix_ms(),
            endpoint,
            form,
        }
    }

    fn reply(&self, emulator: &EmulatorState) -> IdentityReply {
        self.run(emulator)
            .unwrap_or_else(|error| IdentityReply::of_error(&error, self.error_format()))
    }

    fn run(&self, emulator: &EmulatorState) -> Result<IdentityReply, IdentityError> {
        let Parts { uri, headers, .. } = &self.parts;
        let form = self.form.as_ref().map_err(Clone::clone)?;
        let digest = hex::encode(Sha256::digest(&self.body));
        let request = RawRequest {
            method: self.parts.method.as_str(),
            target: uri.path_and_query().map_or("/", |target| target.as_str()),
            headers,
            authority: uri.authority().map(|authority| authority.as_str()),
            body_sha256: &digest,
        };
        match self.endpoint {
            IdentityEndpoint::AssumeRole => sts::assume_role(emulator, &request, form),
            IdentityEndpoint::AssumeRoleWithWebIdentity => sts::assume_role_with_web_identity(emulator, form),
            IdentityEndpoint::GetCallerIdentity => sts::caller_identity(emulator, &request),
            IdentityEndpoint::ImdsToken => imds::token(emulator, headers),
            IdentityEndpoint::ImdsRole
            | IdentityEndpoint::ImdsCredentials
            | IdentityEndpoint::ImdsDocument => imds::metadata(emulator, uri.path(), headers),
            IdentityEndpoint::Ecs => {
                let id = uri.path().strip_prefix(container::ECS_PREFIX);
                container::task(emulator, id.unwrap_or_default())
            }
            IdentityEndpoint::Eks => container::pod(emulator, headers),
            IdentityEndpoint::Sso => sso::credentials(emulator, form, headers),
            IdentityEndpoint::Unknown => Err(IdentityError::new(StatusCode::NOT_FOUND, "NotFound", "")),
        }
    }

    /// What a fault makes of the call; `None` if there is no response.
    fn fail(&self, emulator: &EmulatorState, fault: &IdentityFault) -> Option<IdentityReply> {
        match fault.kind {
            IdentityFaultKind::Hang | IdentityFaultKind::Close => None,
            IdentityFaultKind::Garbage => Some(IdentityReply::garbage()),
            IdentityFaultKind::Truncated => Some(self.reply(emulator).truncated()),
            IdentityFaultKind::Error => {
                let code = fault.code.as_deref().unwrap_or("ServiceUnavailable");
                let mut error = IdentityError::of_code(code, fault.message.as_deref());
                if let Some(status) = fault.status.and_then(|status| StatusCode::from_u16(status).ok()) {
                    error.status = status;
                }
                Some(IdentityReply::of_error(&error, self.error_format()))
            }
        }
    }

    fn error_format(&self) -> ErrorFormat {
        match self.endpoint.service() {
            "imds" => ErrorFormat::Page,
            "ecs" | "eks" | "sso" => ErrorFormat::Json,
            _ => ErrorFormat::Xml,
        }
    }

    fn record(self, reply: Option<&IdentityReply>, fault: Option<IdentityFaultKind>) -> IdentityCall {
        let authorization = self.parts.headers.get(AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok());
        IdentityCall {
            endpoint: self.endpoint,
            unix_ms: self.unix_ms,
            status: reply.map(|reply| reply.status.as_u16()),
            error: reply.and_then(|reply| reply.error.clone()),
            fault,
            caller: authorization.and_then(claimed_access_key_id),
            signing_region: authorization.and_then(claimed_region),
            role_arn: self.role_arn,
            issued: reply.and_then(|reply| reply.issued.clone()),
        }
    }
}

fn response(reply: IdentityReply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(reply.body));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.media_type));
    headers.extend(reply.header);
    response
}

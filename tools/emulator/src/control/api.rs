//! The control API: JSON over HTTP/1.1 on its own port.
//!
//! | request | effect |
//! | --- | --- |
//! | `GET /health` | `{"ok": true, "in_flight": n}` |
//! | `GET /regions` | name → `{"http": "ip:port", "https": "ip:port"}` |
//! | `POST /faults` | adds a fault ([`FaultRule`]); responds `{"id": n}` |
//! | `GET /faults` | the faults, and how often each has hit |
//! | `DELETE /faults[?id=n][&region=r]` | clears one fault, those of a region, or all; closed ports open again |
//! | `POST /pace` | sets how fast and how long responses are ([`PaceRule`]) |
//! | `DELETE /pace` | restores the defaults |
//! | `POST /mode` | `{"hostile": bool}`: requests are invalid on purpose; `{"strict": bool}`: refuse violations |
//! | `GET /log[?since=n][&region=r][&format=lines]` | `{"next": n, "in_flight": n, "entries": […]}`, or one entry per line ([`LogEntry`]) |
//! | `DELETE /log` | removes entries and counts |
//! | `GET /summary` | counts by region ([`RegionSummary`]) |
//!
//! Paths that start with `/identity` are those of the identity service ([`identity`]).
//!
//! A change is in force when the response arrives: the ports are closed, or open again. A fault has
//! a `kind` and optionally a `match` (`region`, `access_key_id`, `model`, `operation`) and a
//! `count` or a `rate`:
//!
//! ```json
//! {"kind": "status", "status": 429, "count": 3, "match": {"region": "us-west-2"}}
//! {"kind": "cut", "after_events": 4, "match": {"operation": "converse-stream"}}
//! {"kind": "refused", "match": {"region": "us-east-1"}}
//! ```
//!
//! Errors are 400 or 404 with `{"error": "…"}`.
//!
//! [`LogEntry`]: crate::log::entry::LogEntry
//! [`RegionSummary`]: crate::log::summary::RegionSummary

use std::convert::Infallible;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::controller::{Controller, RegionPorts};
use super::fault_rule::FaultRule;
use super::identity;
use super::pace::PaceRule;
use super::request::{ControlError, QueryParameters, number, parse_query, read};
use crate::http::plain;
use crate::shutdown::Shutdown;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModeRequest {
    hostile: Option<bool>,
    strict: Option<bool>,
}

enum ControlReply {
    Json(Value),
    Lines(String),
}

/// Serves until the emulator stops.
pub(crate) async fn serve(controller: Controller, listener: TcpListener, shutdown: Shutdown) {
    plain::serve(listener, shutdown, move |request| {
        respond(controller.clone(), request)
    })
    .await;
}

async fn respond(
    controller: Controller,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, media_type, text) = match run(&controller, request).await {
        Ok(ControlReply::Json(value)) => (StatusCode::OK, "application/json", value.to_string()),
        Ok(ControlReply::Lines(text)) => (StatusCode::OK, "application/jsonl", text),
        Err(error) => {
            let body = json!({ "error": error.to_string() });
            (error.status(), "application/json", body.to_string())
        }
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    Ok(response)
}

async fn run(controller: &Controller, request: Request<Incoming>) -> Result<ControlReply, ControlError> {
    let (parts, body) = request.into_parts();
    let query = parse_query(parts.uri.query().unwrap_or_default())?;
    let emulator = &controller.emulator;
    let done = json!({ "ok": true });
    let value = match (parts.method.as_str(), parts.uri.path()) {
        ("GET", "/health") => json!({ "ok": true, "in_flight": emulator.log.in_flight() }),
        ("GET", "/regions") => addresses(controller),
        ("GET", "/faults") => json!(emulator.faults.list()),
        ("POST", "/faults") => {
            let rule: FaultRule = read(body).await?;
            json!({ "id": controller.add_fault(rule).await? })
        }
        ("DELETE", "/faults") => {
            let id = number(&query, "id")?;
            let region = query.get("region").map(String::as_str);
            controller.clear_faults(id, region).await;
            done
        }
        ("POST", "/pace") => {
            let rule: PaceRule = read(body).await?;
            controller.add_pace(rule)?;
            done
        }
        ("DELETE", "/pace") => {
            emulator.paces.clear();
            done
        }
        ("POST", "/mode") => {
            let mode: ModeRequest = read(body).await?;
            controller.set_mode(mode.hostile, mode.strict);
            json!({ "hostile": emulator.log.is_hostile(), "strict": emulator.is_strict.load(Ordering::Relaxed) })
        }
        ("GET", "/log") => return log(controller, &query),
        ("DELETE", "/log") => {
            emulator.log.clear();
            done
        }
        ("GET", "/summary") => json!(emulator.log.summary()),
        (method, path) if path.starts_with("/identity") => {
            identity::run(controller, method, path, &query, body).await?
        }
        (method, path) => return Err(ControlError::UnknownPath(format!("{method} {path}"))),
    };
    Ok(ControlReply::Json(value))
}

fn addresses(controller: &Controller) -> Value {
    let pair = |ports: &RegionPorts| (ports.region.name.clone(), json!(ports.addresses));
    Value::Object(controller.regions.iter().map(pair).collect())
}

fn log(controller: &Controller, query: &QueryParameters) -> Result<ControlReply, ControlError> {
    let log = &controller.emulator.log;
    let in_flight = log.in_flight();
    let since = number(query, "since")?.unwrap_or(0);
    let (next, entries) = log.read(since, query.get("region").map(String::as_str));
    let entries: Vec<Value> = entries.iter().map(|entry| json!(entry.as_ref())).collect();
    match query.get("format").map(String::as_str) {
        None | Some("json") => Ok(ControlReply::Json(
            json!({ "next": next, "in_flight": in_flight, "entries": entries }),
        )),
        Some("lines") => Ok(ControlReply::Lines(
            entries.iter().map(|entry| format!("{entry}\n")).collect(),
        )),
        Some(format) => Err(ControlError::Format(format.to_owned())),
    }
}

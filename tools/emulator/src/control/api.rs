//! The control API: JSON over HTTP/1.1 on a port of its own.
//!
//! | request | effect |
//! | --- | --- |
//! | `GET /health` | `{"ok": true, "in_flight": n}` |
//! | `GET /regions` | name → `{"http": "ip:port", "https": "ip:port"}` |
//! | `POST /faults` | sets a fault ([`FaultRequest`]); answers `{"id": n}` |
//! | `GET /faults` | the faults, with how often each has hit |
//! | `DELETE /faults[?id=n][&region=r]` | clears one, those of one region, or all; closed ports open again |
//! | `POST /pace` | sets how fast and long answers are ([`PaceRule`]) |
//! | `DELETE /pace` | back to the defaults |
//! | `POST /mode` | `{"hostile": bool}`: whether requests are wrong on purpose; `{"strict": bool}`: whether violations are refused |
//! | `GET /log[?since=n][&region=r][&format=lines]` | `{"next": n, "in_flight": n, "entries": […]}`, or one entry a line ([`crate::log::request_log::LogEntry`]) |
//! | `DELETE /log` | forgets entries and counts |
//! | `GET /summary` | counts by region ([`crate::log::request_log::RegionSummary`]) |
//!
//! When an answer comes, the change is in force: ports are really closed, or open. A fault has a `kind`, and may have
//! a `match` (`region`, `access_key_id`, `model`, `operation`), a `count` or a `rate`:
//!
//! ```json
//! {"kind": "status", "status": 429, "count": 3, "match": {"region": "us-west-2"}}
//! {"kind": "cut", "after_events": 4, "match": {"operation": "converse-stream"}}
//! {"kind": "refused", "match": {"region": "us-east-1"}}
//! ```
//!
//! Errors are 400 or 404 with `{"error": "…"}`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::RegionAddresses;
use crate::control::fault::{FaultRequest, PortMode};
use crate::control::pace::PaceRule;
use crate::percent;
use crate::shutdown::Shutdown;
use crate::state::{EmulatorState, RegionState};

/// Largest body of a control request, in bytes.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// What the control API rules.
#[derive(Clone, Debug)]
pub(crate) struct Controller {
    pub(crate) shared: Arc<EmulatorState>,
    pub(crate) regions: Vec<RegionPorts>,
}

/// A region, and how far its ports have followed its door.
#[derive(Clone, Debug)]
pub(crate) struct RegionPorts {
    pub(crate) region: Arc<RegionState>,
    pub(crate) addresses: RegionAddresses,
    pub(crate) reached: Vec<watch::Receiver<PortMode>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModeRequest {
    hostile: Option<bool>,
    strict: Option<bool>,
}

type QueryParameters = BTreeMap<String, String>;

enum ControlReply {
    Json(Value),
    Lines(String),
}

struct ControlError(StatusCode, String);

impl ControlError {
    fn request(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, message.into())
    }
}

/// Serves until the emulator stops.
pub(crate) async fn serve(board: Controller, listener: TcpListener, mut life: Shutdown) {
    let each = life.clone();
    let accepting = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let (board, mut life) = (board.clone(), each.clone());
            tokio::spawn(async move {
                let service = service_fn(|request| answer(board.clone(), request));
                let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    // A client that breaks off has nothing to be told.
                    _ = serving => {}
                    () = life.stopped() => {}
                }
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = life.stopped() => {}
    }
}

async fn answer(board: Controller, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, media, text) = match board.act(request).await {
        Ok(ControlReply::Json(value)) => (StatusCode::OK, "application/json", value.to_string()),
        Ok(ControlReply::Lines(text)) => (StatusCode::OK, "application/jsonl", text),
        Err(ControlError(status, message)) => (
            status,
            "application/json",
            json!({ "error": message }).to_string(),
        ),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media));
    Ok(response)
}

impl Controller {
    async fn act(&self, request: Request<Incoming>) -> Result<ControlReply, ControlError> {
        let (parts, body) = request.into_parts();
        let query = parse_query(parts.uri.query().unwrap_or_default())?;
        let shared = &self.shared;
        let done = json!({ "ok": true });
        let value = match (parts.method.as_str(), parts.uri.path()) {
            ("GET", "/health") => json!({ "ok": true, "in_flight": shared.log.in_flight() }),
            ("GET", "/regions") => self.addresses(),
            ("GET", "/faults") => json!(shared.faults.list()),
            ("POST", "/faults") => {
                let fault: FaultRequest = read(body).await?;
                json!({ "id": self.add_fault(fault).await.map_err(ControlError::request)? })
            }
            ("DELETE", "/faults") => {
                let id = number(&query, "id")?;
                self.clear_faults(id, query.get("region").map(String::as_str))
                    .await;
                done
            }
            ("POST", "/pace") => {
                let rule: PaceRule = read(body).await?;
                self.check_region(rule.matcher.region.as_deref())
                    .map_err(ControlError::request)?;
                shared.paces.add(rule).map_err(ControlError::request)?;
                done
            }
            ("DELETE", "/pace") => {
                shared.paces.clear();
                done
            }
            ("POST", "/mode") => {
                self.set_mode(&read(body).await?);
                json!({ "hostile": shared.log.is_hostile(), "strict": shared.is_strict.load(Ordering::Relaxed) })
            }
            ("GET", "/log") => return self.log(&query),
            ("DELETE", "/log") => {
                shared.log.clear();
                done
            }
            ("GET", "/summary") => json!(shared.log.summary()),
            (method, path) => {
                return Err(ControlError(
                    StatusCode::NOT_FOUND,
                    format!("expected a path of the control API, but found {method} {path}"),
                ));
            }
        };
        Ok(ControlReply::Json(value))
    }

    fn addresses(&self) -> Value {
        let pairs = self
            .regions
            .iter()
            .map(|doors| (doors.region.name.clone(), json!(doors.addresses)));
        Value::Object(pairs.collect())
    }

    /// Sets a fault, and returns its id when it is in force.
    pub(crate) async fn add_fault(&self, fault: FaultRequest) -> Result<u64, String> {
        self.check_region(fault.matcher.region.as_deref())?;
        let id = self.shared.faults.add(fault)?;
        self.move_doors().await;
        Ok(id)
    }

    /// Clears a fault, those of a region, or all, and returns when they are gone.
    pub(crate) async fn clear_faults(&self, id: Option<u64>, region: Option<&str>) {
        self.shared.faults.clear(id, region);
        self.move_doors().await;
    }

    fn check_region(&self, name: Option<&str>) -> Result<(), String> {
        match name {
            Some(name) if !self.regions.iter().any(|doors| doors.region.name == name) => {
                Err(format!("expected a region of this emulator, but found {name}"))
            }
            _ => Ok(()),
        }
    }

    /// Opens and closes ports as the faults say, and waits until they are.
    async fn move_doors(&self) {
        for doors in &self.regions {
            let wanted = self.shared.faults.door(&doors.region.name);
            doors
                .region
                .door
                .send_if_modified(|door| std::mem::replace(door, wanted) != wanted);
        }
        for doors in &self.regions {
            for reached in &doors.reached {
                // While another request changes it too, the newest state is what counts.
                let newest = doors.region.door.subscribe();
                let _ = reached
                    .clone()
                    .wait_for(|reached| *reached == *newest.borrow())
                    .await;
            }
        }
    }

    fn set_mode(&self, mode: &ModeRequest) {
        if let Some(hostile) = mode.hostile {
            self.shared.log.set_hostile(hostile);
        }
        if let Some(strict) = mode.strict {
            self.shared.is_strict.store(strict, Ordering::Relaxed);
        }
    }

    fn log(&self, query: &QueryParameters) -> Result<ControlReply, ControlError> {
        let in_flight = self.shared.log.in_flight();
        let since = number(query, "since")?.unwrap_or(0);
        let (next, entries) = self
            .shared
            .log
            .read(since, query.get("region").map(String::as_str));
        let entries: Vec<Value> = entries.iter().map(|entry| json!(entry.as_ref())).collect();
        match query.get("format").map(String::as_str) {
            None | Some("json") => Ok(ControlReply::Json(
                json!({ "next": next, "in_flight": in_flight, "entries": entries }),
            )),
            Some("lines") => Ok(ControlReply::Lines(
                entries.iter().map(|entry| format!("{entry}\n")).collect(),
            )),
            Some(found) => Err(ControlError::request(format!(
                "expected format json or lines, but found {found}"
            ))),
        }
    }
}

async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, ControlError> {
    let body = Limited::new(body, BODY_LIMIT_BYTES).collect().await;
    let body =
        body.map_err(|error| ControlError::request(format!("expected a short body, but found {error}")))?;
    serde_json::from_slice(&body.to_bytes()).map_err(|error| ControlError::request(error.to_string()))
}

fn parse_query(query: &str) -> Result<QueryParameters, ControlError> {
    let mut found = QueryParameters::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent::decode(value)
            .ok_or_else(|| ControlError::request(format!("expected percent-encoding, but found {value}")))?;
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

fn number(query: &QueryParameters, name: &str) -> Result<Option<u64>, ControlError> {
    let Some(text) = query.get(name) else {
        return Ok(None);
    };
    let parsed = text.parse();
    parsed
        .map(Some)
        .map_err(|_| ControlError::request(format!("expected a number as {name}, but found {text}")))
}

//! A VM with the filter, and the requests that tests send to it.

use std::ops::Deref;

use envoy_bedrock::contract::names::{HEADER_RETRY, ROOT_GATEWAY, ROOT_SIGNER};
use filter_tests::{
    ClientRequest, ClientResponse, FaultPlan, HeaderMap, HttpExchange, HttpMessage, RequestOutcome,
    StartError, Trap, UpstreamResponse, Vm, filter,
};
use serde_json::Value;

use crate::fixtures::{ATTEMPTS, ENVIRONMENT, MASTER_KEY, SECRETS, WEST, settings};
use crate::oracle::assert_signed;

/// A VM with both roles.
pub(crate) struct Scene(Vm);

impl Deref for Scene {
    type Target = Vm;
    fn deref(&self) -> &Vm {
        &self.0
    }
}

/// After every test, no secret may appear in what the filter logged or passed to the host.
impl Drop for Scene {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_quiet(&self.0, &SECRETS);
        }
    }
}

impl Scene {
    pub(crate) fn new() -> Scene {
        Scene::with(&settings())
    }

    pub(crate) fn with(settings: &Value) -> Scene {
        Scene::start(settings, FaultPlan::default()).expect("a valid configuration")
    }

    pub(crate) fn of(vm: Vm) -> Scene {
        Scene(vm)
    }

    pub(crate) fn start(settings: &Value, plan: FaultPlan) -> Result<Scene, StartError> {
        let settings = settings.to_string();
        let plugins = [(ROOT_GATEWAY, settings.as_str()), (ROOT_SIGNER, "{}")];
        Vm::start_with(filter(), &ENVIRONMENT, &plugins, plan).map(Scene)
    }

    /// A POST with the proxy key.
    pub(crate) fn post(&self, path: &str) -> ClientRequest {
        self.post_with(path, &[])
    }

    /// The same with more headers.
    pub(crate) fn post_with(&self, path: &str, more: &[(&str, &str)]) -> ClientRequest {
        let authorization = format!("Bearer {MASTER_KEY}");
        let mut all = bare("POST", path);
        all.push(("authorization", &authorization));
        all.extend(more);
        self.request(all)
    }

    /// Sends a normal request, which must succeed.
    pub(crate) fn assert_healthy(&self) {
        let exchange = self.post("/model/one/converse").body(["{}"]).send().unwrap();
        let now = self.now_seconds();
        let response = route(exchange, |_, sent| {
            assert_signed(sent, &WEST, "converse", b"{}", now);
            UpstreamResponse::new(200, &[], "{}")
        })
        .unwrap();
        assert_eq!((response.status(), response.attempts.len()), (200, 1));
    }

    pub(crate) fn now_seconds(&self) -> u64 {
        self.host().now_nanoseconds / 1_000_000_000
    }

    pub(crate) fn set_seconds(&self, seconds: u64) {
        self.host_mut().now_nanoseconds = seconds * 1_000_000_000;
    }
}

/// The headers of every request.
pub(crate) fn bare<'a>(method: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        (":method", method),
        (":scheme", "http"),
        (":authority", "localhost:4000"),
        (":path", path),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "8f6c"),
    ]
}

/// Asserts that no secret appears in the module's log or in its host calls.
pub(crate) fn assert_quiet(vm: &Vm, secrets: &[&str]) {
    let host = vm.host();
    let arguments = host.journal.iter().flat_map(|call| &call.arguments);
    for said in host.log.iter().map(|line| &line.text).chain(arguments) {
        for secret in secrets {
            assert!(!said.contains(secret), "{secret} appears in {said:?}");
        }
    }
}

/// The request as the router receives it.
pub(crate) fn forwarded(exchange: &HttpExchange) -> HttpMessage {
    match exchange.outcome() {
        RequestOutcome::Forwarded(message) => message,
        other => panic!("expected a forwarded request, but found {other:?}"),
    }
}

/// The region clusters of all attempts, if there is no response to any of them.
pub(crate) fn clusters(exchange: &HttpExchange) -> Vec<String> {
    (1..)
        .map_while(|number: u64| exchange.leg(&number.to_string()))
        .collect()
}

/// Routes the request where its itinerary leads.
pub(crate) fn route(
    exchange: HttpExchange,
    upstream: impl FnMut(u64, &HttpMessage) -> UpstreamResponse,
) -> Result<ClientResponse, Trap> {
    exchange.route_by_itinerary(HEADER_RETRY, ATTEMPTS, upstream)
}

/// A local reply of the gateway.
#[derive(Debug, PartialEq)]
pub(crate) struct LocalReply {
    pub(crate) status: u32,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A response's headers without those about the individual request, which every response has.
pub(crate) fn without_individual(headers: &HeaderMap) -> HeaderMap {
    let is_individual = |name: &[u8]| name.starts_with(b"x-litellm-");
    let id = headers.text("x-litellm-call-id").map(str::len);
    // Only a request whose headers could not be read has no call id.
    let is_unread = id.is_none() && headers.text(":status") == Some("503");
    assert!(id == Some(36) || is_unread, "{headers:?}");
    HeaderMap::new(
        headers
            .pairs()
            .iter()
            .filter(|(name, _)| !is_individual(name))
            .cloned(),
    )
}

/// The number of requests that were refused for this reason, from the metrics.
pub(crate) fn refusals(scene: &Scene, reason: &str) -> u64 {
    let label = format!("reason={reason}");
    let host = scene.host();
    let metrics = host.metrics.values();
    metrics
        .filter(|metric| metric.name.ends_with(&label) || metric.name.contains(&format!("{label};")))
        .map(|metric| metric.value)
        .sum()
}

/// The gateway's local reply, after checking that AWS and LiteLLM clients can both read it.
pub(crate) fn refusal(exchange: &HttpExchange) -> LocalReply {
    let RequestOutcome::LocalReply {
        status,
        headers,
        body,
        details,
    } = exchange.outcome()
    else {
        panic!("expected a refusal, but found {:?}", exchange.outcome());
    };
    assert_eq!(details, "envoy_bedrock");
    assert_eq!(headers.text("content-type"), Some("application/json"));
    let text = String::from_utf8(body).expect("a body in UTF-8");
    let shown = format!("{headers:?}{text}");
    assert!(!SECRETS.iter().any(|secret| shown.contains(secret)), "{shown}");
    let body: Value = serde_json::from_str(&text).expect("a body in JSON");
    let message = body["message"].as_str().expect("a message");
    assert!(!message.is_empty());
    assert_eq!(body["error"]["message"], message);
    assert_eq!(body["error"]["code"], status.to_string());
    assert_eq!(body["error"]["param"], Value::Null);
    assert!(body["error"]["type"].is_string());
    let expected = match status {
        400 | 413 => "ValidationException",
        401 => "UnrecognizedClientException",
        404 | 405 => "UnknownOperationException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        other => panic!("{other} is not a status of the gateway's own"),
    };
    assert_eq!(headers.text("x-amzn-errortype"), Some(expected));
    let headers = without_individual(&headers);
    LocalReply {
        status,
        headers,
        body,
    }
}

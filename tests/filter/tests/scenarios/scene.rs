//! A VM with the filter, its configuration, and the requests that tests send.

use std::ops::Deref;

use envoy_bedrock::contract::names::{HEADER_CLUSTER, HEADER_RETRY, ROOT_GATEWAY, ROOT_SIGNER};
use filter_tests::{
    ClientRequest, ClientResponse, FaultPlan, HeaderMap, HttpExchange, HttpMessage, RequestOutcome,
    StartError, Trap, UpstreamResponse, Vm, filter,
};
use serde_json::{Value, json};

pub(crate) const MASTER_KEY: &str = "sk-master-5f0d";
pub(crate) const ACCESS_KEY_ID: &str = "AKIDPLAIN";
pub(crate) const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYPLAIN";
pub(crate) const TEMPORARY_ACCESS_KEY_ID: &str = "ASIATEMPORARY";
pub(crate) const TEMPORARY_SECRET_ACCESS_KEY: &str = "9drTJvcXLB89EXAMPLELB8923FB892xMFITEMPORARY";
pub(crate) const SESSION_TOKEN: &str = "AQoEXAMPLEH4aoAH0gNCAPy+session/token==";
pub(crate) const API_KEY: &str = "ABSKQmVkcm9ja0FQSUtleS1leGFtcGxl";

pub(crate) const ENVIRONMENT: [(&str, &str); 7] = [
    ("LITELLM_MASTER_KEY", MASTER_KEY),
    ("PLAIN_ID", ACCESS_KEY_ID),
    ("PLAIN_SECRET", SECRET_ACCESS_KEY),
    ("TEMPORARY_ID", TEMPORARY_ACCESS_KEY_ID),
    ("TEMPORARY_SECRET", TEMPORARY_SECRET_ACCESS_KEY),
    ("TEMPORARY_TOKEN", SESSION_TOKEN),
    ("API_KEY", API_KEY),
];

/// What nobody may ever see.
pub(crate) const SECRETS: [&str; 5] = [
    MASTER_KEY,
    SECRET_ACCESS_KEY,
    TEMPORARY_SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    API_KEY,
];

/// When the clock of a new VM stands: 2023-11-14 22:13:20 UTC.
pub(crate) const START_SECONDS: u64 = 1_700_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestCredentials {
    Plain,
    Temporary,
    ApiKey,
}

/// A deployment of the test configuration, and what has to come of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TestDeployment {
    pub(crate) cluster: &'static str,
    pub(crate) region: &'static str,
    pub(crate) authority: &'static str,
    pub(crate) base_path: &'static str,
    pub(crate) model: &'static str,
    /// The model as it stands in the upstream path, by hand.
    pub(crate) segment: &'static str,
    /// The same in the path of CountTokens: the foundation model.
    pub(crate) counted: &'static str,
    /// The foundation model where `model` does not name it.
    pub(crate) base_model: Option<&'static str>,
    pub(crate) credentials: TestCredentials,
}

pub(crate) const WEST: TestDeployment = TestDeployment {
    cluster: "us-west-2",
    region: "us-west-2",
    authority: "bedrock-runtime.us-west-2.amazonaws.com",
    base_path: "",
    model: "us.anthropic.claude-3-5-sonnet-20240620-v1:0",
    segment: "us.anthropic.claude-3-5-sonnet-20240620-v1%3A0",
    counted: "anthropic.claude-3-5-sonnet-20240620-v1%3A0",
    base_model: None,
    credentials: TestCredentials::Plain,
};
pub(crate) const EAST: TestDeployment = TestDeployment {
    cluster: "us-east-1",
    region: "us-east-1",
    authority: "bedrock-runtime.us-east-1.amazonaws.com",
    model: "anthropic.claude-3-haiku-20240307-v1:0",
    segment: "anthropic.claude-3-haiku-20240307-v1%3A0",
    counted: "anthropic.claude-3-haiku-20240307-v1%3A0",
    credentials: TestCredentials::Temporary,
    ..WEST
};
pub(crate) const PROFILE: TestDeployment = TestDeployment {
    model: "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a1b2",
    segment: "arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aapplication-inference-profile%2Fa1b2",
    counted: "anthropic.claude-v2%3A1",
    base_model: Some("anthropic.claude-v2:1"),
    ..WEST
};
pub(crate) const PRIVATE: TestDeployment = TestDeployment {
    cluster: "private",
    region: "eu-central-1",
    authority: "bedrock.internal:8443",
    base_path: "/aws/v1",
    ..EAST
};
pub(crate) const TOKEN: TestDeployment = TestDeployment {
    cluster: "eu-central-1",
    region: "eu-central-1",
    authority: "bedrock-runtime.eu-central-1.amazonaws.com",
    credentials: TestCredentials::ApiKey,
    ..WEST
};
/// Behind `any/*`, asked for as `any/x.y:1`.
pub(crate) const WILDCARD: TestDeployment = TestDeployment {
    model: "*",
    segment: "x.y%3A1",
    counted: "x.y%3A1",
    ..WEST
};
pub(crate) const WILDCARD_ALIAS: &str = "any%2Fx.y:1";

/// Attempts that a request of [`settings`] may make.
pub(crate) const ATTEMPTS: usize = 3;

impl TestDeployment {
    fn settings(&self, weight: u64, order: i64, index: usize) -> Value {
        let credentials = match self.credentials {
            TestCredentials::Plain => {
                json!({"sigv4": {"access_key_id": "PLAIN_ID", "secret_access_key": "PLAIN_SECRET"}})
            }
            TestCredentials::Temporary => json!({"sigv4": {
                "access_key_id": "TEMPORARY_ID",
                "secret_access_key": "TEMPORARY_SECRET",
                "session_token": "TEMPORARY_TOKEN",
            }}),
            TestCredentials::ApiKey => json!({"bearer": {"api_key": "API_KEY"}}),
        };
        let mut settings = json!({
            "id": format!("{}-{index}", self.cluster), "model": self.model, "region": self.region,
            "cluster": self.cluster, "authority": self.authority, "base_path": self.base_path,
            "credentials": credentials, "weight": weight, "order": order,
        });
        if let Some(base_model) = self.base_model {
            settings["base_model"] = base_model.into();
        }
        settings
    }
}

/// A model with deployments, their weights and orders.
pub(crate) fn model(name: &str, deployments: &[(TestDeployment, u64, i64)]) -> Value {
    let deployments = deployments.iter().enumerate();
    let deployments =
        deployments.map(|(index, (deployment, weight, order))| deployment.settings(*weight, *order, index));
    json!({"name": name, "deployments": deployments.collect::<Vec<_>>()})
}

/// A configuration with these models.
pub(crate) fn settings_of(models: Vec<Value>) -> Value {
    json!({"master_key": "LITELLM_MASTER_KEY", "attempts": ATTEMPTS, "body_limit_bytes": 32 * 1024 * 1024, "models": models})
}

/// The configuration of most tests. Model `ordered` tries WEST, EAST and TOKEN in this order.
pub(crate) fn settings() -> Value {
    let mut settings = settings_of(vec![
        model("one", &[(WEST, 1, 0)]),
        model("two", &[(WEST, 1, 0), (EAST, 1, 0)]),
        model("ordered", &[(WEST, 1, 0), (EAST, 1, 1), (TOKEN, 1, 2)]),
        model("backwards", &[(TOKEN, 1, 0), (EAST, 1, 1), (WEST, 1, 2)]),
        model("weighted", &[(WEST, 3, 0), (EAST, 1, 0)]),
        model("temporary", &[(EAST, 1, 0)]),
        model("profile", &[(PROFILE, 1, 0)]),
        model("private", &[(PRIVATE, 1, 0)]),
        model("token", &[(TOKEN, 1, 0)]),
        model("team/a:b", &[(WEST, 1, 0)]),
        model("any/*", &[(WILDCARD, 1, 0)]),
    ]);
    settings["aliases"] = json!({"nickname": "one"});
    settings
}

/// A VM with both roles.
pub(crate) struct Scene(Vm);

impl Deref for Scene {
    type Target = Vm;
    fn deref(&self) -> &Vm {
        &self.0
    }
}

/// Whatever a test was about: nothing that the filter said or asked for shows a secret.
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
        Scene::start(settings, FaultPlan::default()).expect("a good configuration")
    }

    pub(crate) fn of(vm: Vm) -> Scene {
        Scene(vm)
    }

    pub(crate) fn start(settings: &Value, plan: FaultPlan) -> Result<Scene, StartError> {
        let settings = settings.to_string();
        let plugins = [(ROOT_GATEWAY, settings.as_str()), (ROOT_SIGNER, "{}")];
        Vm::start_with(filter(), &ENVIRONMENT, &plugins, plan).map(Scene)
    }

    /// A POST with the right key and nothing else of interest.
    pub(crate) fn post(&self, path: &str) -> ClientRequest {
        self.post_with(path, &[])
    }

    /// The same with further headers.
    pub(crate) fn post_with(&self, path: &str, more: &[(&str, &str)]) -> ClientRequest {
        let authorization = format!("Bearer {MASTER_KEY}");
        let mut all = bare("POST", path);
        all.push(("authorization", &authorization));
        all.extend(more);
        self.request(all)
    }

    /// A normal request that has to come through: the VM is well.
    pub(crate) fn assert_healthy(&self) {
        let exchange = self.post("/model/one/converse").body(["{}"]).send().unwrap();
        let now = self.now_seconds();
        let answer = route(exchange, |_, sent| {
            crate::oracle::assert_signed(sent, &WEST, "converse", b"{}", now);
            UpstreamResponse::new(200, &[], "{}")
        })
        .unwrap();
        assert_eq!((answer.status(), answer.attempts.len()), (200, 1));
    }

    pub(crate) fn now_seconds(&self) -> u64 {
        self.host().now_nanoseconds / 1_000_000_000
    }

    pub(crate) fn set_seconds(&self, seconds: u64) {
        self.host_mut().now_nanoseconds = seconds * 1_000_000_000;
    }
}

/// The headers that every request has.
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

/// Nothing that the module logged or told the host contains one of `secrets`.
pub(crate) fn assert_quiet(vm: &Vm, secrets: &[&str]) {
    let host = vm.host();
    let arguments = host.journal.iter().flat_map(|call| &call.arguments);
    for said in host.log.iter().map(|line| &line.text).chain(arguments) {
        for secret in secrets {
            assert!(!said.contains(secret), "{secret} is shown in {said:?}");
        }
    }
}

/// The request as it goes to the router.
pub(crate) fn forwarded(exchange: &HttpExchange) -> HttpMessage {
    match exchange.outcome() {
        RequestOutcome::Forwarded(message) => message,
        other => panic!("expected a request that goes on, but found {other:?}"),
    }
}

/// The region clusters of the failover cluster that the gateway chose.
pub(crate) fn clusters(exchange: &HttpExchange) -> Vec<String> {
    let headers = forwarded(exchange).headers.unwrap();
    let cluster = headers.text(HEADER_CLUSTER).expect("a failover cluster");
    cluster.split('+').map(str::to_owned).collect()
}

/// Envoy's router on the failover cluster that the gateway chose.
pub(crate) fn route(
    exchange: HttpExchange,
    upstream: impl FnMut(u64, &HttpMessage) -> UpstreamResponse,
) -> Result<ClientResponse, Trap> {
    let clusters = clusters(&exchange);
    let clusters: Vec<&str> = clusters.iter().map(String::as_str).collect();
    exchange.route(HEADER_RETRY, &clusters, upstream)
}

/// A reply of the gateway's own.
#[derive(Debug, PartialEq)]
pub(crate) struct LocalReply {
    pub(crate) status: u32,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A response's headers without those that tell about this one request, of which each response has some.
pub(crate) fn without_account(headers: &HeaderMap) -> HeaderMap {
    let told = |name: &[u8]| name.starts_with(b"x-litellm-");
    let id = headers.text("x-litellm-call-id").map(str::len);
    // A request whose headers could not be read has no account; that is the one reason.
    let is_unread = id.is_none() && headers.text(":status") == Some("503");
    assert!(id == Some(36) || is_unread, "{headers:?}");
    HeaderMap::new(headers.pairs().iter().filter(|(name, _)| !told(name)).cloned())
}

/// How many requests were refused for this reason, as the metrics have it.
pub(crate) fn refusals(scene: &Scene, reason: &str) -> u64 {
    let label = format!("reason={reason}");
    let host = scene.host();
    let metrics = host.metrics.values();
    metrics
        .filter(|metric| metric.name.ends_with(&label) || metric.name.contains(&format!("{label};")))
        .map(|metric| metric.value)
        .sum()
}

/// The gateway's own reply, in the form that both AWS's and LiteLLM's clients read.
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
        503 => "ServiceUnavailableException",
        other => panic!("expected a status of the gateway's own, but found {other}"),
    };
    assert_eq!(headers.text("x-amzn-errortype"), Some(expected));
    let headers = without_account(&headers);
    LocalReply {
        status,
        headers,
        body,
    }
}

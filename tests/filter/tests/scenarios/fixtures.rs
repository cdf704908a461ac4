//! The configuration of the test VMs: keys, credentials, deployments, models.

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

/// What must never appear in any output.
pub(crate) const SECRETS: [&str; 5] = [
    MASTER_KEY,
    SECRET_ACCESS_KEY,
    TEMPORARY_SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    API_KEY,
];

/// The time of a new VM: 2023-11-14 22:13:20 UTC.
pub(crate) const START_SECONDS: u64 = 1_700_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestCredentials {
    Plain,
    Temporary,
    ApiKey,
    /// [`TestCredentials::Temporary`], from the credential broker.
    Brokered,
    /// [`TestCredentials::ApiKey`], from the credential broker.
    BrokeredApiKey,
}

/// A deployment of the test configuration, and the expected upstream request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TestDeployment {
    pub(crate) cluster: &'static str,
    pub(crate) region: &'static str,
    pub(crate) authority: &'static str,
    pub(crate) base_path: &'static str,
    pub(crate) model: &'static str,
    /// The model id in the upstream path, encoded by hand.
    pub(crate) segment: &'static str,
    /// The same for CountTokens, which takes the foundation model.
    pub(crate) counted: &'static str,
    /// The foundation model, if `model` does not contain it.
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
/// The deployment of `any/*`, requested as `any/x.y:1`.
pub(crate) const WILDCARD: TestDeployment = TestDeployment {
    model: "*",
    segment: "x.y%3A1",
    counted: "x.y%3A1",
    ..WEST
};
pub(crate) const WILDCARD_ALIAS: &str = "any%2Fx.y:1";

/// The most attempts under [`settings`].
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
            TestCredentials::Brokered => json!({"brokered": {"id": "1"}}),
            TestCredentials::BrokeredApiKey => json!({"brokered": {"id": "1", "bearer": true}}),
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

/// A model group of deployments with weight and order.
pub(crate) fn model(name: &str, deployments: &[(TestDeployment, u64, i64)]) -> Value {
    let deployments = deployments.iter().enumerate();
    let deployments =
        deployments.map(|(index, (deployment, weight, order))| deployment.settings(*weight, *order, index));
    json!({"name": name, "deployments": deployments.collect::<Vec<_>>()})
}

/// A configuration with these model groups.
pub(crate) fn settings_of(models: Vec<Value>) -> Value {
    // Cooldowns are off, so that the failures of one request do not decide where the next one goes.
    json!({"master_key": "LITELLM_MASTER_KEY", "attempts": ATTEMPTS, "body_limit_bytes": 32 * 1024 * 1024,
        "routing": {"cooldown": {"disabled": true, "milliseconds": 5000}}, "models": models})
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

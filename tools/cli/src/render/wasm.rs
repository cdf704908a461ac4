//! The filter in its two roles.

use envoy_bedrock::contract::names;
use envoy_bedrock::contract::settings::Settings;
use serde_json::{Value, json};

use super::duration::milliseconds;
use super::options::RenderOptions;

/// How soon Envoy replaces a VM that has trapped. Until then its worker responds with 503; Envoy's
/// default is a second.
const RELOAD_MILLISECONDS: u64 = 10;

/// The gateway role, in the listeners. It alone needs the settings.
pub(super) fn gateway(settings: &Settings, options: &RenderOptions) -> Value {
    let configuration = serde_json::to_string_pretty(settings).expect("settings are valid JSON");
    role(names::ROOT_GATEWAY, &configuration, settings, options)
}

/// The signer role, in the failover clusters. It finds the plan in memory that it shares with the
/// gateway role.
pub(super) fn signer(settings: &Settings, options: &RenderOptions) -> Value {
    role(names::ROOT_SIGNER, "", settings, options)
}

/// Both roles run in one VM per worker because `vm_id`, code and environment are the same for both.
fn role(root: &str, configuration: &str, settings: &Settings, options: &RenderOptions) -> Value {
    json!({
        "name": format!("envoy-bedrock.{root}"),
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": root,
                "root_id": root,
                "allow_on_headers_stop_iteration": true,
                "failure_policy": "FAIL_RELOAD",
                "reload_config": { "backoff": { "base_interval": milliseconds(RELOAD_MILLISECONDS) } },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": configuration,
                },
                "vm_config": {
                    "vm_id": "envoy-bedrock",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": options.filter } },
                    "environment_variables": { "host_env_keys": settings.secret_names() },
                },
            },
        },
    })
}

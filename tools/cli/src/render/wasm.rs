//! The filter in its two roles.

use std::collections::BTreeSet;

use envoy_bedrock::contract::names;
use envoy_bedrock::contract::settings::{CredentialSettings, EnvName, Settings};

use super::duration::milliseconds;
use super::options::RenderOptions;
use super::yaml::{Node, map};

/// Time after which a VM that has trapped is replaced. Until then its worker answers 503: for a second by Envoy's default.
const RELOAD_MILLISECONDS: u64 = 10;

/// The role in the listener: it alone needs the settings.
pub(crate) fn gateway(settings: &Settings, options: &RenderOptions) -> Node {
    // Settings hold nothing that JSON cannot say.
    let configuration = serde_json::to_string_pretty(settings).unwrap_or_default();
    role(names::ROOT_GATEWAY, configuration, settings, options)
}

/// The role in the failover clusters: it finds its plan in the memory that it shares with the gateway.
pub(crate) fn signer(settings: &Settings, options: &RenderOptions) -> Node {
    role(names::ROOT_SIGNER, String::new(), settings, options)
}

/// Envoy makes one VM of both roles because `vm_id`, code and environment are the same in both.
fn role(root: &'static str, configuration: String, settings: &Settings, options: &RenderOptions) -> Node {
    map! {
        "name" => format!("envoy-bedrock.{root}"),
        "typed_config" => map! {
            "@type" => "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config" => map! {
                "name" => root,
                "root_id" => root,
                "allow_on_headers_stop_iteration" => true,
                "failure_policy" => "FAIL_RELOAD",
                "reload_config" => map! { "backoff" => map! { "base_interval" => milliseconds(RELOAD_MILLISECONDS) } },
                "configuration" => map! {
                    "@type" => "type.googleapis.com/google.protobuf.StringValue",
                    "value" => configuration,
                },
                "vm_config" => map! {
                    "vm_id" => "envoy-bedrock",
                    "runtime" => "envoy.wasm.runtime.v8",
                    "code" => map! { "local" => map! { "filename" => options.filter.as_str() } },
                    "environment_variables" => map! { "host_env_keys" => variables(settings) },
                },
            },
        },
    }
}

/// The variables that hold the secrets of `settings`, each once.
pub(crate) fn variables(settings: &Settings) -> Vec<String> {
    let mut names = BTreeSet::from([&settings.master_key]);
    for deployment in settings.models.iter().flat_map(|model| &model.deployments) {
        names.extend(of_credentials(&deployment.credentials));
    }
    names.into_iter().map(|name| name.0.clone()).collect()
}

fn of_credentials(credentials: &CredentialSettings) -> Vec<&EnvName> {
    match credentials {
        CredentialSettings::Sigv4 {
            access_key_id,
            secret_access_key,
            session_token,
        } => [
            Some(access_key_id),
            Some(secret_access_key),
            session_token.as_ref(),
        ]
        .into_iter()
        .flatten()
        .collect(),
        CredentialSettings::Bearer { api_key } => vec![api_key],
    }
}

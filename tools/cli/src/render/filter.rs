//! The filter in its two roles.

use envoy_bedrock::contract::metrics::NAMESPACE;
use envoy_bedrock::contract::names;
use envoy_bedrock::contract::settings::Settings;
use envoy_bedrock::sealing::SEALING_KEY;
use serde_json::{Value, json};

use super::duration::milliseconds;
use super::options::{RenderOptions, SecretSource};
use super::runtime::FilterRuntime;

/// How soon Envoy replaces a VM that has trapped. Until then its worker responds with 503; Envoy's
/// default is a second.
const RELOAD_MILLISECONDS: u64 = 10;

/// The gateway role, in the listeners. It alone needs the settings.
pub(super) fn gateway(settings: &Settings, options: &RenderOptions) -> Value {
    let configuration = serde_json::to_string_pretty(settings).expect("settings are valid JSON");
    role(names::ROOT_GATEWAY, &configuration, settings, options)
}

/// The signer role, in the region clusters. It finds the plan in memory that it shares with the
/// gateway role.
pub(super) fn signer(settings: &Settings, options: &RenderOptions) -> Value {
    role(names::ROOT_SIGNER, "", settings, options)
}

/// The name of the filter in the role with this root id.
pub(super) fn name(root: &str) -> String {
    format!("envoy-bedrock.{root}")
}

/// The variables that a rendered filter reads.
pub(super) fn variables(filter: &Value) -> Vec<String> {
    let places = [
        "/typed_config/config/vm_config/environment_variables/host_env_keys",
        "/typed_config/filter_config/value/environment_variables",
    ];
    let names = places.iter().find_map(|place| filter.pointer(place));
    let names = names.and_then(Value::as_array).into_iter().flatten();
    names
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

/// The variables that the filter reads. Envoy takes another list for another VM, so with sealed
/// secrets it is always the same.
fn environment(settings: &Settings, options: &RenderOptions) -> Vec<String> {
    match options.secrets {
        SecretSource::Environment => {
            let names = settings.secret_names();
            let sealing_key = settings.has_aws_pairs().then(|| SEALING_KEY.to_owned());
            names
                .iter()
                .map(|name| name.0.clone())
                .chain(sealing_key)
                .collect()
        }
        SecretSource::Sealed => vec![SEALING_KEY.to_owned()],
    }
}

fn role(root: &str, configuration: &str, settings: &Settings, options: &RenderOptions) -> Value {
    let environment = environment(settings, options);
    match options.runtime {
        FilterRuntime::Wasm => wasm(root, configuration, environment, options),
        FilterRuntime::Native => native(root, configuration, environment, options),
    }
}

/// Both roles run in one VM per worker because `vm_id`, code and environment are the same for both.
fn wasm(root: &str, configuration: &str, environment: Vec<String>, options: &RenderOptions) -> Value {
    json!({
        "name": name(root),
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
                    "environment_variables": { "host_env_keys": environment },
                },
            },
        },
    })
}

/// Both roles run in the same module, which must not be unloaded: it has a thread. Its stats have
/// the names that those of the WebAssembly filter have.
fn native(root: &str, configuration: &str, environment: Vec<String>, options: &RenderOptions) -> Value {
    let has_settings = !configuration.is_empty();
    let filter_config = has_settings.then(|| {
        json!({
            "@type": "type.googleapis.com/google.protobuf.Struct",
            "value": { "environment_variables": environment, "settings": configuration },
        })
    });
    json!({
        "name": name(root),
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            "dynamic_module_config": {
                "module": { "local": { "filename": options.filter } },
                "do_not_close": true,
                "metrics_namespace": NAMESPACE,
            },
            "filter_name": root,
            "filter_config": filter_config,
        },
    })
}

//! The sections of the file, an entry of `model_list`, an entry of `credential_list`, and
//! `environment_variables`.

use super::phrases::{GUARDRAILS, GUARDRAILS_BY_VALUE, OTHER_MODELS, PROMPTS, SERVICE, VIRTUAL_KEYS};
use super::table::Fate::{ByValue, NoEffect, NotNeeded, Protects, Used};
use super::table::{Table, TableRow as Row};

/// The sections themselves.
pub(crate) const SECTIONS: Table = Table {
    name: "",
    rows: &[
        Row("model_list", Used("the deployments")),
        Row(
            "credential_list",
            Used("credentials that deployments refer to by name"),
        ),
        Row(
            "environment_variables",
            Used("variables, which take precedence over those of the process"),
        ),
        Row("include", Used("more files")),
        Row(
            "general_settings litellm_settings router_settings",
            Used("see below"),
        ),
        Row(
            "envoy_bedrock",
            Used("this gateway's own settings, which LiteLLM ignores"),
        ),
        Row("guardrails", ByValue(GUARDRAILS_BY_VALUE)),
        Row("policies policy_attachments", Protects(GUARDRAILS)),
        Row("callback_settings", NoEffect(SERVICE)),
        Row("prompts", NoEffect(PROMPTS)),
        Row(
            "mcp_servers mcp_tools vector_store_registry search_tools sandbox_tools agents agent_list
             assistant_settings finetune_settings files_settings",
            NoEffect("only the operations of Bedrock's runtime are served"),
        ),
        Row("default_vertex_config worker_registry", NotNeeded(OTHER_MODELS)),
    ],
};

/// An entry of `model_list`.
pub(crate) const MODEL_LIST: Table = Table {
    name: "model_list",
    rows: &[
        Row("model_name", Used("the name that clients use; * is a wildcard")),
        Row("litellm_params", Used("the model to call, and how")),
        Row("model_info", Used("more about the deployment")),
    ],
};

/// An entry of `credential_list`.
pub(crate) const CREDENTIAL_LIST: Table = Table {
    name: "credential_list",
    rows: &[
        Row("credential_name", Used("the name for litellm_credential_name")),
        Row(
            "credential_values",
            Used("the same settings as in litellm_params"),
        ),
        Row(
            "credential_info",
            Used("nothing is read from it, but credentials in it are an error"),
        ),
    ],
};

/// Variables that this gateway never reads. It reads those of OpenTelemetry, and those that the
/// file refers to.
pub(crate) const ENVIRONMENT_VARIABLES: Table = Table {
    name: "environment_variables",
    rows: &[Row("DATABASE_URL", NoEffect(VIRTUAL_KEYS))],
};

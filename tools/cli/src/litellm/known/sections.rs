//! The sections of the file, an entry of `model_list`, and `environment_variables`.

use super::general::OTHER_MODELS;
use super::{ByValue, NoEffect, NotNeeded, Protects, Row, Table, Used};

pub(crate) const SECTIONS: Table = Table {
    name: "",
    rows: &[
        Row("model_list", Used("the deployments")),
        Row("credential_list", Used("credentials that deployments name")),
        Row(
            "environment_variables",
            Used("variables, which win over those of the process"),
        ),
        Row("include", Used("further files")),
        Row(
            "general_settings litellm_settings router_settings",
            Used("see below"),
        ),
        Row(
            "guardrails",
            ByValue(
                "protect with default_on: true; otherwise without effect, since a request must ask for them",
            ),
        ),
        Row(
            "policies policy_attachments",
            Protects("its guardrails check requests and answers; here none runs"),
        ),
        Row("callback_settings", NoEffect(super::litellm::SERVICE)),
        Row(
            "prompts",
            NoEffect("prompt templates are not applied: clients send the whole prompt"),
        ),
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
        Row("model_name", Used("what clients call the model; * is a wildcard")),
        Row("litellm_params", Used("whom to ask, and how")),
        Row("model_info", Used("what is known about the deployment")),
    ],
};

/// An entry of `credential_list`.
pub(crate) const CREDENTIAL_LIST: Table = Table {
    name: "credential_list",
    rows: &[
        Row("credential_name", Used("the name for litellm_credential_name")),
        Row("credential_values", Used("settings as in litellm_params")),
        Row(
            "credential_info",
            Used("nothing is read from it, but keys in it are an error"),
        ),
    ],
};

/// Names that nobody asks for; those of secrets and of OpenTelemetry are used as far as anything refers to them.
pub(crate) const ENVIRONMENT_VARIABLES: Table = Table {
    name: "environment_variables",
    rows: &[Row(
        "DATABASE_URL",
        NoEffect(
            "LiteLLM's virtual keys are unknown here: clients with one get 401, only the master key works",
        ),
    )],
};

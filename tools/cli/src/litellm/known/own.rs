//! `envoy_bedrock`: settings that LiteLLM does not have. It ignores the section.

use super::table::Fate::Used;
use super::table::{Table, TableRow as Row};

pub(crate) const ENVOY_BEDROCK: Table = Table {
    name: "envoy_bedrock",
    rows: &[
        Row(
            "bearer",
            Used(
                "true: short-term Bedrock API keys, made from the deployments' credentials, instead of signatures; also \
                 in model_info.envoy_bedrock of a deployment",
            ),
        ),
        Row(
            "keys",
            Used(
                "virtual keys: token (SHA-256 of the key) or key (os.environ/NAME), key_alias, models, aliases, expires, \
                 blocked, team_id, tags, max_budget, budget_duration, rpm_limit, tpm_limit, model_rpm_limit, \
                 model_tpm_limit, max_parallel_requests",
            ),
        ),
        Row(
            "keys_file",
            Used("a file with further keys, for `envoy-bedrock keys`"),
        ),
        Row(
            "teams",
            Used(
                "teams of keys: team_id, team_alias, models, blocked, and the limits of all their keys together",
            ),
        ),
        Row(
            "max_buffered_body_mb",
            Used(
                "the most MiB of request bodies that the whole gateway holds at once (default 512, or \
                 max_request_size_mb if that is more); more get 503",
            ),
        ),
    ],
};

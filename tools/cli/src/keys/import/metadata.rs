//! `metadata` of a key or a team: LiteLLM keeps some of its settings there.

use serde_json::{Map, Value};

use super::losses::Loss;
use super::record::Record;

/// Settings that limit what a key can do, and what they do in LiteLLM.
const PROTECTING: [(&str, &str); 14] = [
    ("denied_passthrough_routes", "routes that it cannot call"),
    ("end_user_budget_id", "a budget for each end user"),
    ("enforced_params", "parameters that each request needs"),
    ("guardrails", "guardrails of LiteLLM"),
    ("max_iterations", "how many calls a session can have"),
    ("mcp_rpm_limit", "a rate limit for each MCP server"),
    ("model_itpm_limit", "a limit of a model's input tokens per minute"),
    (
        "model_otpm_limit",
        "a limit of a model's output tokens per minute",
    ),
    ("policies", "policies with guardrails"),
    ("require_trace_id", "each request needs a trace id"),
    ("tag_rpm_limit", "a rate limit for each tag"),
    ("team_member_budget_id", "a budget for each member of the team"),
    (
        "team_member_rpm_limit",
        "a rate limit for each member of the team",
    ),
    (
        "team_member_tpm_limit",
        "a token limit for each member of the team",
    ),
];

/// Settings that do something else.
const OTHERS: [(&str, &str); 6] = [
    ("allowed_passthrough_routes", "more routes that it can call"),
    ("priority", "which requests come first when capacity is scarce"),
    ("prompts", "prompts of LiteLLM"),
    ("temp_budget_expiry", "when a higher budget ends"),
    ("temp_budget_increase", "a higher budget for a while"),
    ("throttle_on_budget_exceeded", "slower instead of refused"),
];

/// Settings with credentials of other services. They are not copied.
const CREDENTIALS: [&str; 3] = ["callback_settings", "logging", "secret_manager_settings"];

/// Parts of names whose values are not copied.
const SECRET_NAMES: [&str; 9] = [
    "access_key",
    "access_token",
    "api_key",
    "apikey",
    "auth_token",
    "credential",
    "password",
    "private_key",
    "secret",
];

/// The metadata to keep, and what has no equal here. Secrets are not kept.
pub(super) fn kept(mut metadata: Record) -> (Option<Map<String, Value>>, Vec<Loss>) {
    let mut losses = std::mem::take(&mut metadata.losses);
    for loss in &mut losses {
        loss.setting.insert_str(0, "metadata.");
    }
    let fields = std::mem::take(metadata.rest());
    let mut kept = Map::new();
    for (name, value) in fields {
        let meaning = |table: &[(&str, &'static str)]| {
            let row = table.iter().find(|(known, _)| *known == name);
            row.map(|(_, meaning)| *meaning)
        };
        let setting = format!("metadata.{name}");
        if let Some(meaning) = meaning(&PROTECTING) {
            losses.push(Loss::protecting(setting.clone(), meaning));
        } else if let Some(meaning) = meaning(&OTHERS) {
            losses.push(Loss::left(setting.clone(), meaning));
        }
        if CREDENTIALS.contains(&name.as_str()) || is_secret(&name) || has_secret(&value) {
            losses.push(Loss::left(setting, "credentials: they are not copied"));
        } else {
            kept.insert(name, value);
        }
    }
    ((!kept.is_empty()).then_some(kept), losses)
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

fn has_secret(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| is_secret(name) || has_secret(value)),
        Value::Array(elements) => elements.iter().any(has_secret),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_stay_in_litellm_and_protections_are_named() {
        let metadata = json!({
            "owner": "search", "cost_center": {"id": 7}, "guardrails": ["pii"], "priority": "high",
            "logging": [{"callback_name": "langfuse", "callback_vars": {"host": "h"}}],
            "deep": [{"langfuse_secret_key": "s"}], "AWS_Access_Key_Id": "a", "empty": {},
        });
        let (kept, mut losses) = kept(Record::of(metadata.as_object().unwrap().clone()));
        let expected = json!({
            "owner": "search", "cost_center": {"id": 7}, "guardrails": ["pii"], "priority": "high",
        });
        assert_eq!(json!(kept), expected);
        losses.sort_by(|a, b| a.setting.cmp(&b.setting));
        let losses: Vec<_> = losses
            .iter()
            .map(|loss| (loss.setting.as_str(), loss.protects))
            .collect();
        let expected = [
            ("metadata.AWS_Access_Key_Id", false),
            ("metadata.deep", false),
            ("metadata.guardrails", true),
            ("metadata.logging", false),
            ("metadata.priority", false),
        ];
        assert_eq!(losses, expected);
    }
}

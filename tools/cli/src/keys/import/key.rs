//! A key of LiteLLM's as a key of the gateway.

use envoy_bedrock::time::UnixTime;

use super::budget::{self, BudgetRows, limits};
use super::columns::{KEYS, REPLACED_KEYS};
use super::losses::Loss;
use super::metadata;
use super::models::models;
use super::record::{self, Record};
use super::rows::LiteLlmRow;
use crate::keys::stored::{StoredFormer, StoredKey};
use crate::keys::token;

const HASH_DIGITS: usize = 64;
/// The team of the keys that LiteLLM makes for each session in its dashboard.
const DASHBOARD: &str = "litellm-dashboard";
/// LiteLLM's names for sets of routes that models are called on.
const MODEL_ROUTES: [&str; 2] = ["llm_api_routes", "llm_api_routes_without_mcp"];
/// The same of routes that do not call models.
const OTHER_ROUTES: [&str; 6] = [
    "global_spend_tracking_routes",
    "info_routes",
    "key_management_routes",
    "management_routes",
    "spend_tracking_routes",
    "ui_routes",
];

/// A row of the table is no key of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoClientKey {
    /// A key for a session in LiteLLM's dashboard.
    Session,
    /// No client can have a key with this token.
    Token,
}

/// The key in a row, and what has no equal here.
pub(super) fn key(
    row: LiteLlmRow,
    budgets: &BudgetRows,
    now: UnixTime,
) -> Result<(StoredKey, Vec<Loss>), NoClientKey> {
    let mut record = Record::new(row, &KEYS);
    let team_id = record.text("team_id");
    if team_id.as_deref() == Some(DASHBOARD) || record.flag("is_session_token") {
        return Err(NoClientKey::Session);
    }
    let Some(token) = record.text("token").and_then(|token| hash(&token)) else {
        return Err(NoClientKey::Token);
    };
    let mut metadata = Record::of(record.object("metadata").unwrap_or_default());
    let budget = shared_budget(&mut record, budgets);
    let limits = limits(&mut record, &mut metadata, budget, now);
    let (models, can_call) = models(&mut record);
    let can_route = routes(&mut record);
    let mut stored = StoredKey {
        token,
        key_alias: record.text("key_alias"),
        models,
        aliases: record.names("aliases"),
        expires: record.time("expires").map(budget::text),
        blocked: record.flag("blocked") || !can_call || !can_route,
        team_id,
        tags: metadata.texts("tags"),
        limits,
        metadata: None,
        former_tokens: former_tokens(&mut record),
        aws_pairs: Vec::new(),
    };
    let (kept, losses) = metadata::kept(metadata);
    stored.metadata = kept;
    record.losses.extend(losses);
    Ok((stored, record.losses))
}

/// The hash of a key. Old versions of LiteLLM kept some keys themselves.
fn hash(token: &str) -> Option<String> {
    if token.starts_with("sk-") {
        return Some(token::hash(token));
    }
    let is_hash = token.len() == HASH_DIGITS && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| token.to_ascii_lowercase())
}

/// The keys that this one has replaced and that are still accepted.
fn former_tokens(record: &mut Record) -> Vec<StoredFormer> {
    let times = record.names(REPLACED_KEYS).into_iter();
    let former = times.filter_map(|(token, until)| {
        let valid_until = budget::text(record::time(&until)?);
        Some(StoredFormer {
            token: hash(&token)?,
            valid_until,
        })
    });
    former.collect()
}

fn shared_budget(record: &mut Record, budgets: &BudgetRows) -> Option<LiteLlmRow> {
    let within = record.object("litellm_budget_table");
    let id = record.text("budget_id")?;
    let row = within.or_else(|| budgets.get(&id).cloned());
    if row.is_none() {
        let meaning = "a budget that is missing here: add --budgets";
        record.losses.push(Loss::protecting("budget_id", meaning));
    }
    row
}

/// Whether a key can call models.
fn routes(record: &mut Record) -> bool {
    let routes = record.texts("allowed_routes");
    let all_in = |names: &[&str]| routes.iter().all(|route| names.contains(&route.as_str()));
    let any_in = |names: &[&str]| routes.iter().any(|route| names.contains(&route.as_str()));
    if routes.is_empty() || any_in(&MODEL_ROUTES) {
        return true;
    }
    if all_in(&OTHER_ROUTES) {
        return false;
    }
    let meaning = "routes that it can call";
    record.losses.push(Loss::protecting("allowed_routes", meaning));
    true
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_256_331);

    fn read(row: Value) -> Result<(StoredKey, Vec<Loss>), NoClientKey> {
        let budget = json!({"budget_id": "b", "max_budget": 7});
        let budgets = [("b".to_owned(), budget.as_object().unwrap().clone())];
        key(row.as_object().unwrap().clone(), &budgets.into(), NOW)
    }

    fn with_token(mut row: Value) -> (StoredKey, Vec<Loss>) {
        row["token"] = "ab".repeat(32).into();
        read(row).unwrap()
    }

    fn protections(losses: &[Loss]) -> Vec<&str> {
        let losses = losses.iter().filter(|loss| loss.protects);
        losses.map(|loss| loss.setting.as_str()).collect()
    }

    #[test]
    fn a_key_keeps_its_hash_and_settings() {
        let (key, losses) = with_token(json!({
            "key_alias": "app", "models": ["claude*"], "aliases": {"fast": "nova"}, "expires": "2027-01-31 00:00:00",
            "blocked": true, "team_id": "t", "metadata": {"tags": ["x"], "owner": "o", "model_tpm_limit": {"a": 5}},
            "max_parallel_requests": 2, "budget_id": "b", "spend": 0.5, "key_name": "sk-...abcd",
        }));
        let expected = json!({
            "token": "ab".repeat(32), "key_alias": "app", "models": ["claude*"], "aliases": {"fast": "nova"},
            "expires": "2027-01-31T00:00:00.000Z", "blocked": true, "team_id": "t", "metadata": {"owner": "o"},
            "tags": ["x"], "max_budget": 7.0, "spend": 0.5, "spend_at": "1970-01-01T00:00:00.000Z",
            "model_tpm_limit": {"a": 5}, "max_parallel_requests": 2,
        });
        assert_eq!(json!(key), expected);
        assert_eq!(losses, []);
    }

    #[test]
    fn rows_that_no_client_uses_are_left_out() {
        let session = json!({"token": "ab".repeat(32), "team_id": "litellm-dashboard"});
        assert_eq!(read(session), Err(NoClientKey::Session));
        for token in ["", "abc", &"x".repeat(64), "os.environ/KEY"] {
            assert_eq!(
                read(json!({ "token": token })),
                Err(NoClientKey::Token),
                "{token}"
            );
        }
    }

    #[test]
    fn an_old_key_in_plain_text_is_hashed() {
        let (key, _) = read(json!({"token": "sk-1234"})).unwrap();
        assert_eq!(key.token, token::hash("sk-1234"));
        let (key, _) = read(json!({"token": "AB".repeat(32)})).unwrap();
        assert_eq!(key.token, "ab".repeat(32));
    }

    #[test]
    fn a_key_for_other_routes_is_blocked_and_one_with_some_routes_loses_them() {
        for (routes, blocked, lost) in [
            (json!(["llm_api_routes", "/x"]), false, vec![]),
            (json!(["management_routes", "info_routes"]), true, vec![]),
            (json!(["/chat/completions"]), false, vec!["allowed_routes"]),
        ] {
            let (key, losses) = with_token(json!({ "allowed_routes": routes }));
            assert_eq!((key.blocked, protections(&losses)), (blocked, lost), "{routes}");
        }
        assert!(with_token(json!({"models": ["no-default-models"]})).0.blocked);
    }

    #[test]
    fn a_budget_that_is_missing_is_a_lost_protection() {
        let (_, losses) = with_token(json!({"budget_id": "unknown"}));
        assert_eq!(protections(&losses), ["budget_id"]);
        let (key, losses) = with_token(json!({"budget_id": "x", "litellm_budget_table": {"rpm_limit": 3}}));
        assert_eq!((key.limits.rpm_limit, protections(&losses)), (Some(3), vec![]));
    }
}

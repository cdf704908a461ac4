//! What `envoy-bedrock keys` prints.

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::aws_pair::MintedPair;
use super::stored::{StoredKey, StoredKeys, StoredLimits, StoredTeam};

/// A key that was just made, possibly with an AWS pair.
pub(super) fn with_key(key: &str, pair: Option<&MintedPair>, stored: &StoredKey, is_json: bool) -> String {
    let aws = pair.map(|pair| (pair.stored.access_key_id.as_str(), pair.secret.expose()));
    if is_json {
        let mut object = json!(stored);
        if let Value::Object(fields) = &mut object {
            fields.insert("key".to_owned(), key.into());
            if let Some((id, secret)) = aws {
                fields.insert("aws_access_key_id".to_owned(), id.into());
                fields.insert("aws_secret_access_key".to_owned(), secret.into());
            }
        }
        return json_text(&object);
    }
    let aws = match aws {
        Some((id, secret)) => format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n"),
        None => String::new(),
    };
    let shown = shown(stored, false);
    format!("{key}\n{aws}\nThis is the only time that the key is shown.\n\n{shown}")
}

/// A key.
pub(super) fn shown(stored: &StoredKey, is_json: bool) -> String {
    if is_json {
        return json_text(&json!(stored));
    }
    let former = stored.former_tokens.iter().map(|former| {
        let token = former.token.get(..16).unwrap_or(&former.token);
        (
            "former key",
            format!("{token}, valid until {}", former.valid_until),
        )
    });
    let pairs = stored.aws_pairs.iter().map(|pair| match &pair.valid_until {
        Some(until) => (
            "former access key",
            format!("{}, valid until {until}", pair.access_key_id),
        ),
        None => ("access key", pair.access_key_id.clone()),
    });
    let limits = limits(&stored.limits).into_iter().chain(former).chain(pairs);
    let cells = cells(stored).map(|(name, value)| (name, value));
    properties(cells.into_iter().chain(limits))
}

/// A team.
pub(super) fn shown_team(team: &StoredTeam, is_json: bool) -> String {
    if is_json {
        return json_text(&json!(team));
    }
    let alias = team.team_alias.clone().unwrap_or_else(|| "-".to_owned());
    let cells = [
        ("team", team.team_id.clone()),
        ("alias", alias),
        ("models", models(&team.models)),
        ("state", state(team.blocked)),
    ];
    properties(cells.into_iter().chain(limits(&team.limits)))
}

/// All keys and teams.
pub(super) fn listed(keys: &StoredKeys, is_json: bool) -> String {
    if is_json {
        return json_text(&json!(keys));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["ALIAS", "TOKEN", "MODELS", "EXPIRES", "STATE", "TEAM", "LIMITS"]);
    for stored in &keys.keys {
        let [alias, token, models, expires, state, team] = cells(stored).map(|(_, value)| value);
        let limits = summary(&stored.limits);
        table.add_row([alias, token, models, expires, state, team, limits]);
    }
    let mut text = trimmed(&table);
    if !keys.teams.is_empty() {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["TEAM", "ALIAS", "MODELS", "STATE", "LIMITS"]);
        for team in &keys.teams {
            let alias = team.team_alias.clone().unwrap_or_else(|| "-".to_owned());
            let cells = [
                alias,
                models(&team.models),
                state(team.blocked),
                summary(&team.limits),
            ];
            table.add_row([team.team_id.clone()].into_iter().chain(cells));
        }
        text.push('\n');
        text.push_str(&trimmed(&table));
    }
    text
}

/// An object as JSON.
pub(super) fn json_text(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn properties(rows: impl Iterator<Item = (&'static str, String)>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    trimmed(&table)
}

fn cells(stored: &StoredKey) -> [(&'static str, String); 6] {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let token = stored.token.get(..16).unwrap_or(&stored.token);
    let expires = stored.expires.clone().unwrap_or_else(|| "never".to_owned());
    [
        ("alias", or_dash(&stored.key_alias)),
        ("token", token.to_owned()),
        ("models", models(&stored.models)),
        ("expires", expires),
        ("state", state(stored.blocked)),
        ("team", or_dash(&stored.team_id)),
    ]
}

fn models(models: &[String]) -> String {
    if models.is_empty() {
        "all".to_owned()
    } else {
        models.join(", ")
    }
}

fn state(is_blocked: bool) -> String {
    let word = if is_blocked { "blocked" } else { "active" };
    word.to_owned()
}

/// The limits, with the names of their options.
fn limits(limits: &StoredLimits) -> Vec<(&'static str, String)> {
    let StoredLimits {
        max_budget,
        soft_budget,
        budget_duration,
        budget_reset_at,
        spend: _,
        spend_at: _,
        rpm_limit,
        tpm_limit,
        model_rpm_limit,
        model_tpm_limit,
        max_parallel_requests,
    } = limits;
    let of_models = |name, limits: &std::collections::BTreeMap<String, u64>| {
        let limits: Vec<_> = limits
            .iter()
            .map(|(model, limit)| (name, format!("{model}={limit}")))
            .collect();
        limits
    };
    let usd = |amount: &f64| format!("{amount} USD");
    let whole = |limit: &u64| limit.to_string();
    let single = [
        ("max-budget", max_budget.as_ref().map(usd)),
        ("soft-budget", soft_budget.as_ref().map(usd)),
        (
            "budget-duration",
            budget_duration.map(|period| period.to_string()),
        ),
        ("budget-reset-at", budget_reset_at.clone()),
        ("rpm-limit", rpm_limit.as_ref().map(whole)),
        ("tpm-limit", tpm_limit.as_ref().map(whole)),
        ("max-parallel-requests", max_parallel_requests.as_ref().map(whole)),
    ];
    let single = single
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let models = of_models("model-rpm-limit", model_rpm_limit)
        .into_iter()
        .chain(of_models("model-tpm-limit", model_tpm_limit));
    single.chain(models).collect()
}

fn summary(stored: &StoredLimits) -> String {
    let limits: Vec<_> = limits(stored)
        .into_iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if limits.is_empty() {
        "none".to_owned()
    } else {
        limits.join(", ")
    }
}

/// A table as text, without spaces at the ends of its lines.
pub(super) fn trimmed(table: &Table) -> String {
    let rows = table.to_string();
    rows.lines().map(|row| format!("{}\n", row.trim_end())).collect()
}

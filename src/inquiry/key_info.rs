//! What a key may do and use, and what it has used: LiteLLM's `/key/info`.

use serde_json::{Map, Value, json};

use crate::keys::{Quota, VirtualKey};
use crate::limits::{LimitSubject, Limiter, Standing};
use crate::time::UnixTime;

/// The reply about `key`.
pub(super) fn body(key: &VirtualKey, limiter: Option<&Limiter>, now: UnixTime) -> Value {
    let mut info = Map::new();
    info.insert("key_alias".into(), json!(key.alias));
    info.insert("models".into(), json!(key.models()));
    let aliases: Map<String, Value> = key
        .aliases()
        .map(|(alias, model)| (alias.to_owned(), model.into()))
        .collect();
    info.insert("aliases".into(), aliases.into());
    info.insert("expires".into(), json!(key.expires.map(time)));
    info.insert("blocked".into(), false.into());
    info.insert("team_id".into(), json!(key.team_id));
    info.insert("tags".into(), json!(key.tags));
    if let Some(quota) = &key.quota {
        info.extend(quota_info(quota, limiter, now));
    }
    if let Some(team) = &key.team {
        let mut body = Map::new();
        body.insert("team_alias".into(), json!(team.alias));
        body.extend(quota_info(&team.quota, limiter, now));
        info.insert("team".into(), body.into());
    }
    json!({ "key": &*key.token, "info": info })
}

fn quota_info(quota: &Quota, limiter: Option<&Limiter>, now: UnixTime) -> Map<String, Value> {
    let subject: &LimitSubject = &quota.whole;
    let limits = &subject.limits;
    let standing = limiter.and_then(|limiter| limiter.standing(subject, now));
    let budget = limits.budget.as_deref().cloned().unwrap_or_default();
    let usd = |amount: crate::pricing::PicoUsd| number(&amount.to_string());
    let of = |value: fn(&Standing) -> u64| standing.as_ref().map(value);
    let resets = budget.window(now).end.map(UnixTime::from_seconds);
    let of_models = |limit: fn(&LimitSubject) -> Option<u64>| {
        let models = quota.models.iter();
        let limits = models.filter_map(|(model, subject)| Some((model.clone(), limit(subject)?.into())));
        limits.collect::<Map<String, Value>>()
    };
    let soft = budget.soft_budget;
    let is_soft_exceeded = soft.and_then(|soft| Some(standing?.spend >= soft));
    let mut info = Map::new();
    let mut put = |name: &str, value: Value| drop(info.insert(name.to_owned(), value));
    put("spend", json!(standing.map(|standing| usd(standing.spend))));
    put("max_budget", json!(budget.max_budget.map(usd)));
    put("soft_budget", json!(soft.map(usd)));
    put("soft_budget_exceeded", json!(is_soft_exceeded));
    put("budget_duration", json!(budget.budget_duration));
    put("budget_reset_at", json!(resets.map(time)));
    put("rpm_limit", json!(limits.requests));
    put("tpm_limit", json!(limits.tokens));
    put("max_parallel_requests", json!(limits.parallel));
    put(
        "model_rpm_limit",
        of_models(|subject| subject.limits.requests).into(),
    );
    put(
        "model_tpm_limit",
        of_models(|subject| subject.limits.tokens).into(),
    );
    put("current_rpm", json!(of(|standing| standing.requests)));
    put("current_tpm", json!(of(|standing| standing.tokens)));
    put(
        "current_parallel_requests",
        json!(of(|standing| standing.parallel)),
    );
    info
}

/// A decimal as a JSON number.
fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn time(time: UnixTime) -> String {
    time.rfc3339().as_str().to_owned()
}

//! Response headers about the limits of a key, under LiteLLM's and OpenAI's names.

use std::rc::Rc;

use crate::limits::{Holder, LimitSubject, Standing};
use crate::time::UnixTime;

/// The headers for a request whose limits stand like this at `now`.
///
/// `x-ratelimit-*` are about the limit of which the least remains: of the key, its team, or the
/// model. `reset` is in seconds.
pub(super) fn of(standings: &[(Rc<LimitSubject>, Standing)], now: UnixTime) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    let key = standings
        .iter()
        .find(|(subject, _)| matches!(subject.holder, Holder::Key(_)));
    if let Some((subject, standing)) = key {
        let limits = &subject.limits;
        headers.push(("x-litellm-key-spend", standing.spend.to_string()));
        let max_budget = limits.max_budget().map(|max| max.to_string());
        let numbers = [
            ("x-litellm-key-rpm-limit", limits.requests),
            ("x-litellm-key-tpm-limit", limits.tokens),
        ];
        headers.extend(max_budget.map(|max| ("x-litellm-key-max-budget", max)));
        let numbers = numbers.into_iter();
        headers.extend(numbers.filter_map(|(name, limit)| Some((name, limit?.to_string()))));
    }
    let requests = |subject: &LimitSubject, standing: &Standing| {
        let limit = subject.limits.requests?;
        Some((limit.saturating_sub(standing.requests), limit))
    };
    let tokens = |subject: &LimitSubject, standing: &Standing| {
        let limit = subject.limits.tokens?;
        Some((limit.saturating_sub(standing.tokens), limit))
    };
    let names = [
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ];
    headers.extend(scarcest(standings, requests, names, now));
    let names = [
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
    ];
    headers.extend(scarcest(standings, tokens, names, now));
    headers
}

/// The headers with these names about the limit of which the least remains.
fn scarcest(
    standings: &[(Rc<LimitSubject>, Standing)],
    of: impl Fn(&LimitSubject, &Standing) -> Option<(u64, u64)>,
    names: [&'static str; 3],
    now: UnixTime,
) -> Vec<(&'static str, String)> {
    let limits = standings.iter().filter_map(|(subject, standing)| {
        let (remaining, limit) = of(subject, standing)?;
        let reset = standing.minute_ends.milliseconds_since(now).div_ceil(1000);
        Some([limit, remaining, reset])
    });
    let scarcest = limits.min_by_key(|[_, remaining, _]| *remaining);
    let values = scarcest.map(|values| values.map(|value| value.to_string()));
    values.map_or_else(Vec::new, |values| names.into_iter().zip(values).collect())
}

//! Response headers about the limits of a key, under LiteLLM's and OpenAI's names.

use std::rc::Rc;

use crate::encoding::decimal::push_decimal;
use crate::headers::AddedHeaders;
use crate::limits::{Holder, LimitSubject, Standing};
use crate::time::UnixTime;

/// Adds the headers for a request whose limits stand like this at `now`.
///
/// `x-ratelimit-*` are about the limit of which the least remains: of the key, its team, or the
/// model. `reset` is in seconds.
pub(super) fn add(standings: &[(Rc<LimitSubject>, Standing)], now: UnixTime, headers: &mut AddedHeaders) {
    let key = standings
        .iter()
        .find(|(subject, _)| matches!(subject.holder, Holder::Key(_)));
    if let Some((subject, standing)) = key {
        let limits = &subject.limits;
        headers.write("x-litellm-key-spend", |text| standing.spend.push_to(text));
        if let Some(max) = limits.max_budget() {
            headers.write("x-litellm-key-max-budget", |text| max.push_to(text));
        }
        let numbers = [
            ("x-litellm-key-rpm-limit", limits.requests),
            ("x-litellm-key-tpm-limit", limits.tokens),
        ];
        for (name, limit) in numbers {
            if let Some(limit) = limit {
                headers.write(name, |text| push_decimal(text, limit));
            }
        }
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
    add_scarcest(standings, requests, names, now, headers);
    let names = [
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
    ];
    add_scarcest(standings, tokens, names, now, headers);
}

/// Adds the headers with these names about the limit of which the least remains.
fn add_scarcest(
    standings: &[(Rc<LimitSubject>, Standing)],
    of: impl Fn(&LimitSubject, &Standing) -> Option<(u64, u64)>,
    names: [&'static str; 3],
    now: UnixTime,
    headers: &mut AddedHeaders,
) {
    let limits = standings.iter().filter_map(|(subject, standing)| {
        let (remaining, limit) = of(subject, standing)?;
        let reset = standing.minute_ends.milliseconds_since(now).div_ceil(1000);
        Some([limit, remaining, reset])
    });
    let scarcest = limits.min_by_key(|[_, remaining, _]| *remaining);
    for (name, value) in names.into_iter().zip(scarcest.into_iter().flatten()) {
        headers.write(name, |text| push_decimal(text, value));
    }
}

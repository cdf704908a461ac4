//! Which limit a request would exceed, and what its client is told.

use crate::limits::subject::Holder;
use crate::pricing::PicoUsd;
use crate::time::UnixTime;

/// A limit that a request would exceed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Whom the limit is for.
    pub holder: Holder,
    /// The limit.
    pub limit: ExceededLimit,
    /// When the request was refused.
    pub at: UnixTime,
}

/// Why a request is not admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GrantError {
    /// It would exceed a limit.
    Exceeded(Box<Exceeded>),
    /// A tally could not be read or written.
    Uncountable,
}

/// The limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceededLimit {
    /// Requests per minute.
    Requests {
        /// The limit.
        limit: u64,
        /// When the minute ends.
        resets: UnixTime,
    },
    /// Tokens per minute.
    Tokens {
        /// The limit.
        limit: u64,
        /// When the minute ends.
        resets: UnixTime,
    },
    /// Requests at once.
    Parallel {
        /// The limit.
        limit: u64,
    },
    /// Money.
    Budget {
        /// The budget.
        max: PicoUsd,
        /// What was spent of it.
        spend: PicoUsd,
        /// What running requests have reserved.
        reserved: PicoUsd,
    },
}

impl ExceededLimit {
    /// LiteLLM's name of the limit.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Requests { .. } => "requests",
            Self::Tokens { .. } => "tokens",
            Self::Parallel { .. } => "max_parallel_requests",
            Self::Budget { .. } => "budget",
        }
    }

    /// When a minute ends that the client can wait for.
    pub(crate) const fn resets(self) -> Option<UnixTime> {
        match self {
            Self::Requests { resets, .. } | Self::Tokens { resets, .. } => Some(resets),
            Self::Parallel { .. } | Self::Budget { .. } => None,
        }
    }
}

impl Exceeded {
    /// For how many seconds the client should wait; `None` for a budget.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self.limit {
            ExceededLimit::Budget { .. } => None,
            limit => {
                let wait = limit
                    .resets()
                    .map_or(0, |resets| resets.milliseconds_since(self.at));
                Some(wait.div_ceil(1000).max(1))
            }
        }
    }

    /// The message, in LiteLLM's words.
    pub(crate) fn message(&self) -> String {
        if let ExceededLimit::Budget { max, spend, reserved } = self.limit {
            let holder = match &self.holder {
                Holder::Key(token) | Holder::KeyModel(token, _) => format!("Key={token}"),
                Holder::Team(id) | Holder::TeamModel(id, _) => format!("Team={id}"),
                Holder::Deployment(id) => format!("Deployment={id}"),
            };
            let running = if reserved == PicoUsd::ZERO {
                String::new()
            } else {
                format!(", Reserved by running requests: {reserved}")
            };
            return format!(
                "Budget has been exceeded! {holder} Current cost: {spend}{running}, Max budget: {max}."
            );
        }
        let holder = match &self.holder {
            Holder::Key(token) => format!("api_key: {token}"),
            Holder::Team(id) => format!("team: {id}"),
            Holder::KeyModel(token, model) => format!("model_per_key: {token}:{model}"),
            Holder::TeamModel(id, model) => format!("model_per_team: {id}:{model}"),
            Holder::Deployment(id) => format!("deployment: {id}"),
        };
        let limit = match self.limit {
            ExceededLimit::Requests { limit, .. }
            | ExceededLimit::Tokens { limit, .. }
            | ExceededLimit::Parallel { limit } => limit,
            ExceededLimit::Budget { .. } => 0,
        };
        let resets = self.limit.resets().map(reset_at);
        let resets = resets.map(|resets| format!(" Limit resets at: {resets}."));
        format!(
            "Rate limit exceeded for {holder}. Limit type: {}. Current limit: {limit}, Remaining: 0.{}",
            self.limit.name(),
            resets.unwrap_or_default()
        )
    }
}

/// A time as LiteLLM writes it: `2026-11-22 10:19:56 UTC`. The last moment of a minute belongs to
/// it, so the time is rounded up.
pub(crate) fn reset_at(time: UnixTime) -> String {
    let whole = time.nanoseconds().div_ceil(1_000_000_000);
    let text = UnixTime::from_seconds(whole).rfc3339();
    let text = text.as_str();
    let (date, clock) = (text.get(..10), text.get(11..19));
    format!("{} {} UTC", date.unwrap_or_default(), clock.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceeded(holder: Holder, limit: ExceededLimit) -> Exceeded {
        Exceeded {
            holder,
            limit,
            at: UnixTime::from_seconds(1_795_357_174),
        }
    }

    #[test]
    fn a_client_learns_when_the_minute_ends() {
        let resets = UnixTime::from_seconds(1_795_357_190).after_milliseconds(1);
        let requests = exceeded(
            Holder::Key("88dc".into()),
            ExceededLimit::Requests { limit: 1, resets },
        );
        assert_eq!(requests.retry_after(), Some(17));
        assert_eq!(
            requests.message(),
            "Rate limit exceeded for api_key: 88dc. Limit type: requests. Current limit: 1, Remaining: 0. \
             Limit resets at: 2026-11-22 14:19:51 UTC."
        );
        let holder = Holder::TeamModel("red".into(), "claude".into());
        let parallel = exceeded(holder, ExceededLimit::Parallel { limit: 3 });
        assert_eq!(parallel.retry_after(), Some(1));
        assert_eq!(
            parallel.message(),
            "Rate limit exceeded for model_per_team: red:claude. Limit type: max_parallel_requests. Current limit: \
             3, Remaining: 0."
        );
    }

    #[test]
    fn a_budget_names_what_was_spent_and_what_running_requests_reserve() {
        let [max, spend] = ["5", "4.25"].map(|text| PicoUsd::parse(text).unwrap().amount);
        let budget = |reserved| ExceededLimit::Budget { max, spend, reserved };
        let key = exceeded(Holder::Key("88dc".into()), budget(PicoUsd::ZERO));
        assert_eq!(key.retry_after(), None);
        assert_eq!(
            key.message(),
            "Budget has been exceeded! Key=88dc Current cost: 4.25, Max budget: 5."
        );
        let team = exceeded(Holder::Team("red".into()), budget(spend));
        assert_eq!(
            team.message(),
            "Budget has been exceeded! Team=red Current cost: 4.25, Reserved by running requests: 4.25, Max budget: 5."
        );
    }
}

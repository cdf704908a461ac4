//! The options that limit a key or a team.

use std::collections::BTreeMap;
use std::str::FromStr;

use envoy_bedrock::limits::period::Period;
use envoy_bedrock::pricing::PicoUsd;

use super::stored::StoredLimits;

/// A new value, or `none` to remove what was set.
#[derive(Clone, Debug, PartialEq)]
enum LimitChange<T> {
    Set(T),
    Remove,
}

/// A limit for one model.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ModelLimit {
    model: String,
    limit: Option<u64>,
}

/// The options that limit a key or a team. In an update, `none` removes a limit.
#[derive(Debug, Default, clap::Args)]
pub(super) struct LimitOptions {
    /// The most that it may spend, in USD.
    #[arg(long, value_name = "USD", allow_negative_numbers = true, value_parser = amount)]
    max_budget: Option<LimitChange<f64>>,
    /// From which spend on GET /key/info says that the budget is nearly used up, in USD.
    #[arg(long, value_name = "USD", allow_negative_numbers = true, value_parser = amount)]
    soft_budget: Option<LimitChange<f64>>,
    /// After what time the budget begins anew: 30s, 5m, 12h, 1d, 7d (Mondays), 30d or 1mo (the first
    /// of each month), in UTC. The default is never.
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = period)]
    budget_duration: Option<LimitChange<Period>>,
    /// Requests per minute.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole)]
    rpm_limit: Option<LimitChange<u64>>,
    /// Tokens per minute, of requests and responses.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole)]
    tpm_limit: Option<LimitChange<u64>>,
    /// Requests at once.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole)]
    max_parallel_requests: Option<LimitChange<u64>>,
    /// Requests per minute of one model. Can be repeated.
    #[arg(long, value_name = "MODEL=N")]
    model_rpm_limit: Vec<ModelLimit>,
    /// Tokens per minute of one model. Can be repeated.
    #[arg(long, value_name = "MODEL=N")]
    model_tpm_limit: Vec<ModelLimit>,
}

impl LimitOptions {
    /// Changes what the options name.
    pub(super) fn apply(&self, limits: &mut StoredLimits) {
        change(&self.max_budget, &mut limits.max_budget);
        change(&self.soft_budget, &mut limits.soft_budget);
        change(&self.budget_duration, &mut limits.budget_duration);
        if self.budget_duration.is_some() {
            limits.budget_reset_at = None;
        }
        change(&self.rpm_limit, &mut limits.rpm_limit);
        change(&self.tpm_limit, &mut limits.tpm_limit);
        change(&self.max_parallel_requests, &mut limits.max_parallel_requests);
        change_models(&self.model_rpm_limit, &mut limits.model_rpm_limit);
        change_models(&self.model_tpm_limit, &mut limits.model_tpm_limit);
    }
}

fn change<T: Clone>(option: &Option<LimitChange<T>>, value: &mut Option<T>) {
    match option {
        Some(LimitChange::Set(new)) => *value = Some(new.clone()),
        Some(LimitChange::Remove) => *value = None,
        None => {}
    }
}

fn change_models(options: &[ModelLimit], limits: &mut BTreeMap<String, u64>) {
    for ModelLimit { model, limit } in options {
        match limit {
            Some(limit) => drop(limits.insert(model.clone(), *limit)),
            None => drop(limits.remove(model)),
        }
    }
}

fn parsed<T>(text: &str, parse: impl FnOnce() -> Result<T, String>) -> Result<LimitChange<T>, String> {
    if text == "none" {
        return Ok(LimitChange::Remove);
    }
    parse().map(LimitChange::Set)
}

fn amount(text: &str) -> Result<LimitChange<f64>, String> {
    parsed(text, || {
        PicoUsd::parse(text).map_err(|error| error.to_string())?;
        let amount: Option<f64> = text.trim().parse().ok();
        amount.ok_or_else(|| "expected an amount in USD, such as 50 or 0.25".to_owned())
    })
}

fn period(text: &str) -> Result<LimitChange<Period>, String> {
    parsed(text, || Period::parse(text).map_err(|error| error.to_string()))
}

fn whole(text: &str) -> Result<LimitChange<u64>, String> {
    parsed(text, || number(text))
}

fn number(text: &str) -> Result<u64, String> {
    let expected = || "expected a whole number that is not negative".to_owned();
    text.parse().map_err(|_| expected())
}

impl FromStr for ModelLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let halves = text.rsplit_once('=').filter(|(model, _)| !model.is_empty());
        let (model, limit) = halves.ok_or("expected MODEL=N")?;
        let limit = match limit {
            "none" => None,
            limit => Some(number(limit)?),
        };
        Ok(Self {
            model: model.to_owned(),
            limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_set_and_remove_limits() {
        let mut limits = StoredLimits {
            max_budget: Some(1.0),
            rpm_limit: Some(1),
            tpm_limit: Some(1),
            model_rpm_limit: [("a=b".to_owned(), 1), ("c".to_owned(), 2)].into(),
            ..StoredLimits::default()
        };
        let options = LimitOptions {
            max_budget: Some(amount("2.5").unwrap()),
            rpm_limit: Some(whole("none").unwrap()),
            model_rpm_limit: vec!["a=b=none".parse().unwrap(), "d=4".parse().unwrap()],
            ..LimitOptions::default()
        };
        options.apply(&mut limits);
        let expected = StoredLimits {
            max_budget: Some(2.5),
            tpm_limit: Some(1),
            model_rpm_limit: [("c".to_owned(), 2), ("d".to_owned(), 4)].into(),
            ..StoredLimits::default()
        };
        assert_eq!(limits, expected);
    }

    #[test]
    fn what_is_not_a_limit_is_an_error() {
        for text in ["", "-1", "1.5", "x", "NONE"] {
            assert!(whole(text).is_err(), "{text}");
        }
        for text in ["", "-1", "x", "inf", "NaN", "1 000"] {
            assert!(amount(text).is_err(), "{text}");
        }
        for text in ["=1", "a", "a=", "a=-1"] {
            assert!(text.parse::<ModelLimit>().is_err(), "{text}");
        }
    }
}

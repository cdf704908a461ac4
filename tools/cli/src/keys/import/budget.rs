//! The limits of a row, with what was spent.

use std::collections::BTreeMap;

use envoy_bedrock::limits::period::Period;
use envoy_bedrock::time::UnixTime;

use super::columns::BUDGETS;
use super::losses::Loss;
use super::record::Record;
use super::rows::LiteLlmRow;
use crate::keys::stored::StoredLimits;

/// The rows of the table with budgets that keys share, by id.
pub(super) type BudgetRows = BTreeMap<String, LiteLlmRow>;

/// The limits in a row. What was spent in a budget whose time is over by `now` is left out.
pub(super) fn limits(
    record: &mut Record,
    metadata: &mut Record,
    budget: Option<LiteLlmRow>,
    now: UnixTime,
) -> StoredLimits {
    let own = |record: &mut Record| StoredLimits {
        max_budget: record.amount("max_budget"),
        soft_budget: record.amount("soft_budget"),
        budget_duration: record.period("budget_duration"),
        rpm_limit: record.whole("rpm_limit"),
        tpm_limit: record.whole("tpm_limit"),
        ..StoredLimits::default()
    };
    let mut limits = own(record);
    let mut reset_at = record.time("budget_reset_at");
    if let Some(row) = budget {
        let mut shared = Record::new(row, &BUDGETS);
        let given = own(&mut shared);
        limits.max_budget = limits.max_budget.or(given.max_budget);
        limits.soft_budget = limits.soft_budget.or(given.soft_budget);
        limits.rpm_limit = limits.rpm_limit.or(given.rpm_limit);
        limits.tpm_limit = limits.tpm_limit.or(given.tpm_limit);
        if limits.budget_duration.is_none() {
            limits.budget_duration = given.budget_duration;
            reset_at = shared.time("budget_reset_at");
        }
        let losses = std::mem::take(&mut shared.losses);
        record.losses.extend(losses.into_iter().map(of_budget));
    }
    limits.max_parallel_requests = record.whole("max_parallel_requests");
    limits.model_rpm_limit = metadata.limits("model_rpm_limit");
    limits.model_tpm_limit = metadata.limits("model_tpm_limit");
    let reset_at = reset_at.filter(|_| limits.budget_duration.is_some());
    let is_over = reset_at.is_some_and(|reset| reset <= now);
    let spend = record.amount("spend").filter(|spend| *spend > 0.0 && !is_over);
    let period = limits.budget_duration;
    limits.spend_at = spend.map(|_| text(began(period, reset_at, now)));
    limits.spend = spend;
    limits.budget_reset_at = reset_at.filter(|_| !is_over).map(text);
    limits
}

/// When the budget that `now` is in began. What this gateway has counted since then is added to what
/// LiteLLM has counted, however often keys are imported.
fn began(period: Option<Period>, reset_at: Option<UnixTime>, now: UnixTime) -> UnixTime {
    let Some(period) = period else {
        return UnixTime::from_seconds(0);
    };
    let last = reset_at.map_or(now, |reset| {
        UnixTime::from_seconds(reset.seconds().saturating_sub(1))
    });
    let start = period.window(last).start;
    let is_future = start > now.seconds();
    UnixTime::from_seconds(if is_future {
        period.window(now).start
    } else {
        start
    })
}

/// A time as the gateway reads it.
pub(super) fn text(time: UnixTime) -> String {
    time.rfc3339().as_str().to_owned()
}

fn of_budget(loss: Loss) -> Loss {
    Loss {
        setting: format!("budget.{}", loss.setting),
        ..loss
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::columns::KEYS;
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_256_331);

    fn row(value: Value) -> LiteLlmRow {
        value.as_object().unwrap().clone()
    }

    fn read(key: Value, budget: Option<Value>) -> (StoredLimits, Vec<Loss>) {
        let mut record = Record::new(row(key), &KEYS);
        let mut metadata = Record::of(row(json!({"model_rpm_limit": {"a": 3, "b": null}})));
        let limits = limits(&mut record, &mut metadata, budget.map(row), NOW);
        (limits, record.losses)
    }

    #[test]
    fn a_key_has_its_own_limits_before_those_of_its_budget() {
        let key = json!({"max_budget": 5, "tpm_limit": 100, "spend": 1.25});
        let budget = json!({
            "max_budget": 9.0, "soft_budget": 4.0, "rpm_limit": 7, "tpm_limit": 8, "budget_duration": "30d",
            "budget_reset_at": "2026-12-01 00:00:00", "max_parallel_requests": 2, "tpd_limit": 1,
        });
        let (limits, losses) = read(key, Some(budget));
        let expected = StoredLimits {
            max_budget: Some(5.0),
            soft_budget: Some(4.0),
            budget_duration: Some(Period::parse("30d").unwrap()),
            budget_reset_at: Some("2026-12-01T00:00:00.000Z".to_owned()),
            spend: Some(1.25),
            spend_at: Some("2026-11-01T00:00:00.000Z".to_owned()),
            rpm_limit: Some(7),
            tpm_limit: Some(100),
            model_rpm_limit: [("a".to_owned(), 3)].into(),
            ..StoredLimits::default()
        };
        assert_eq!(limits, expected);
        assert_eq!(losses.len(), 1);
        assert_eq!(
            (losses[0].setting.as_str(), losses[0].protects),
            ("budget.tpd_limit", true)
        );
    }

    #[test]
    fn what_was_spent_before_the_budget_began_anew_is_left_out() {
        let over = json!({"spend": 3, "budget_duration": "1d", "budget_reset_at": "2026-11-21 10:18:51"});
        let (limits, _) = read(over, None);
        assert_eq!(
            (limits.spend, limits.spend_at, limits.budget_reset_at),
            (None, None, None)
        );
        let without_period = json!({"spend": 3, "budget_reset_at": "2026-11-21 10:18:51"});
        let (limits, _) = read(without_period, None);
        assert_eq!((limits.spend, limits.budget_reset_at), (Some(3.0), None));
    }

    #[test]
    fn spend_is_of_the_budget_that_has_not_ended_yet() {
        let began_at = |period: &str, reset_at: Option<&str>| {
            let reset_at = reset_at.map(|time| UnixTime::parse_rfc3339(time).unwrap());
            text(began(Period::parse(period).ok(), reset_at, NOW))
        };
        assert_eq!(began_at("", None), "1970-01-01T00:00:00.000Z");
        assert_eq!(began_at("1d", None), "2026-11-21T00:00:00.000Z");
        assert_eq!(
            began_at("1d", Some("2026-11-22T00:00:00Z")),
            "2026-11-21T00:00:00.000Z"
        );
        assert_eq!(
            began_at("30d", Some("2026-12-01T00:00:00Z")),
            "2026-11-01T00:00:00.000Z"
        );
        assert_eq!(
            began_at("1d", Some("2099-01-01T00:00:00Z")),
            "2026-11-21T00:00:00.000Z"
        );
    }
}

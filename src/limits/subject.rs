//! Whom limits are for.

use std::rc::Rc;

use crate::contract::keys::BudgetSettings;
use crate::contract::names::SHARED_LIMITS;
use crate::limits::period::BudgetWindow;
use crate::pricing::PicoUsd;
use crate::time::UnixTime;

/// A key, a team, or one of their models, with its limits.
#[derive(Debug)]
pub(crate) struct LimitSubject {
    pub(crate) holder: Holder,
    pub(crate) limits: Limits,
}

/// Whom a limit is for, in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A key, by its hash in hexadecimal digits.
    Key(Rc<str>),
    /// A team, by its id.
    Team(Rc<str>),
    /// A model of a key: the hash, and the name of the model group.
    KeyModel(Rc<str>, String),
    /// A model of a team: the id, and the name of the model group.
    TeamModel(Rc<str>, String),
    /// A deployment, by its id.
    Deployment(Rc<str>),
}

/// Limits. `None` is unlimited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) requests: Option<u64>,
    pub(crate) tokens: Option<u64>,
    pub(crate) parallel: Option<u64>,
    pub(crate) budget: Option<Box<BudgetSettings>>,
}

/// How a subject stands, after its tally was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Requests in the current minute.
    pub(crate) requests: u64,
    /// Tokens in the current minute, used or reserved.
    pub(crate) tokens: u64,
    /// Requests at the moment.
    pub(crate) parallel: u64,
    /// Spend in the current window of the budget.
    pub(crate) spend: PicoUsd,
    /// When the current minute ends.
    pub(crate) minute_ends: UnixTime,
}

impl LimitSubject {
    pub(crate) fn new(holder: Holder, limits: Limits) -> Self {
        Self { holder, limits }
    }

    /// The key of its tally in Envoy's shared data. It is not kept, because there may be many
    /// subjects.
    pub(super) fn shared_key(&self) -> String {
        match &self.holder {
            Holder::Key(token) => format!("{SHARED_LIMITS}key/{token}"),
            Holder::Team(id) => format!("{SHARED_LIMITS}team/{id}"),
            Holder::KeyModel(token, model) => format!("{SHARED_LIMITS}key/{token}/{model}"),
            Holder::TeamModel(id, model) => format!("{SHARED_LIMITS}team-model/{}/{id}/{model}", id.len()),
            Holder::Deployment(id) => format!("{SHARED_LIMITS}deployment/{id}"),
        }
    }
}

impl Limits {
    /// Whether requests are checked. Otherwise, only their spend is counted.
    pub(crate) fn are_checked(&self) -> bool {
        self.requests.is_some()
            || self.tokens.is_some()
            || self.parallel.is_some()
            || self.max_budget().is_some()
    }

    /// The most that may be spent in a window of the budget.
    pub(crate) fn max_budget(&self) -> Option<PicoUsd> {
        self.budget.as_ref()?.max_budget
    }

    /// The budget's window that `now` is in.
    pub(crate) fn window(&self, now: UnixTime) -> BudgetWindow {
        let budget = self.budget.as_ref();
        budget.map_or(BudgetWindow::FOREVER, |budget| budget.window(now))
    }

    /// What was spent before this Envoy in the current window.
    pub(super) fn opening_spend(&self, now: UnixTime) -> PicoUsd {
        let opening = self.budget.as_ref().and_then(|budget| budget.opening);
        let opening = opening.filter(|opening| {
            // A window that has begun remains the current one if the clock is set back.
            opening.window_start >= self.window(now).start
        });
        opening.map_or(PicoUsd::ZERO, |opening| opening.spend)
    }

    /// Whether requests reserve tokens or money.
    pub(crate) fn needs_reservations(&self) -> bool {
        self.tokens.is_some() || self.max_budget().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_subjects_share_a_tally() {
        let (id, model) = (Rc::<str>::from, str::to_owned);
        let holders = [
            Holder::Key(id("a")),
            Holder::Team(id("a")),
            Holder::KeyModel(id("a"), model("m")),
            Holder::TeamModel(id("a"), model("m")),
            Holder::TeamModel(id("a/m"), model("m")),
            Holder::TeamModel(id("a"), model("m/m")),
            Holder::Team(id("a/m")),
            Holder::Deployment(id("a")),
        ];
        let keys = holders.map(|holder| LimitSubject::new(holder, Limits::default()).shared_key());
        let unique: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(unique.len(), keys.len());
    }
}

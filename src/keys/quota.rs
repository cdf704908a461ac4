//! The limits of a key or a team: for all its requests, and for those of single models.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::contract::keys::LimitSettings;
use crate::limits::{Holder, LimitSubject, Limits};

/// The limits of a key or a team.
#[derive(Debug)]
pub(crate) struct Quota {
    /// For all requests.
    pub(crate) whole: Rc<LimitSubject>,
    /// For the requests of a model, by the name of its group.
    pub(crate) models: BTreeMap<String, Rc<LimitSubject>>,
}

impl Quota {
    /// The quota with these `settings`. `of_model` is the holder of the limits of a model.
    pub(super) fn new(settings: &LimitSettings, holder: Holder, of_model: impl Fn(String) -> Holder) -> Self {
        let limits = Limits {
            requests: settings.rpm_limit,
            tokens: settings.tpm_limit,
            parallel: settings.max_parallel_requests,
            budget: settings.budget.clone(),
        };
        let (requests, tokens) = (&settings.model_rpm_limit, &settings.model_tpm_limit);
        let names: BTreeSet<&String> = requests.keys().chain(tokens.keys()).collect();
        let models = names.into_iter().map(|name| {
            let limits = Limits {
                requests: requests.get(name).copied(),
                tokens: tokens.get(name).copied(),
                ..Limits::default()
            };
            let subject = LimitSubject::new(of_model(name.clone()), limits);
            (name.clone(), Rc::new(subject))
        });
        Self {
            whole: Rc::new(LimitSubject::new(holder, limits)),
            models: models.collect(),
        }
    }

    /// Whom the limits for a request of the model group `group` are for. The narrowest limit comes
    /// first.
    pub(crate) fn subjects(&self, group: &str) -> impl Iterator<Item = &Rc<LimitSubject>> {
        self.models.get(group).into_iter().chain([&self.whole])
    }

    /// Everyone.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Rc<LimitSubject>> {
        self.models.values().chain([&self.whole])
    }
}

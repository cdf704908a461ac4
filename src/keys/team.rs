//! A team: keys that share limits.

use std::rc::Rc;

use crate::contract::keys::TeamSettings;
use crate::keys::allowed_models::AllowedModels;
use crate::keys::quota::Quota;
use crate::limits::Holder;

/// A team, and what its keys may do together.
#[derive(Debug)]
pub(crate) struct Team {
    pub(crate) id: Rc<str>,
    pub(crate) alias: Option<String>,
    pub(super) is_blocked: bool,
    pub(super) models: AllowedModels,
    pub(crate) quota: Quota,
}

impl Team {
    pub(super) fn new(settings: &TeamSettings) -> Self {
        let id: Rc<str> = settings.team_id.as_str().into();
        Self {
            alias: settings.team_alias.clone(),
            is_blocked: settings.blocked,
            models: AllowedModels::new(&settings.models),
            quota: Quota::new(&settings.limits, Holder::Team(Rc::clone(&id)), |model| {
                Holder::TeamModel(Rc::clone(&id), model)
            }),
            id,
        }
    }
}

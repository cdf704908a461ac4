//! The credentials of a configuration that come from the credential broker.

use std::rc::Rc;

use crate::credentials::{CredentialSlot, REJECTED};
use crate::routing::deployment::{Credentials, Deployment};
use crate::routing::model::{ModelGroup, ModelGroups};
use crate::secret::Secret;
use crate::time::UnixTime;

/// How long a call to the broker may take, in milliseconds.
pub const CALL_TIMEOUT_MILLISECONDS: u32 = 5000;
/// Interval at which [`BrokeredCredentials::begin_calls`] must be called, in milliseconds.
pub const CALL_TICK_MILLISECONDS: u32 = 250;

/// The slots of a configuration, and how to reach the broker.
#[derive(Debug)]
pub struct BrokeredCredentials {
    /// The Envoy cluster of the broker.
    pub cluster: String,
    /// The whole value of `authorization`, if the broker wants one.
    pub(crate) authorization: Option<Secret>,
    /// Without duplicates, in the order of the configuration.
    pub slots: Vec<Rc<CredentialSlot>>,
}

/// A call to the broker that is due.
#[derive(Debug)]
pub struct BrokerCall {
    /// The slot that is waiting for the answer.
    pub slot: Rc<CredentialSlot>,
    path: String,
    authorization: Option<Secret>,
}

impl BrokerCall {
    /// The name of the credential that AWS has refused, if that is the reason for the call.
    pub fn rejected(&self) -> Option<&str> {
        Some(self.path.split_once(REJECTED)?.1)
    }

    /// The request's headers.
    pub fn headers(&self) -> Vec<(&str, &str)> {
        let authorization = self.authorization.as_ref();
        let authorization = authorization.map(|value| ("authorization", value.expose()));
        let fixed = [
            (":method", "GET"),
            (":path", self.path.as_str()),
            (":authority", "localhost"),
        ];
        fixed.into_iter().chain(authorization).collect()
    }
}

impl BrokeredCredentials {
    /// The calls that are due. They count as under way.
    pub fn begin_calls(&self, now: UnixTime) -> Vec<BrokerCall> {
        let begin = |slot: &Rc<CredentialSlot>| {
            let path = slot.begin_call(now)?;
            Some(BrokerCall {
                slot: Rc::clone(slot),
                path,
                authorization: self.authorization.clone(),
            })
        };
        self.slots.iter().filter_map(begin).collect()
    }
}

/// Whether the broker has not said yet whether a deployment of `model` has credentials.
pub(crate) fn is_waiting(model: &ModelGroup, now: UnixTime) -> bool {
    let mut slots = slots(model);
    slots.any(|(_, slot)| slot.is_waiting(now))
}

/// Which deployments of `model` have no credentials and why, as a message.
pub(crate) fn missing(model: &ModelGroup, now: UnixTime) -> String {
    let mut causes = Vec::new();
    for deployment in &model.deployments {
        if let Some(cause) = missing_cause(deployment, now) {
            causes.push(format!("{}: {cause}", name(model, deployment)));
        }
    }
    format!("no valid AWS credentials for {}", causes.join("; "))
}

/// Why a deployment has no credentials; `None` if it has.
pub(crate) fn missing_cause(deployment: &Deployment, now: UnixTime) -> Option<String> {
    let Credentials::Brokered(slot) = &deployment.credentials else {
        return None;
    };
    slot.current(now).is_none().then(|| match slot.failure() {
        Some(failure) => format!("{}: {}", failure.code, failure.message),
        None => "the credential broker has not answered".to_owned(),
    })
}

/// The slots of a model group, with the deployments that use them.
pub(crate) fn slots(model: &ModelGroup) -> impl Iterator<Item = (&Deployment, &Rc<CredentialSlot>)> {
    let deployments = model.deployments.iter();
    deployments.filter_map(|deployment| match &deployment.credentials {
        Credentials::Brokered(slot) => Some((&**deployment, slot)),
        Credentials::Sigv4 { .. } | Credentials::Bearer(_) => None,
    })
}

/// The deployments that use a slot, each with its model group.
pub(crate) fn users<'a>(
    models: &'a ModelGroups,
    slot: &'a Rc<CredentialSlot>,
) -> impl Iterator<Item = (&'a ModelGroup, &'a Deployment)> {
    models.all().flat_map(move |model| {
        let used = slots(model).filter(|(_, used)| Rc::ptr_eq(used, slot));
        used.map(move |(deployment, _)| (model, deployment))
    })
}

/// The deployments that use a slot, as a message names them.
pub(crate) fn names_of_users(models: &ModelGroups, slot: &Rc<CredentialSlot>) -> Vec<String> {
    users(models, slot)
        .map(|(model, deployment)| name(model, deployment))
        .collect()
}

/// A deployment, as a message names it.
pub(crate) fn name(model: &ModelGroup, deployment: &Deployment) -> String {
    let (name, id, region) = (&model.name, &deployment.id, &deployment.region);
    format!("{name} in {region} (deployment {id})")
}

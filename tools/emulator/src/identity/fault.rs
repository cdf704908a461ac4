//! Faults of the identity service.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::endpoint::IdentityEndpoint;

/// A fault and the requests that it hits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityFault {
    pub(crate) kind: IdentityFaultKind,
    /// An endpoint or a service; all if absent.
    pub(crate) endpoint: Option<String>,
    /// The role that STS or SSO is asked for; any if absent.
    pub(crate) role_arn: Option<String>,
    /// How many requests it hits; all if absent.
    pub(crate) count: Option<u64>,
    /// Code of an error: `ServiceUnavailable` if absent.
    pub(crate) code: Option<String>,
    /// Status of an error: that of the code if absent.
    pub(crate) status: Option<u16>,
    /// Message of an error.
    pub(crate) message: Option<String>,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdentityFaultKind {
    /// An error in the endpoint's format.
    Error,
    /// No response.
    Hang,
    /// A response with status 200 that cannot be parsed.
    Garbage,
    /// The start of the usual response, with most of its secrets.
    Truncated,
    /// The connection is closed without a response.
    Close,
}

impl IdentityFault {
    /// # Errors
    /// What is wrong, for the caller of the control API.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(name) = &self.endpoint
            && !IdentityEndpoint::ALL
                .iter()
                .any(|endpoint| endpoint.is_named(name))
        {
            let names = IdentityEndpoint::ALL.map(IdentityEndpoint::name).join(", ");
            return Err(format!(
                "expected endpoint to be sts, imds or one of {names}, but found {name:?}"
            ));
        }
        match self.status {
            Some(status) if !(400..600).contains(&status) => {
                Err(format!("expected status from 400 to 599, but found {status}"))
            }
            _ => Ok(()),
        }
    }

    fn hits(&self, endpoint: IdentityEndpoint, role_arn: Option<&str>) -> bool {
        self.endpoint
            .as_deref()
            .is_none_or(|name| endpoint.is_named(name))
            && (self.role_arn.is_none() || self.role_arn.as_deref() == role_arn)
    }
}

/// A fault in force, as the control API lists it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ActiveIdentityFault {
    id: u64,
    hits: u64,
    #[serde(flatten)]
    fault: IdentityFault,
}

/// The faults in force. The first one that matches a request hits it.
#[derive(Debug, Default)]
pub(crate) struct IdentityFaults(Mutex<Vec<ActiveIdentityFault>>);

impl IdentityFaults {
    /// Adds a fault and returns its id.
    pub(crate) fn add(&self, fault: IdentityFault) -> u64 {
        let mut active = self.lock();
        let id = active.last().map_or(1, |last| last.id + 1);
        active.push(ActiveIdentityFault { id, hits: 0, fault });
        id
    }

    /// Removes one fault, or all.
    pub(crate) fn clear(&self, id: Option<u64>) {
        self.lock().retain(|fault| id.is_some_and(|id| id != fault.id));
    }

    pub(crate) fn list(&self) -> Vec<ActiveIdentityFault> {
        self.lock().clone()
    }

    /// The fault that hits this request.
    pub(crate) fn take(&self, endpoint: IdentityEndpoint, role_arn: Option<&str>) -> Option<IdentityFault> {
        let mut active = self.lock();
        let found = active.iter_mut().find(|active| {
            let is_left = active.fault.count.is_none_or(|count| active.hits < count);
            is_left && active.fault.hits(endpoint, role_arn)
        })?;
        found.hits += 1;
        Some(found.fault.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ActiveIdentityFault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> IdentityFault {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_fault_hits_its_endpoint_or_service_as_often_as_it_says() {
        let faults = IdentityFaults::default();
        faults.add(parse(r#"{"kind":"hang","endpoint":"imds","count":2}"#));
        let hit = |endpoint| faults.take(endpoint, None).is_some();
        assert!(!hit(IdentityEndpoint::Ecs));
        assert!(hit(IdentityEndpoint::ImdsToken));
        assert!(hit(IdentityEndpoint::ImdsRole));
        assert!(!hit(IdentityEndpoint::ImdsToken));
    }

    #[test]
    fn a_fault_of_a_role_spares_other_roles() {
        let faults = IdentityFaults::default();
        let id = faults.add(parse(r#"{"kind":"error","role_arn":"r"}"#));
        let hit = |role| faults.take(IdentityEndpoint::AssumeRole, role).is_some();
        assert_eq!((hit(Some("r")), hit(Some("s")), hit(None)), (true, false, false));
        faults.clear(Some(id + 1));
        assert!(hit(Some("r")));
        faults.clear(Some(id));
        assert!(!hit(Some("r")));
    }

    #[test]
    fn unknown_endpoints_and_statuses_are_rejected() {
        let check = |json: &str| parse(json).check();
        assert!(check(r#"{"kind":"hang","endpoint":"saml"}"#).is_err());
        for (status, is_valid) in [(399, false), (400, true), (599, true), (600, false)] {
            let json = format!(r#"{{"kind":"error","status":{status}}}"#);
            assert_eq!(check(&json).is_ok(), is_valid, "{status}");
        }
    }
}

//! The faults in force.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::fault::{FaultKind, FaultStage, PortMode};
use super::fault_rule::FaultRule;
use super::matcher::Subject;

/// A fault in force, as `GET /faults` lists it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ActiveFault {
    /// For `DELETE /faults?id=…`.
    id: u64,
    /// Requests that the fault hit.
    hits: u64,
    /// Requests that the fault could have hit; `rate` is a share of these.
    candidates: u64,
    #[serde(flatten)]
    rule: FaultRule,
}

/// The faults in force, in the order in which they were set. The first one that matches a request
/// hits it.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<FaultList>);

#[derive(Debug, Default)]
struct FaultList {
    last_id: u64,
    active: Vec<ActiveFault>,
}

impl Faults {
    /// Adds a fault and returns its id.
    pub(crate) fn add(&self, rule: FaultRule) -> u64 {
        let mut list = self.lock();
        list.last_id += 1;
        let id = list.last_id;
        list.active.push(ActiveFault {
            id,
            hits: 0,
            candidates: 0,
            rule,
        });
        id
    }

    /// Removes the fault with this id, the faults of this region, or all faults.
    pub(crate) fn clear(&self, id: Option<u64>, region: Option<&str>) {
        self.lock().active.retain(|fault| {
            id.is_some_and(|id| id != fault.id)
                || region.is_some_and(|region| fault.rule.matcher.region.as_deref() != Some(region))
        });
    }

    /// All faults, including those whose `count` is used up.
    pub(crate) fn list(&self) -> Vec<ActiveFault> {
        self.lock().active.clone()
    }

    /// Whether the ports of `region` are open.
    pub(crate) fn port_mode(&self, region: &str) -> PortMode {
        self.lock()
            .active
            .iter()
            .filter(|fault| fault.rule.matcher.admits_region(region))
            .find_map(|fault| fault.rule.kind.port_mode())
            .unwrap_or(PortMode::Open)
    }

    /// The fault that hits this request at this stage, with its id.
    pub(crate) fn take(&self, stage: FaultStage, subject: &Subject<'_>) -> Option<(u64, FaultKind)> {
        for fault in &mut self.lock().active {
            let rule = &fault.rule;
            if rule.kind.stage() != Some(stage)
                || !rule.matcher.admits(subject)
                || (rule.kind.needs_stream() && !subject.is_stream())
                || rule.count.is_some_and(|count| fault.hits >= count)
            {
                continue;
            }
            fault.candidates += 1;
            if rule.rate.is_none_or(|rate| rate.hits(fault.candidates)) {
                fault.hits += 1;
                return Some((fault.id, rule.kind.clone()));
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, FaultList> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::route::ApiOperation;

    fn faults(json: &str) -> Faults {
        let faults = Faults::default();
        faults.add(serde_json::from_str(json).unwrap());
        faults
    }

    fn subject(region: &str) -> Subject<'_> {
        Subject {
            region,
            access_key_id: Some("AK"),
            model: Some("m"),
            operation: Some(ApiOperation::Converse),
        }
    }

    #[test]
    fn a_fault_with_a_count_hits_that_many_requests_of_its_region() {
        let faults = faults(r#"{"kind":"status","status":429,"count":2,"match":{"region":"a"}}"#);
        let hit = |region| faults.take(FaultStage::Judged, &subject(region)).is_some();
        assert_eq!(
            [hit("b"), hit("a"), hit("a"), hit("a")],
            [false, true, true, false]
        );
    }

    #[test]
    fn a_fault_with_a_rate_hits_about_that_share() {
        let faults = faults(r#"{"kind":"hang","rate":0.3}"#);
        let hits = (0..1000)
            .filter(|_| faults.take(FaultStage::Judged, &subject("a")).is_some())
            .count();
        assert!((250..350).contains(&hits), "{hits}");
    }

    #[test]
    fn a_fault_of_streams_spares_other_operations() {
        let faults = faults(r#"{"kind":"exception"}"#);
        assert!(faults.take(FaultStage::Judged, &subject("a")).is_none());
    }

    #[test]
    fn closed_ports_open_when_their_fault_is_cleared() {
        let faults = faults(r#"{"kind":"refused","match":{"region":"a"}}"#);
        assert_eq!(
            (faults.port_mode("a"), faults.port_mode("b")),
            (PortMode::Refused, PortMode::Open)
        );
        faults.clear(None, Some("b"));
        assert_eq!(faults.port_mode("a"), PortMode::Refused);
        faults.clear(None, Some("a"));
        assert_eq!(faults.port_mode("a"), PortMode::Open);
    }
}

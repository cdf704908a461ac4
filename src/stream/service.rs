//! What all streams of a configured plugin share.

use std::cell::RefCell;
use std::rc::Rc;

use log::Level;

use crate::credentials::{BrokerFailure, BrokerNews, CredentialSlot};
use crate::limits::Limiter;
use crate::random::Random;
use crate::records::carried::Carried;
use crate::records::history::SharedMemory;
use crate::records::metrics::{Registry, count_refresh_failure, report_expiry};
use crate::records::recorder::Recorder;
use crate::records::row::Row;
use crate::routing::active_config::ActiveConfig;
use crate::routing::brokered;
use crate::routing::outlook::Outlook;
use crate::time::UnixTime;

/// The active configuration of a plugin, its randomness and its records.
#[derive(Debug)]
pub struct Service {
    config: Rc<ActiveConfig>,
    carried: Carried,
    limiter: Rc<Limiter>,
    random: RefCell<Random>,
    recorder: RefCell<Recorder>,
}

impl Service {
    /// Starts the service for `config`. `seed` comes from the host's entropy, `carried` from the
    /// worker's previous configuration. `outlook` is that of the VM.
    pub fn open(
        mut config: ActiveConfig,
        seed: u64,
        carried: Carried,
        outlook: Rc<Outlook>,
        host: &(impl SharedMemory + Registry),
    ) -> Self {
        let limiter = Rc::clone(&outlook.limiter);
        limiter.capacity().open();
        let deployments = config.models.all().flat_map(|model| &model.deployments);
        let counted = deployments.filter_map(|deployment| deployment.subject.as_deref());
        limiter.open(config.keys.subjects().chain(counted));
        outlook.cooldowns.open();
        outlook.latencies.open();
        config.set_outlook(outlook);
        let config = Rc::new(config);
        carried.set_config(&config);
        Self {
            limiter,
            recorder: RefCell::new(Recorder::open(&config, carried.clone(), host)),
            carried,
            config,
            random: RefCell::new(Random::new(seed)),
        }
    }

    /// The configuration.
    pub fn config(&self) -> Rc<ActiveConfig> {
        Rc::clone(&self.config)
    }

    /// The answer to a call to the credential broker: its `status`, which is 0 if there was none,
    /// and its body. Returns a message for the log, with its level.
    ///
    /// Reports only what the newest configuration needs: an earlier one keeps asking until its
    /// last stream has ended, perhaps for a credential that was removed.
    pub fn take_answer(
        &self,
        slot: &Rc<CredentialSlot>,
        status: u16,
        body: &[u8],
        now: UnixTime,
        registry: &impl Registry,
    ) -> Option<(Level, String)> {
        let news = slot.finish_call(status, body, now);
        let config = self.carried.config()?;
        let users = brokered::names_of_users(&config.models, slot);
        if users.is_empty() {
            return None;
        }
        if let Some(failure) = slot.failure().filter(|failure| !failure.is_pending()) {
            count_refresh_failure(failure.reason(), registry);
        }
        report_expiry(&config.models, slot, registry);
        let users = users.join(", ");
        match news {
            BrokerNews::Nothing => None,
            BrokerNews::Recovered => Some((
                Level::Info,
                format!("AWS credentials for {users} are available again"),
            )),
            BrokerNews::Failed(BrokerFailure { code, message }) => {
                let held = match slot.current(now).map(|held| held.expires) {
                    None => "no old ones are valid".to_owned(),
                    Some(None) => "the old ones never expire".to_owned(),
                    Some(Some(expires)) => format!("the old ones expire at {}", expires.rfc3339().as_str()),
                };
                let message = format!("no new AWS credentials for {users}: {code}: {message}; {held}");
                Some((Level::Warn, message))
            }
        }
    }

    /// What all workers together may do, and what keys and teams may use.
    pub fn limiter(&self) -> Rc<Limiter> {
        Rc::clone(&self.limiter)
    }

    /// A random number generator for one stream.
    pub fn random(&self) -> Random {
        Random::new(self.random.borrow_mut().draw())
    }

    /// Records a completed request. Returns its row for Envoy's access log: JSON members without
    /// braces.
    pub fn record(&self, row: &Row<'_>, host: &(impl SharedMemory + Registry)) -> Vec<u8> {
        self.recorder.borrow_mut().record(row, host)
    }

    /// Looks up the row of a completed request: JSON members without braces.
    pub fn find(&self, id: &str, memory: &impl SharedMemory) -> Option<String> {
        self.recorder.borrow().find(id, memory)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::capacity::{Capacity, SharedStore, StoreError};
    use crate::contract::metrics::{CREDENTIALS_EXPIRE, REFRESH_FAILURES};
    use crate::cooldown::Cooldowns;
    use crate::credentials::CredentialStore;
    use crate::latency::LatencyBoard;
    use crate::records::metrics::MetricKind;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_357_174);

    /// A host that keeps metrics only.
    #[derive(Default)]
    struct Host(RefCell<Vec<(String, u64)>>);

    impl Host {
        /// The values of the metrics whose names begin with `prefix`, by the rest of the name.
        fn of(&self, prefix: &str) -> BTreeMap<String, u64> {
            let metrics = self.0.borrow();
            let found = metrics
                .iter()
                .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), *value)));
            found.collect()
        }
    }

    impl Registry for Host {
        fn define(&self, _: MetricKind, name: &str) -> Option<u32> {
            let mut metrics = self.0.borrow_mut();
            let known = metrics.iter().position(|(known, _)| known == name);
            let index = known.unwrap_or_else(|| {
                metrics.push((name.to_owned(), 0));
                metrics.len() - 1
            });
            u32::try_from(index).ok()
        }

        fn add(&self, id: u32, amount: u64) {
            self.0.borrow_mut()[id as usize].1 += amount;
        }

        fn record(&self, id: u32, value: u64) {
            self.0.borrow_mut()[id as usize].1 = value;
        }
    }

    impl SharedMemory for Host {
        fn get(&self, _: &str) -> Option<(Vec<u8>, u32)> {
            None
        }

        fn set(&self, _: &str, _: &[u8], _: u32) -> bool {
            true
        }
    }

    struct NoLedger;

    impl SharedStore for NoLedger {
        fn read(&self, _: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
            Err(StoreError)
        }

        fn write(&self, _: &str, _: &[u8], _: u32) -> bool {
            false
        }
    }

    #[test]
    fn a_credential_that_a_reload_has_removed_is_no_longer_reported() {
        let (host, carried, store) = (Host::default(), Carried::default(), CredentialStore::default());
        let open = |deployments: &[(&str, &str)]| {
            let deployments = deployments.iter().map(|(id, credential)| {
                format!(
                    r#"{{"id": "{id}", "model": "a:0", "region": "w", "cluster": "w", "authority": "w",
                        "weight": 1, "credentials": {{"brokered": {{"id": "{credential}"}}}}}}"#
                )
            });
            let deployments: Vec<_> = deployments.collect();
            let json = format!(
                r#"{{"master_key": "K", "attempts": 1, "body_limit_bytes": 1, "broker": {{"cluster": "b"}},
                    "models": [{{"name": "m", "deployments": [{}]}}]}}"#,
                deployments.join(",")
            );
            let variable = |name: &str| Some(name.to_owned());
            let config = ActiveConfig::with_store(json.as_bytes(), variable, &store).unwrap();
            let capacity = Rc::new(Capacity::new(1, Box::new(NoLedger)));
            let limiter = Rc::new(Limiter::new(capacity, Box::new(NoLedger)));
            let outlook = Outlook::new(
                limiter,
                Cooldowns::new(Box::new(NoLedger)),
                LatencyBoard::new(Box::new(NoLedger)),
            );
            Service::open(config, 1, carried.clone(), Rc::new(outlook), &host)
        };
        let keys = |expires: &str| {
            format!(r#"{{"AccessKeyId": "A", "SecretAccessKey": "s", "Expiration": "{expires}"}}"#)
        };
        let expires =
            |id: &str| host.of(CREDENTIALS_EXPIRE)[&format!(";model_group=m;deployment={id};region=w")];

        let old = open(&[("kept", "1"), ("changed", "2"), ("removed", "3")]);
        let slots = old.config().brokered.as_ref().unwrap().slots.clone();
        let new = open(&[("kept", "1"), ("changed", "4")]);
        for slot in &slots {
            // The streams of the old configuration have not ended.
            let news = old.take_answer(slot, 200, keys("2030-01-01T00:00:00Z").as_bytes(), NOW, &host);
            assert_eq!(news, None);
        }
        assert_eq!(expires("kept"), 1_893_456_000, "both need it");
        assert_eq!((expires("changed"), expires("removed")), (0, 0));

        let failure = br#"{"code": "NotFound", "message": "m"}"#;
        assert_eq!(old.take_answer(&slots[2], 404, failure, NOW, &host), None);
        assert!(host.of(REFRESH_FAILURES).is_empty());
        let (level, message) = old.take_answer(&slots[0], 404, failure, NOW, &host).unwrap();
        assert!(
            level == Level::Warn && message.contains("m in w (deployment kept)"),
            "{message}"
        );
        assert_eq!(host.of(REFRESH_FAILURES).values().sum::<u64>(), 1);
        drop(new);
    }
}

//! What all streams of a configured plugin share.

use std::cell::RefCell;
use std::rc::Rc;

use log::Level;

use crate::capacity::Capacity;
use crate::credentials::{BrokerFailure, BrokerNews, CredentialSlot};
use crate::random::Random;
use crate::records::carried::Carried;
use crate::records::history::SharedMemory;
use crate::records::metrics::{Registry, count_refresh_failure, report_expiry};
use crate::records::recorder::Recorder;
use crate::records::row::Row;
use crate::routing::active_config::ActiveConfig;
use crate::routing::brokered;
use crate::time::UnixTime;

/// The active configuration of a plugin, its randomness and its records.
#[derive(Debug)]
pub struct Service {
    config: Rc<ActiveConfig>,
    capacity: Rc<Capacity>,
    random: RefCell<Random>,
    recorder: RefCell<Recorder>,
}

impl Service {
    /// Starts the service for `config`. `seed` comes from the host's entropy, `carried` from the
    /// worker's previous configuration. `capacity` is that of the VM.
    pub fn open(
        config: ActiveConfig,
        seed: u64,
        carried: Carried,
        capacity: Rc<Capacity>,
        host: &(impl SharedMemory + Registry),
    ) -> Self {
        capacity.open();
        Self {
            capacity,
            recorder: RefCell::new(Recorder::open(&config, carried, host)),
            config: Rc::new(config),
            random: RefCell::new(Random::new(seed)),
        }
    }

    /// The configuration.
    pub fn config(&self) -> Rc<ActiveConfig> {
        Rc::clone(&self.config)
    }

    /// The answer to a call to the credential broker: its `status`, which is 0 if there was none,
    /// and its body. Returns a message for the log, with its level.
    pub fn take_answer(
        &self,
        slot: &Rc<CredentialSlot>,
        status: u16,
        body: &[u8],
        now: UnixTime,
        registry: &impl Registry,
    ) -> Option<(Level, String)> {
        let news = slot.finish_call(status, body, now);
        if let Some(failure) = slot.failure().filter(|failure| !failure.is_pending()) {
            count_refresh_failure(failure.reason(), registry);
        }
        report_expiry(&self.config.models, slot, registry);
        let users = || brokered::names_of_users(&self.config.models, slot).join(", ");
        match news {
            BrokerNews::Nothing => None,
            BrokerNews::Recovered => Some((
                Level::Info,
                format!("there are AWS credentials again for {}", users()),
            )),
            BrokerNews::Failed(BrokerFailure { code, message }) => {
                let held = match slot.current(now).map(|held| held.expires) {
                    None => "there are none".to_owned(),
                    Some(None) => "the old ones never expire".to_owned(),
                    Some(Some(expires)) => format!("the old ones expire at {}", expires.rfc3339().as_str()),
                };
                let users = users();
                let message = format!("no new AWS credentials for {users}: {code}: {message}; {held}");
                Some((Level::Warn, message))
            }
        }
    }

    /// What all workers together may do at once.
    pub fn capacity(&self) -> Rc<Capacity> {
        Rc::clone(&self.capacity)
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

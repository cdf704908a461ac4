//! The opening balances of budgets: what was spent before the serving Envoy began.

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use envoy_bedrock::contract::settings::Settings;
use envoy_bedrock::time::UnixTime;

use crate::environment::Environment;
use crate::spend::{PastSpend, unix_time};

/// Reads the spend log each time that another Envoy begins to serve, because its counts begin at
/// zero.
pub(crate) struct OpeningBalances {
    log: PathBuf,
    environment: Environment,
    past: PastSpend,
}

impl OpeningBalances {
    /// Opening balances from the spend log `log`, for an Envoy that begins to serve now.
    pub(crate) fn new(log: PathBuf, environment: Environment, settings: &Settings) -> Self {
        let mut balances = Self {
            log,
            environment,
            past: PastSpend::nothing(UnixTime::default()),
        };
        balances.begin(settings);
        balances
    }

    /// Another Envoy begins to serve now.
    pub(super) fn begin(&mut self, settings: &Settings) {
        self.read(settings, unix_time(SystemTime::now()));
    }

    /// Reads more of the past if the budgets of `settings` need it.
    pub(super) fn cover(&mut self, settings: &Settings) {
        if !self.past.covers(settings) {
            self.read(settings, self.past.until());
        }
    }

    /// Adds the balances to `settings`.
    pub(super) fn apply(&self, settings: &mut Settings) {
        self.past.apply(settings, &self.environment);
    }

    fn read(&mut self, settings: &Settings, until: UnixTime) {
        let started = Instant::now();
        match PastSpend::read(&self.log, settings, until) {
            Ok(past) => self.past = past,
            Err((path, error)) => {
                let path = path.display();
                tracing::error!(
                    "budgets continue without what was spent before: cannot read {path}: {error}"
                );
            }
        }
        let seconds = started.elapsed().as_secs();
        if seconds > 0 {
            tracing::info!("the spend log was read for budgets in {seconds} s");
        }
    }
}

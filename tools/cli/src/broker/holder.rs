//! Holds credentials and renews them: one task for each.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::attempt::Attempts;
use super::failure::{Failure, FailureCode};
use super::fetch::Fetcher;
use super::renewal_log::{Outage, RenewalLog};
use super::schedule::Renewals;
use crate::credentials::BrokeredCredential;

/// How long a request waits for the first attempt, or for one that it caused.
const WAIT_MAX: Duration = Duration::from_millis(1500);
/// Shortest time between two attempts that are caused by refusals of AWS.
const REJECTED_PAUSE: Duration = Duration::from_secs(10);

/// The credentials of a configuration. Clones share them.
#[derive(Clone)]
pub(crate) struct Broker {
    held: Arc<Mutex<HashMap<String, HeldCredential>>>,
}

/// What is known about a credential.
#[derive(Clone, Debug, Default)]
pub(crate) struct CredentialState {
    /// The newest credential, perhaps expired.
    pub(crate) issued: Option<Credentials>,
    /// Why the newest attempt failed; `None` if it succeeded.
    pub(crate) failure: Option<Failure>,
    /// When the newest attempt ended.
    attempted: Option<Instant>,
}

impl CredentialState {
    /// Whether the first attempt has not ended.
    pub(crate) fn is_pending(&self) -> bool {
        self.attempted.is_none()
    }

    /// Whether there are credentials that have not expired.
    pub(crate) fn is_usable(&self) -> bool {
        self.issued.as_ref().is_some_and(is_current)
    }
}

/// A credential and the task that renews it.
struct HeldCredential {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the task and the requests share.
struct Shared {
    credential: BrokeredCredential,
    state: watch::Sender<CredentialState>,
    /// Ends the pause before the next attempt.
    wake: Notify,
}

impl Drop for HeldCredential {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Broker {
    /// A broker without credentials.
    pub(crate) fn new() -> Self {
        Self { held: Arc::default() }
    }

    /// Replaces the credentials. Those that stay the same are kept; the others are fetched or
    /// forgotten.
    pub(crate) fn set(&self, credentials: &[BrokeredCredential], fetcher: &Fetcher) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = HashMap::new();
        for credential in credentials {
            let same = held
                .remove(&credential.id)
                .filter(|known| known.shared.credential == *credential);
            let known = same.unwrap_or_else(|| HeldCredential::start(credential.clone(), fetcher.clone()));
            kept.insert(credential.id.clone(), known);
        }
        *held = kept;
    }

    /// The credential `id`: a usable one, or why there is none. With `rejected`, AWS refused the
    /// one that `rejected` recognises, and another is fetched unless that was just done.
    pub(crate) async fn credential(
        &self,
        id: &str,
        rejected: impl Fn(&Credentials) -> bool,
    ) -> Result<Credentials, Failure> {
        let shared = {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.get(id).map(|held| Arc::clone(&held.shared))
        };
        let Some(held) = shared else {
            let reason = format!("the broker's configuration has no credential {id}");
            return Err(Failure::new(FailureCode::NotFound, reason));
        };
        held.wait_for_first().await;
        let is_rejected = held.state.borrow().issued.as_ref().is_some_and(&rejected);
        if is_rejected {
            held.fetch_again().await;
        }
        let state = held.state.borrow().clone();
        match state.issued {
            Some(keys) if is_current(&keys) => Ok(keys),
            _ => Err(state.failure.unwrap_or_else(|| {
                Failure::new(
                    FailureCode::Pending,
                    "the credential is being fetched for the first time",
                )
            })),
        }
    }

    /// What is known about each credential, in no particular order.
    pub(crate) fn states(&self) -> Vec<(BrokeredCredential, CredentialState)> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let state =
            |held: &HeldCredential| (held.shared.credential.clone(), held.shared.state.borrow().clone());
        held.values().map(state).collect()
    }
}

impl HeldCredential {
    fn start(credential: BrokeredCredential, fetcher: Fetcher) -> Self {
        let shared = Arc::new(Shared {
            credential,
            state: watch::Sender::default(),
            wake: Notify::new(),
        });
        let renewed = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let (mut renewals, mut log) = (Renewals::default(), RenewalLog::default());
            let mut attempts = Attempts::with(fetcher);
            loop {
                let pause = renewed.renew(&mut attempts, &mut renewals, &mut log).await;
                tokio::select! {
                    () = sleep(pause) => {}
                    () = renewed.wake.notified() => {}
                }
            }
        });
        Self { shared, task }
    }
}

impl Shared {
    async fn wait_for_first(&self) {
        let mut state = self.state.subscribe();
        let first = state.wait_for(|state| state.attempted.is_some());
        let _late = timeout(WAIT_MAX, first).await;
    }

    /// Fetches the credential again, unless that was just done.
    async fn fetch_again(&self) {
        let attempted = self.state.borrow().attempted;
        if attempted.is_some_and(|attempted| attempted.elapsed() < REJECTED_PAUSE) {
            return;
        }
        let mut state = self.state.subscribe();
        self.wake.notify_one();
        let next = state.wait_for(|state| state.attempted != attempted);
        let _late = timeout(WAIT_MAX, next).await;
    }

    /// Makes an attempt and returns the pause until the next.
    async fn renew(
        &self,
        attempts: &mut Attempts,
        renewals: &mut Renewals,
        log: &mut RenewalLog,
    ) -> Duration {
        let fetched = attempts.next(&self.credential).await;
        let chance = chance();
        let previous = self.state.borrow().clone();
        match fetched {
            Ok(keys) => {
                log.success(&self.credential, &keys);
                let left = life_left(&keys);
                let is_same = previous.issued.as_ref().is_some_and(|held| is_same(held, &keys));
                self.state.send_modify(|state| {
                    *state = CredentialState {
                        issued: Some(keys),
                        failure: None,
                        attempted: Some(Instant::now()),
                    };
                });
                renewals.succeeded(left, is_same, chance)
            }
            Err(failure) => {
                let outage = match previous.issued.as_ref().map(is_current) {
                    Some(true) => Outage::OldCredential,
                    Some(false) => Outage::Expired,
                    None => Outage::NoCredential,
                };
                log.failure(&self.credential, outage, &failure);
                let left = previous.issued.as_ref().and_then(life_left);
                self.state.send_modify(|state| {
                    state.failure = Some(failure);
                    state.attempted = Some(Instant::now());
                });
                renewals.failed(left, chance)
            }
        }
    }
}

/// A random number from 0 to 1.
fn chance() -> f64 {
    f64::from(RandomState::new().hash_one(()) as u32) / f64::from(u32::MAX)
}

/// Whether the credentials have not expired.
fn is_current(keys: &Credentials) -> bool {
    keys.expiry().is_none_or(|expiry| expiry > SystemTime::now())
}

/// Whether the source has returned the `held` credentials again.
fn is_same(held: &Credentials, given: &Credentials) -> bool {
    held.access_key_id() == given.access_key_id() && held.expiry() == given.expiry()
}

/// The remaining life of the credentials; `None` if they do not expire.
fn life_left(keys: &Credentials) -> Option<Duration> {
    let expiry = keys.expiry()?;
    Some(expiry.duration_since(SystemTime::now()).unwrap_or_default())
}

//! The filter inside Envoy: gathers what the core needs, calls the core and applies its steps. It
//! makes no decisions. Both roles share one VM per worker, so the signer finds the gateway's plan.
//!
//! The `proxy-wasm` crate dispatches Envoy's callbacks to [`plugin`], [`gateway`] and [`signer`].
//! All host calls go through [`host`].

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use crate::capacity::Capacity;
use crate::cooldown::Cooldowns;
use crate::credentials::CredentialStore;
use crate::latency::LatencyBoard;
use crate::limits::Limiter;
use crate::records::carried::Carried;
use crate::routing::outlook::Outlook;
use crate::routing::plan_table::PlanTable;

mod body;
mod broker;
mod envoy;
mod gateway;
mod host;
mod logger;
mod plugin;
mod signer;
mod ticker;

thread_local! {
    /// The plans of the VM's requests: written by the gateway role, read by the signer role.
    static PLANS: PlanTable = PlanTable::default();
    /// What this VM's requests have taken of what all workers share.
    static CAPACITY: Rc<Capacity> =
        Rc::new(Capacity::new(RandomState::new().hash_one(()), Box::new(envoy::Envoy)));
    /// What keys and teams have used of their limits.
    static LIMITER: Rc<Limiter> = Rc::new(Limiter::new(CAPACITY.with(Rc::clone), Box::new(envoy::Envoy)));
    /// What is known about deployments.
    static OUTLOOK: Rc<Outlook> = Rc::new(Outlook::new(
        LIMITER.with(Rc::clone),
        Cooldowns::new(Box::new(envoy::Envoy)),
        LatencyBoard::new(Box::new(envoy::Envoy)),
    ));
    /// What outlives a configuration.
    static CARRIED: Carried = Carried::default();
    /// The credentials of the broker, which outlive a configuration too.
    static CREDENTIALS: CredentialStore = CredentialStore::default();
}

//! What a thread keeps: the counterpart of the VM that each worker has for the WebAssembly filter.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use envoy_bedrock::capacity::Capacity;
use envoy_bedrock::cooldown::Cooldowns;
use envoy_bedrock::credentials::CredentialStore;
use envoy_bedrock::latency::LatencyBoard;
use envoy_bedrock::limits::Limiter;
use envoy_bedrock::records::carried::Carried;
use envoy_bedrock::records::request_log;
use envoy_bedrock::routing::active_config::ActiveConfig;
use envoy_bedrock::routing::outlook::Outlook;
use envoy_bedrock::routing::plan_table::PlanTable;
use envoy_bedrock::stream::service::Service;

use crate::broker_board;
use crate::config::{FilterConfig, FilterRole, FilterSettings};
use crate::host::{NativeHost, now};
use crate::shared_data::SharedData;

thread_local! {
    /// The plans of the thread's requests: written by the gateway role, read by the signer role.
    pub(crate) static PLANS: PlanTable = PlanTable::default();
    /// What this thread's requests have taken of what all workers share.
    pub(crate) static CAPACITY: Rc<Capacity> =
        Rc::new(Capacity::new(RandomState::new().hash_one(()), Box::new(SharedData)));
    /// What keys and teams have used of their limits.
    pub(crate) static LIMITER: Rc<Limiter> =
        Rc::new(Limiter::new(CAPACITY.with(Rc::clone), Box::new(SharedData)));
    /// What is known about deployments.
    static OUTLOOK: Rc<Outlook> = Rc::new(Outlook::new(
        LIMITER.with(Rc::clone),
        Cooldowns::new(Box::new(SharedData)),
        LatencyBoard::new(Box::new(SharedData)),
    ));
    /// What outlives a configuration.
    static CARRIED: Carried = Carried::default();
    /// The credentials of the broker, which outlive a configuration too.
    static CREDENTIALS: CredentialStore = CredentialStore::default();
    /// The services of the configurations that this worker has used, by their ids.
    static SERVICES: RefCell<BTreeMap<u64, WorkerService>> = RefCell::default();
}

/// The service of a configuration on this worker.
struct WorkerService {
    config: Weak<FilterConfig>,
    service: Option<Rc<Service>>,
    /// The number of the newest answer of the credential broker that it has seen.
    seen: Rc<Cell<u64>>,
}

/// Reads settings.
pub(crate) fn read(settings: &FilterSettings) -> Result<ActiveConfig, String> {
    let (json, variable) = (settings.json.as_bytes(), |name: &str| settings.variable(name));
    let config = CREDENTIALS.with(|store| ActiveConfig::with_store(json, variable, store));
    config.map_err(|error| error.to_string())
}

/// Starts the service for a configuration on this thread.
pub(crate) fn open(config: ActiveConfig, host: &NativeHost<'_>) -> Rc<Service> {
    let seed = RandomState::new().hash_one(());
    let (carried, outlook) = (CARRIED.with(Clone::clone), OUTLOOK.with(Rc::clone));
    Rc::new(Service::open(config, seed, carried, outlook, host))
}

/// The service of a configuration on this worker, with what the broker has said since it was last
/// used. `None` if its settings can no longer be read.
pub(crate) fn service(config: &Arc<FilterConfig>) -> Option<Rc<Service>> {
    let FilterRole::Gateway { settings, .. } = &config.role else {
        return None;
    };
    let known = SERVICES.with_borrow(|services| {
        services
            .get(&config.id)
            .map(|held| (held.service.clone(), Rc::clone(&held.seen)))
    });
    let (service, seen) = known.unwrap_or_else(|| {
        let service = read(settings).map(|config| open(config, &NativeHost::without_metrics()));
        let service =
            service.inspect_err(|error| request_log::error(None, format_args!("configuration: {error}")));
        let held = WorkerService {
            config: Arc::downgrade(config),
            service: service.ok(),
            seen: Rc::default(),
        };
        let found = (held.service.clone(), Rc::clone(&held.seen));
        SERVICES.with_borrow_mut(|services| {
            services.insert(config.id, held);
        });
        forget_gone();
        found
    });
    if let Some(service) = &service {
        hear_broker(service, &seen);
    }
    service
}

/// Forgets configurations that Envoy has destroyed.
pub(crate) fn forget_gone() {
    SERVICES.with_borrow_mut(|services| services.retain(|_, held| held.config.strong_count() > 0));
}

/// Takes the broker's answers that all configurations of this worker have not seen yet.
pub(crate) fn hear_broker_for_all() {
    let services: Vec<_> = SERVICES.with_borrow(|services| {
        let held = services.values();
        held.filter_map(|held| Some((held.service.clone()?, Rc::clone(&held.seen))))
            .collect()
    });
    for (service, seen) in services {
        hear_broker(&service, &seen);
    }
}

/// Takes the broker's answers that this worker has not seen, and says which credentials AWS has
/// refused. The main thread asks the broker at about the time when a worker would.
fn hear_broker(service: &Service, seen: &Cell<u64>) {
    let config = service.config();
    let Some(brokered) = &config.brokered else { return };
    let (now, host) = (now(), NativeHost::without_metrics());
    for call in brokered.begin_calls(now) {
        if let Some(name) = call.rejected() {
            broker_board::refuse(call.slot.path(), name);
        }
    }
    let newest = broker_board::newest();
    if newest == seen.get() {
        return;
    }
    for slot in &brokered.slots {
        for answer in broker_board::newer(slot.path(), seen.get()) {
            let _logged_by_the_main_thread =
                service.take_answer(slot, answer.status, &answer.body, now, &host);
        }
    }
    seen.set(newest);
}

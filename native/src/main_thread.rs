//! What happens on Envoy's main thread: configurations are accepted, and their timer runs. It asks
//! the credential broker and reports what all workers have taken.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use envoy_bedrock::contract::metrics::{PARALLEL_REQUESTS, RELOAD_SUCCESSFUL, RELOAD_TIME, RESTARTS};
use envoy_bedrock::contract::names::{ROOT_GATEWAY, ROOT_SIGNER};
use envoy_bedrock::stream::service::Service;

use crate::abi::memory;
use crate::abi::{ConfigHandle, MetricsOwner};
use crate::bells;
use crate::broker::{self, PendingCalls};
use crate::config::{FilterConfig, FilterRole, FilterSettings};
use crate::host::{NativeHost, now};
use crate::series::DefinedMetrics;
use crate::worker::{self, CAPACITY, LIMITER};

/// What the main thread keeps for a configuration of the gateway role.
struct MainService {
    config: Weak<FilterConfig>,
    service: Rc<Service>,
    calls: PendingCalls,
}

thread_local! {
    /// By the ids of the configurations.
    static SERVICES: RefCell<BTreeMap<u64, MainService>> = RefCell::default();
    /// Ticks until memory is returned to the system for the last time; 0 if it was.
    static TICKS_TO_TRIM: Cell<u32> = const { Cell::new(0) };
}

/// How long after the end of a configuration its memory is returned: 10 s, and before that once
/// after 1 s.
const TRIM_AFTER_TICKS: u32 = 40;
const TRIM_FIRST_TICKS: u32 = 4;

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// Accepts a configuration: the settings of the role `name`.
pub(crate) fn open(
    handle: ConfigHandle<'_>,
    name: &[u8],
    settings: &[u8],
) -> Result<Arc<FilterConfig>, String> {
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    if name == ROOT_SIGNER.as_bytes() {
        return Ok(Arc::new(FilterConfig::new(id, FilterRole::Signer, None)));
    }
    if name != ROOT_GATEWAY.as_bytes() {
        let found = format!("{:?}", String::from_utf8_lossy(name));
        return Err(format!(
            "filter_name: expected {ROOT_GATEWAY} or {ROOT_SIGNER}, but found {found}"
        ));
    }
    let settings = FilterSettings::parse(settings).ok_or("expected settings and environment_variables")?;
    let active = worker::read(&settings)?;
    let counts_requests = active.parallel_requests.is_some();
    let reload = active.reload.as_ref();
    let (is_reloaded, has_restarts) = (
        reload.is_some(),
        reload.is_some_and(|reload| reload.restarts.is_some()),
    );
    let metrics = DefinedMetrics::define(handle, |metric| match metric {
        RELOAD_SUCCESSFUL | RELOAD_TIME => is_reloaded,
        RESTARTS => has_restarts,
        PARALLEL_REQUESTS => counts_requests,
        _ => true,
    });
    let service = worker::open(active, &NativeHost::new(&metrics, MetricsOwner::Config(handle)));
    metrics.hold_counters(handle);
    if counts_requests {
        CAPACITY.with(|capacity| capacity.report_requests());
    }
    let role = FilterRole::Gateway { settings, metrics };
    let bell = handle.alarm().map(bells::add);
    let config = Arc::new(FilterConfig::new(id, role, bell));
    let main = MainService {
        config: Arc::downgrade(&config),
        service,
        calls: PendingCalls::default(),
    };
    SERVICES.with_borrow_mut(|services| services.insert(id, main));
    forget_gone();
    Ok(config)
}

/// The timer of a configuration has fired.
pub(crate) fn tick(handle: ConfigHandle<'_>, config: &FilterConfig) {
    let FilterRole::Gateway { metrics, .. } = &config.role else {
        return;
    };
    let host = NativeHost::new(metrics, MetricsOwner::Config(handle));
    LIMITER.with(|limiter| limiter.settle_debts(now()));
    CAPACITY.with(|capacity| capacity.tick(now(), &host));
    metrics.report_counters(handle);
    forget_gone();
    trim_memory();
    SERVICES.with_borrow_mut(|services| {
        let Some(MainService { service, calls, .. }) = services.get_mut(&config.id) else {
            return;
        };
        if let Some(brokered) = &service.config().brokered {
            broker::reject_refused(brokered);
        }
        calls.begin(service, handle, &host);
    });
}

/// The answer to a call: its `status`, which is 0 if there was none, and its body.
pub(crate) fn take_answer(
    handle: ConfigHandle<'_>,
    config: &FilterConfig,
    id: u64,
    status: u16,
    body: &[u8],
) {
    let FilterRole::Gateway { metrics, .. } = &config.role else {
        return;
    };
    let host = NativeHost::new(metrics, MetricsOwner::Config(handle));
    SERVICES.with_borrow_mut(|services| {
        if let Some(MainService { service, calls, .. }) = services.get_mut(&config.id) {
            calls.finish(service, id, status, body, &host);
        }
    });
    bells::ring_all();
}

/// Forgets configurations that Envoy has destroyed, perhaps on another thread.
fn forget_gone() {
    let is_gone = SERVICES.with_borrow_mut(|services| {
        let before = services.len();
        services.retain(|_, held| held.config.strong_count() > 0);
        services.len() < before
    });
    if is_gone {
        TICKS_TO_TRIM.set(TRIM_AFTER_TICKS);
    }
}

/// Returns memory to the system some time after a configuration is gone: workers drop what they had
/// of it with their next stream or tick.
fn trim_memory() {
    let ticks = TICKS_TO_TRIM.get();
    TICKS_TO_TRIM.set(ticks.saturating_sub(1));
    if ticks == TRIM_AFTER_TICKS.saturating_sub(TRIM_FIRST_TICKS) || ticks == 1 {
        memory::trim();
    }
}

//! Starting and stopping an emulator.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::config::{
    EmulatorConfig, JOURNAL_VARIABLE, KnownCredential, RegionAddresses, RegionConfig, Strictness,
};
use crate::control::api;
use crate::control::controller::{Controller, ControllerError, RegionPorts};
use crate::control::fault::PortMode;
use crate::control::fault_rule::FaultRule;
use crate::control::faults::Faults;
use crate::control::pace::PaceRules;
use crate::error::EmulatorError;
use crate::http::plain;
use crate::http::port::RegionPort;
use crate::http::tls::{self, TlsIdentity};
use crate::identity::service;
use crate::identity::state::IdentityState;
use crate::judge::keyring::Keyring;
use crate::log::request_log::RequestLog;
use crate::log::summary::RegionSummary;
use crate::random::mix;
use crate::response::prompt_cache::PromptCache;
use crate::shutdown::{Shutdown, ShutdownTrigger};
use crate::state::{EmulatorState, Known, RegionState};

/// A running emulator. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Emulator {
    addresses: BTreeMap<String, RegionAddresses>,
    control: SocketAddr,
    ca_pem: String,
    controller: Controller,
    shutdown: ShutdownTrigger,
}

impl Emulator {
    /// Binds every port of `config` and serves them on the current tokio runtime. All ports are
    /// open when it returns.
    ///
    /// # Errors
    /// If the emulator cannot start. No port stays open then.
    pub async fn start(config: EmulatorConfig) -> Result<Self, EmulatorError> {
        check_regions(&config.regions)?;
        let TlsIdentity { acceptor, ca_pem } = tls::identity(&config.tls, &config.regions)?;
        let journal = config.journal.clone().or_else(|| {
            let path = std::env::var_os(JOURNAL_VARIABLE)?;
            (!path.is_empty()).then(|| PathBuf::from(path))
        });
        let log = RequestLog::open(config.log_limit, journal.as_deref()).map_err(|source| {
            EmulatorError::Journal {
                path: journal.unwrap_or_default(),
                source,
            }
        })?;
        let emulator = Arc::new(initial_state(&config, Arc::new(log)));
        let (trigger, shutdown) = ShutdownTrigger::new();

        let control_address = SocketAddr::new(config.bind, config.control_port);
        let (control_listener, control) = bind(control_address, "the control API".to_owned()).await?;
        let identity = match config.identity_port {
            None => None,
            Some(port) => {
                let address = SocketAddr::new(config.bind, port);
                Some(bind(address, "the identity service".to_owned()).await?)
            }
        };
        let mut binder = PortBinder {
            config: &config,
            acceptor,
            shutdown: shutdown.clone(),
            bound: Vec::new(),
        };
        let mut regions = Vec::new();
        for region in &config.regions {
            regions.push(binder.bind_region(region, emulator.clone()).await?);
        }
        for (port, listener) in binder.bound {
            tokio::spawn(port.serve(listener));
        }
        let controller = Controller {
            emulator: emulator.clone(),
            regions,
            identity: identity.as_ref().map(|(_, address)| *address),
        };
        if let Some((listener, _)) = identity {
            let respond = move |request| {
                let emulator = emulator.clone();
                async move { service::handle(&emulator, request).await }
            };
            tokio::spawn(plain::serve(listener, shutdown.clone(), respond));
        }
        tokio::spawn(api::serve(controller.clone(), control_listener, shutdown));
        let addresses = controller
            .regions
            .iter()
            .map(|ports| (ports.region.name.clone(), ports.addresses))
            .collect();
        Ok(Self {
            addresses,
            control,
            ca_pem,
            controller,
            shutdown: trigger,
        })
    }

    /// Where each region listens.
    pub fn addresses(&self) -> &BTreeMap<String, RegionAddresses> {
        &self.addresses
    }

    /// Where the control API listens.
    pub fn control(&self) -> SocketAddr {
        self.control
    }

    /// Where the identity service listens; `None` if the configuration gives it no port.
    pub fn identity(&self) -> Option<SocketAddr> {
        self.controller.identity
    }

    /// The certificate that clients of the TLS ports must trust, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The log of all regions.
    pub fn log(&self) -> &RequestLog {
        &self.controller.emulator.log
    }

    /// Adds a fault, and returns its id once it is in force.
    ///
    /// # Errors
    /// If the fault names an unknown region.
    pub async fn add_fault(&self, rule: FaultRule) -> Result<u64, ControllerError> {
        self.controller.add_fault(rule).await
    }

    /// Clears every fault, and returns once closed ports are open again.
    pub async fn clear_faults(&self) {
        self.controller.clear_faults(None, None).await;
    }

    /// Adds credentials, API keys, and model ids that exist from now on. Of two credentials with
    /// one access key id, the newer one counts.
    pub fn add_known(&self, credentials: Vec<KnownCredential>, api_keys: Vec<String>, models: Vec<String>) {
        let keyring = Keyring::of(credentials, api_keys);
        self.controller.emulator.add(Known { keyring, models });
    }

    /// Counts by region.
    pub fn summary(&self) -> BTreeMap<String, RegionSummary> {
        self.log().summary()
    }

    fn begin_shutdown(&self) {
        self.controller.emulator.stopping.store(true, Ordering::Relaxed);
        self.shutdown.request();
    }

    /// Closes every port and connection, and returns once all tasks have ended.
    pub async fn shutdown(mut self) {
        self.begin_shutdown();
        self.shutdown.done().await;
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.begin_shutdown();
    }
}

fn check_regions(regions: &[RegionConfig]) -> Result<(), EmulatorError> {
    let names: BTreeSet<&str> = regions.iter().map(|region| region.name.as_str()).collect();
    if names.is_empty() || names.len() != regions.len() || names.contains("") {
        let names = regions.iter().map(|region| region.name.clone()).collect();
        return Err(EmulatorError::Regions(names));
    }
    Ok(())
}

fn initial_state(config: &EmulatorConfig, log: Arc<RequestLog>) -> EmulatorState {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = now.as_secs() << 20 ^ u64::from(now.subsec_nanos()) ^ u64::from(std::process::id()) << 44;
    EmulatorState {
        known: RwLock::new(Known {
            keyring: Keyring::of(config.credentials.clone(), config.api_keys.clone()),
            models: config.models.clone(),
        }),
        base_path: config.base_path.clone(),
        is_strict: AtomicBool::new(config.strictness == Strictness::Refuse),
        faults: Faults::default(),
        paces: PaceRules::default(),
        log,
        identity: IdentityState::default(),
        prompt_cache: PromptCache::default(),
        stopping: Arc::new(AtomicBool::new(false)),
        connections: AtomicU64::new(0),
        seed: mix(seed),
    }
}

/// Binds ports, which are served once all of them are bound.
struct PortBinder<'a> {
    config: &'a EmulatorConfig,
    acceptor: TlsAcceptor,
    shutdown: Shutdown,
    bound: Vec<(RegionPort, TcpListener)>,
}

impl PortBinder<'_> {
    async fn bind_region(
        &mut self,
        config: &RegionConfig,
        emulator: Arc<EmulatorState>,
    ) -> Result<RegionPorts, EmulatorError> {
        let region = Arc::new(RegionState {
            name: config.name.clone(),
            emulator,
            port_mode: watch::channel(PortMode::Open).0,
        });
        let mut ports = RegionPorts {
            region,
            addresses: RegionAddresses::default(),
            reached: Vec::new(),
        };
        if let Some(port) = config.plain_port {
            ports.addresses.http = Some(self.bind_port(&mut ports, port, None).await?);
        }
        if let Some(port) = config.tls_port {
            let acceptor = Some(self.acceptor.clone());
            ports.addresses.https = Some(self.bind_port(&mut ports, port, acceptor).await?);
        }
        Ok(ports)
    }

    async fn bind_port(
        &mut self,
        ports: &mut RegionPorts,
        port: u16,
        tls: Option<TlsAcceptor>,
    ) -> Result<SocketAddr, EmulatorError> {
        let protocol = if tls.is_some() { "https" } else { "http" };
        let purpose = format!("{protocol} of {}", ports.region.name);
        let (listener, address) = bind(SocketAddr::new(self.config.bind, port), purpose).await?;
        let (sender, receiver) = watch::channel(PortMode::Open);
        ports.reached.push(receiver);
        let port = RegionPort {
            region: ports.region.clone(),
            address,
            tls,
            reached: sender,
            shutdown: self.shutdown.clone(),
        };
        self.bound.push((port, listener));
        Ok(address)
    }
}

async fn bind(address: SocketAddr, purpose: String) -> Result<(TcpListener, SocketAddr), EmulatorError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|source| EmulatorError::Bind {
        purpose,
        address,
        source,
    })
}

//! Starting and stopping an emulator.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::config::{EmulatorConfig, EmulatorError, JOURNAL_VARIABLE, RegionAddresses, Strictness};
use crate::control::api::{self, Controller};
use crate::control::fault::{FaultRequest, Faults, PortMode};
use crate::control::pace::PaceRules;
use crate::http::port::RegionPort;
use crate::http::tls;
use crate::judge::verify::Keyring;
use crate::log::request_log::{RegionSummary, RequestLog};
use crate::random::mix;
use crate::shutdown::Shutdown;
use crate::state::{EmulatorState, RegionState};

/// A running emulator. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Emulator {
    addresses: BTreeMap<String, RegionAddresses>,
    control: SocketAddr,
    ca_pem: String,
    board: Controller,
    stop: watch::Sender<bool>,
    ended: mpsc::Receiver<()>,
}

impl Emulator {
    /// Binds every port of `config` and serves them on the current tokio runtime. When it returns, all are open.
    ///
    /// # Errors
    /// A port that is taken is named; nothing stays open then.
    pub async fn start(config: EmulatorConfig) -> Result<Self, EmulatorError> {
        let names: BTreeSet<&str> = config.regions.iter().map(|region| region.name.as_str()).collect();
        if names.is_empty() || names.len() != config.regions.len() || names.contains("") {
            let found: Vec<&str> = config.regions.iter().map(|region| region.name.as_str()).collect();
            return Err(EmulatorError::Regions(format!("{found:?}")));
        }
        let identity = tls::identity(&config.tls, &names.into_iter().collect::<Vec<_>>())?;
        let shared_journal = || {
            std::env::var_os(JOURNAL_VARIABLE)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        };
        let journal = config.journal.clone().or_else(shared_journal);
        let log = Arc::new(RequestLog::open(config.log_limit, journal)?);
        let shared = Arc::new(shared(&config, log));
        let (stop, stopped) = watch::channel(false);
        let (alive, ended) = mpsc::channel(1);
        let life = Shutdown {
            stop: stopped,
            _alive: alive,
        };

        let (control_listener, control) =
            bind(SocketAddr::new(config.bind, config.control_port), "control").await?;
        let mut addresses = BTreeMap::new();
        let mut board = Controller {
            shared: shared.clone(),
            regions: Vec::new(),
        };
        let mut ports = Vec::new();
        for wanted in config.regions {
            let region = Arc::new(RegionState {
                name: wanted.name.clone(),
                shared: shared.clone(),
                door: watch::channel(PortMode::Open).0,
            });
            let mut found = RegionAddresses {
                http: None,
                https: None,
            };
            let mut reached = Vec::new();
            for (port, tls) in [
                (wanted.plain_port, None),
                (wanted.tls_port, Some(identity.acceptor.clone())),
            ] {
                let Some(port) = port else { continue };
                let protocol = if tls.is_some() { "https" } else { "http" };
                let what = format!("{protocol} of {}", wanted.name);
                let (listener, address) = bind(SocketAddr::new(config.bind, port), &what).await?;
                let slot = if tls.is_some() {
                    &mut found.https
                } else {
                    &mut found.http
                };
                *slot = Some(address);
                let (sender, receiver) = watch::channel(PortMode::Open);
                reached.push(receiver);
                let region = region.clone();
                ports.push((
                    RegionPort {
                        region,
                        address,
                        tls,
                        reached: sender,
                        life: life.clone(),
                    },
                    listener,
                ));
            }
            addresses.insert(wanted.name, found);
            board.regions.push(api::RegionPorts {
                region,
                addresses: found,
                reached,
            });
        }
        for (port, listener) in ports {
            tokio::spawn(port.serve(listener));
        }
        tokio::spawn(api::serve(board.clone(), control_listener, life));
        Ok(Self {
            addresses,
            control,
            ca_pem: identity.ca_pem,
            board,
            stop,
            ended,
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

    /// What clients of the TLS ports have to trust, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The log of all regions.
    pub fn log(&self) -> &RequestLog {
        &self.board.shared.log
    }

    /// Sets a fault, and returns its id when it is in force; an error says what is wrong with it.
    pub async fn add_fault(&self, fault: FaultRequest) -> Result<u64, String> {
        self.board.add_fault(fault).await
    }

    /// Clears every fault, and returns when closed ports are open again.
    pub async fn clear_faults(&self) {
        self.board.clear_faults(None, None).await;
    }

    /// The paces in force.
    pub fn paces(&self) -> &PaceRules {
        &self.board.shared.paces
    }

    /// Counts by region.
    pub fn summary(&self) -> BTreeMap<String, RegionSummary> {
        self.log().summary()
    }

    fn begin_shutdown(&self) {
        self.board.shared.stopping.store(true, Ordering::Relaxed);
        self.stop.send_replace(true);
    }

    /// Closes every port and connection; returns when all tasks have ended.
    pub async fn shutdown(mut self) {
        self.begin_shutdown();
        let _ = self.ended.recv().await;
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.begin_shutdown();
    }
}

fn shared(config: &EmulatorConfig, log: Arc<RequestLog>) -> EmulatorState {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = now.as_secs() << 20 ^ u64::from(now.subsec_nanos()) ^ u64::from(std::process::id()) << 44;
    EmulatorState {
        keyring: Keyring {
            credentials: config.credentials.clone(),
            api_keys: config.api_keys.clone(),
        },
        models: config.models.clone(),
        base_path: config.base_path.clone(),
        is_strict: AtomicBool::new(config.strictness == Strictness::Refuse),
        faults: Faults::default(),
        paces: PaceRules::default(),
        log,
        stopping: Arc::new(AtomicBool::new(false)),
        connections: AtomicU64::new(0),
        seed: mix(seed),
    }
}

async fn bind(address: SocketAddr, what: &str) -> Result<(TcpListener, SocketAddr), EmulatorError> {
    let wrong = |source| EmulatorError::Bind {
        what: what.to_owned(),
        address,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    let bound = listener.local_addr().map_err(wrong)?;
    Ok((listener, bound))
}

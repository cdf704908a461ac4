//! What every start of Envoy needs: its configuration, and how to run it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use envoy_bedrock::sealing::{SEALING_KEY, SealingKey};
use tokio::process::Command;

use super::admin_forwarder::AdminForwarder;
use super::backend::Backend;
use super::envoy_directory::EnvoyDirectory;
use super::error::RunError;
use super::options::RunArguments;
use super::prepare::{self, Prepared};
use super::run_broker::RunBroker;
use super::source::{RunSource, SharedDemo};
use super::tls_pair::TlsPair;
use crate::log;
use crate::reload::{ControlSocket, Engine, OpeningBalances, Publisher, ReloadHandle, ReloadTask};
use crate::render::{AccessLog, BOOTSTRAP_FILE};
use crate::sealing;
use crate::state::{ADMIN_URL_FILE, write_private};

/// The comment of the rendered file.
const HEADER: &str = "Rendered by `envoy-bedrock run`. Do not edit: it replaces this file.";

/// The variables that Envoy gets from the environment of this process, if they are set.
const ENVIRONMENT: [&str; 8] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "TZ",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "RES_OPTIONS",
];

/// How often Envoy writes the spend log. A crash loses the rows of this time.
const FLUSH_MILLISECONDS: &str = "1000";

/// Where the gateway listens, whichever Envoy serves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) admin: SocketAddr,
    pub(super) plain: SocketAddr,
    pub(super) tls: SocketAddr,
}

/// What every start of Envoy needs.
pub(super) struct Launch<'a> {
    pub(super) arguments: &'a RunArguments,
    pub(super) prepared: Prepared,
    /// The emulators, which outlive Envoy.
    pub(super) demo: Option<SharedDemo>,
    /// The admin interface of the Envoy that serves.
    pub(super) admin: AdminForwarder,
    /// Gets the credentials of the configuration, if requests go to AWS.
    pub(super) broker: Option<RunBroker>,
    /// Keeps the configuration up to date.
    pub(super) reload: ReloadHandle,
    directory: EnvoyDirectory,
    /// Envoy's variable for the secrets of the configuration.
    sealing_key: String,
    /// How often an Envoy was started.
    starts: Cell<u32>,
    _admin_url: AdminUrlFile,
}

impl<'a> Launch<'a> {
    /// Starts the emulator if there is no AWS, writes the configuration, and begins to watch it.
    pub(super) async fn prepare(arguments: &'a RunArguments, prepared: Prepared) -> Result<Self, RunError> {
        let demo = match prepared.backend {
            Backend::Aws => None,
            Backend::Emulator(_) => Some(SharedDemo::default()),
        };
        // The secrets of AWS pairs were sealed with the key of the environment, if there are any.
        let sealing_key = match prepared.environment.value(SEALING_KEY) {
            Some(digits) => digits.to_owned(),
            None => sealing::new_key().map_err(|error| RunError::System("make a key", error))?,
        };
        let key = SealingKey::parse(&sealing_key).ok_or(RunError::BadSealingKey)?;
        let directory = EnvoyDirectory::create(&prepared.state)?;
        let filter = prepare::text(&directory.keep_filter(&prepared.filter, arguments.filter.runtime)?)?;
        let broker = match prepared.backend {
            Backend::Aws => Some(RunBroker::start(directory.path(), &prepared.environment)?),
            Backend::Emulator(_) => None,
        };
        let tls = TlsPair::new(&prepared.tls, &prepared.envoy, directory.path());
        let mut source = RunSource::new(
            arguments,
            &prepared,
            filter,
            demo.clone(),
            key,
            broker.clone(),
            tls,
        )?;
        let rendering = source.rendering(prepared.blueprint.clone()).await?;
        let publisher = Publisher::new(directory.path(), 0o600);
        let name = prepare::text(directory.path())?;
        let opening = match &prepared.spend_log {
            AccessLog::File(log) => {
                let environment = prepared.environment.clone();
                let settings = &rendering.blueprint.settings;
                Some(OpeningBalances::new(log.into(), environment, settings))
            }
            AccessLog::Stdout => None,
        };
        let engine = Engine::start(source, rendering, publisher, name, HEADER, Some(0), opening)?;
        let (task, reload) = ReloadTask::new(engine, Vec::new());
        tokio::spawn(task.run());
        serve_commands(arguments, &prepared, reload.clone());
        let admin = prepared.admin.try_clone().and_then(AdminForwarder::start);
        let admin = admin.map_err(|error| RunError::System("listen for the admin interface", error))?;
        let url = format!("http://{}\n", admin.address());
        let admin_url = AdminUrlFile(prepared.state.path(ADMIN_URL_FILE));
        write_private(&admin_url.0, &url)?;
        Ok(Self {
            arguments,
            prepared,
            demo,
            admin,
            broker,
            reload,
            directory,
            sealing_key,
            starts: Cell::new(0),
            _admin_url: admin_url,
        })
    }

    /// Where the spend log is, for messages.
    pub(super) fn spend_log(&self) -> String {
        match &self.prepared.spend_log {
            AccessLog::File(path) => path.clone(),
            AccessLog::Stdout => "on standard output".to_owned(),
        }
    }

    /// Where the gateway listens.
    pub(super) fn addresses(&self) -> Addresses {
        let ports = &self.prepared.ports;
        Addresses {
            admin: self.admin.address(),
            plain: ports.plain.address(),
            tls: ports.tls.address(),
        }
    }

    /// A file for the address of the admin interface of the next Envoy.
    pub(super) fn next_admin_address(&self) -> PathBuf {
        let start = self.starts.get().wrapping_add(1);
        self.starts.set(start);
        let name = format!("admin-address.{}.{start}", std::process::id());
        self.prepared.state.path(&name)
    }

    /// The file that Envoy is started with.
    pub(super) fn configuration(&self) -> PathBuf {
        self.directory.path().join(BOOTSTRAP_FILE)
    }

    /// The command that runs Envoy with `configuration` and writes the address of its admin
    /// interface to a file.
    pub(super) fn command(&self, configuration: &Path, admin_address: &Path) -> std::io::Result<Command> {
        let prepared = &self.prepared;
        let mut command = Command::new(own_program()?);
        command
            .args(["envoy-child", "--parent", &std::process::id().to_string(), "--"])
            .arg(&prepared.envoy);
        command
            .arg("--config-path")
            .arg(configuration)
            .arg("--admin-address-path")
            .arg(admin_address);
        command.args(["--log-level", self.arguments.log_level.name()]);
        command.args(log::ENVOY_ARGUMENTS);
        command.args(["--file-flush-interval-msec", FLUSH_MILLISECONDS]);
        // Otherwise two gateways on one machine would share memory for hot restarts.
        command.arg("--disable-hot-restart");
        if let Some(concurrency) = self.arguments.concurrency {
            command.args(["--concurrency", &concurrency.to_string()]);
        }
        // The configuration contains its secrets, sealed, so Envoy needs only the key. Everything
        // else stays out of its environment: the credentials of this process, and secrets of later
        // configurations.
        command.env_clear();
        command.envs(
            ENVIRONMENT
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        );
        command.env(SEALING_KEY, &self.sealing_key);
        let headers = prepared.collector.iter().flat_map(|collector| &collector.headers);
        command.envs(headers.map(|header| (&header.variable.0, header.value.expose())));
        // In its own process group, so that Ctrl-C reaches only this process, which then ends Envoy
        // in order.
        command
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        Ok(command)
    }
}

/// The file in which `envoy-bedrock status` finds the admin interface. It goes with the gateway.
struct AdminUrlFile(PathBuf);

impl Drop for AdminUrlFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Serves the local socket for commands. Without it, the gateway works all the same.
fn serve_commands(arguments: &RunArguments, prepared: &Prepared, reload: ReloadHandle) {
    let default = || prepared.state.path("control.sock");
    let path = arguments.control.clone().unwrap_or_else(default);
    match ControlSocket::bind(&path) {
        Ok(socket) => drop(tokio::spawn(socket.serve(reload))),
        Err(error) => tracing::warn!("POST /reload is not available at {}: {error}", path.display()),
    }
}

/// This program, even if its file was replaced since it started, as by an upgrade.
fn own_program() -> std::io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe()
}

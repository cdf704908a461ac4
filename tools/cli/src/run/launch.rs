//! What every start of Envoy needs: its configuration, and how to run it.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::admin::Admin;
use super::backend::Backend;
use super::demo::Demo;
use super::error::RunError;
use super::log;
use super::options::RunArguments;
use super::prepare::{self, Prepared};
use crate::render::{self, Listeners, RenderOptions, Tls};

/// The addresses of a running Envoy.
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
    /// The emulator, which outlives Envoy.
    pub(super) demo: Option<Demo>,
    /// The addresses of the first Envoy, which later ones get too: clients know them, even if the
    /// kernel chose the ports.
    pub(super) addresses: Option<Addresses>,
}

impl<'a> Launch<'a> {
    /// Starts the emulator if there is no AWS.
    pub(super) async fn prepare(arguments: &'a RunArguments, prepared: Prepared) -> Result<Self, RunError> {
        let demo = match prepared.backend {
            Backend::Aws => None,
            Backend::Emulator(_) => Some(Demo::start(&prepared.blueprint, &prepared.environment).await?),
        };
        Ok(Self {
            arguments,
            prepared,
            demo,
            addresses: None,
        })
    }

    /// Remembers the addresses of the first Envoy.
    pub(super) async fn learn_addresses(&mut self, admin: Admin) -> Result<Addresses, RunError> {
        let (plain, tls) = (admin.listener("plain").await, admin.listener("tls").await);
        let (Some(plain), Some(tls)) = (plain, tls) else {
            return Err(RunError::NoListeners);
        };
        let admin = admin.address();
        Ok(*self.addresses.insert(Addresses { admin, plain, tls }))
    }

    /// Renders the configuration into the state directory. Returns its path.
    pub(super) fn configure(&self) -> Result<PathBuf, RunError> {
        let prepared = &self.prepared;
        let (upstream_ca, emulators) = match &self.demo {
            Some(demo) => {
                let path = prepared.state.write("emulator-ca.pem", &demo.ca_pem())?;
                (prepare::text(&path)?, demo.addresses.clone())
            }
            None => (
                prepare::upstream_ca(self.arguments, &prepared.environment)?,
                Default::default(),
            ),
        };
        let port = |known: fn(&Addresses) -> SocketAddr, asked: u16| {
            self.addresses
                .as_ref()
                .map_or(asked, |addresses| known(addresses).port())
        };
        let bind: IpAddr = self.arguments.bind;
        let options = RenderOptions {
            filter: prepared.filter.clone(),
            listeners: Listeners {
                bind,
                port: port(|addresses| addresses.plain, self.arguments.port),
                tls: Some(Tls {
                    port: port(|addresses| addresses.tls, prepared.tls.port),
                    ..prepared.tls.clone()
                }),
            },
            admin_port: port(|addresses| addresses.admin, self.arguments.admin_port),
            metrics_port: None,
            upstream_ca,
            access_log: prepared.spend_log.clone(),
            collector: prepared.collector.clone(),
            emulators,
        };
        let header = "Rendered by `envoy-bedrock run`. Do not edit: every start replaces this file.";
        let text = render::render(&prepared.blueprint, &options, header);
        Ok(prepared.state.write("envoy.yaml", &text)?)
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
        // Otherwise two gateways on one machine would share memory for hot restarts.
        command.arg("--disable-hot-restart");
        if let Some(concurrency) = self.arguments.concurrency {
            command.args(["--concurrency", &concurrency.to_string()]);
        }
        let secrets = prepared.blueprint.secrets.iter();
        command.envs(secrets.map(|(name, secret)| (&name.0, secret.expose())));
        command.envs(self.demo.iter().flat_map(|demo| &demo.variables));
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

/// This program, even if its file was replaced since it started, as by an upgrade.
fn own_program() -> std::io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe()
}

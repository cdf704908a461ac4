//! `envoy-bedrock credentials`: the credential broker as a separate process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use envoy_bedrock::secret::Secret;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::fetch::Fetcher;
use super::holder::Broker;
use super::server::BrokerServer;
use crate::blueprint::Blueprint;
use crate::credentials::{DEFAULT_SOCKET, TOKEN_VARIABLE};
use crate::environment::{Environment, SecretPolicy};
use crate::litellm::{self, Tolerance};
use crate::log::{self, LogOptions};
use crate::prices::PriceList;
use crate::reload::FileWatcher;

/// Get and renew the AWS credentials that the gateway's deployments need, next to an Envoy that you
/// run yourself. `run` does this by itself.
///
/// Roles, profiles, web identities and the credentials of containers and instances are obtained
/// with AWS's SDK and renewed before they expire. The filter asks for them through a Unix socket
/// that only this user can connect to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock credentials config.yaml
  envoy-bedrock credentials config.yaml --socket /run/gateway/credentials.sock
  curl --unix-socket /run/envoy-bedrock/credentials.sock http://localhost/health

Envoy must run as the same user, with a configuration that was rendered from the same file, and see the
socket under the path that `render --credentials` names. GET /credentials/ID responds like the
credentials endpoints of ECS and EKS.

A changed configuration is used at once. SIGHUP reads it again. SIGTERM and Ctrl-C end the command;
Envoy keeps the credentials that it has.

Exit codes: 0 ended by a signal, 1 the first configuration cannot be used or the socket cannot be
opened, 2 wrong usage.")]
pub struct CredentialsArguments {
    /// The configuration.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// The Unix socket.
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    socket: PathBuf,
    /// Listen on a port of the loopback address instead. Clients must present the value of
    /// ENVOY_BEDROCK_CREDENTIALS_TOKEN in the header authorization.
    #[arg(long, value_name = "127.0.0.1:PORT", value_parser = loopback, conflicts_with = "socket")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    tolerance: Tolerance,
    #[command(flatten)]
    log: LogOptions,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = text
        .parse::<SocketAddr>()
        .ok()
        .filter(|address| address.ip().is_loopback());
    address.ok_or_else(|| {
        format!("expected a port of the loopback address, such as 127.0.0.1:9100, but found '{text}'")
    })
}

/// Runs the command until a signal ends it. Its help documents the exit codes.
pub fn run(arguments: &CredentialsArguments, environment: &Environment) -> ExitCode {
    log::install("credentials", arguments.log.format);
    match serve(arguments, environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(errors) => {
            for error in errors {
                tracing::error!("{error}");
            }
            ExitCode::from(1)
        }
    }
}

fn serve(arguments: &CredentialsArguments, environment: &Environment) -> Result<(), Vec<String>> {
    let blueprint = read(arguments, environment)?;
    let failed = |error: std::io::Error| vec![error.to_string()];
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        // Signals may arrive as soon as the socket exists.
        let signals = BrokerSignals::receive().map_err(failed)?;
        let server = listen(arguments, environment).await?;
        if blueprint.brokered.is_empty() {
            tracing::info!("no deployment of {} needs the broker", arguments.config.display());
        }
        let broker = Broker::new();
        broker.set(
            &blueprint.brokered,
            &Fetcher::new(environment, &blueprint.secrets),
        );
        tokio::spawn(server.serve(broker.clone()));
        keep_up_to_date(arguments, environment, &broker, signals).await;
        Ok(())
    })
}

/// The signals that the command understands.
struct BrokerSignals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl BrokerSignals {
    fn receive() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

async fn listen(
    arguments: &CredentialsArguments,
    environment: &Environment,
) -> Result<BrokerServer, Vec<String>> {
    let Some(address) = arguments.listen else {
        let path = &arguments.socket;
        let server = BrokerServer::on_socket(path);
        let server = server.map_err(|error| vec![format!("cannot listen at {}: {error}", path.display())])?;
        tracing::info!("listening at {}", path.display());
        return Ok(server);
    };
    let Some(token) = environment.value(TOKEN_VARIABLE) else {
        return Err(vec![format!(
            "--listen needs an authorization token: set {TOKEN_VARIABLE}, also for Envoy (`openssl rand -hex 32`)"
        )]);
    };
    let server = BrokerServer::on_port(address, Secret::new(token)).await;
    let server = server.map_err(|error| vec![format!("cannot listen on {address}: {error}")])?;
    tracing::info!("listening on {address}");
    Ok(server)
}

/// Reads the configuration. Secrets that are not set, such as the proxy key, do not matter here.
fn read(arguments: &CredentialsArguments, environment: &Environment) -> Result<Blueprint, Vec<String>> {
    let policy = SecretPolicy::MayComeLater;
    let prices = PriceList::built_in();
    litellm::read_or_explain(
        &arguments.config,
        environment,
        policy,
        prices,
        &arguments.tolerance,
    )
}

/// Follows the configuration until a signal ends the command.
async fn keep_up_to_date(
    arguments: &CredentialsArguments,
    environment: &Environment,
    broker: &Broker,
    mut signals: BrokerSignals,
) {
    let mut watcher = FileWatcher::start(litellm::files(&arguments.config));
    loop {
        tokio::select! {
            () = watcher.changed() => {}
            _ = signals.hangup.recv() => {}
            _ = signals.terminate.recv() => return,
            _ = signals.interrupt.recv() => return,
        }
        watcher.mark();
        watcher.watch(litellm::files(&arguments.config));
        match read(arguments, environment) {
            Ok(blueprint) => {
                broker.set(
                    &blueprint.brokered,
                    &Fetcher::new(environment, &blueprint.secrets),
                );
                tracing::info!("the configuration was read again");
            }
            Err(errors) => {
                for error in errors {
                    tracing::error!(
                        "the configuration cannot be used, and the previous one stays in use: {error}"
                    );
                }
            }
        }
    }
}

//! `envoy-bedrock watch`: keeps the files of `render --dynamic` up to date, next to an Envoy that
//! somebody else runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use envoy_bedrock::sealing::SealingKey;
use tokio::signal::unix::{SignalKind, signal};

use crate::admin::Admin;
use crate::environment::Environment;
use crate::litellm;
use crate::log::{self, LogOptions};
use crate::reload::{
    ConfigSource, ControlSocket, Engine, Publisher, ReloadError, ReloadHandle, ReloadOutcome, ReloadTask,
};
use crate::render::{
    DYNAMIC_FILE_MODE, DynamicConfig, RenderError, RenderSettings, Rendering, directory_name,
    refuse_other_secrets, sealing_key,
};

/// Keep a directory of `render --dynamic` up to date while Envoy runs.
///
/// Writes the files, then watches the configuration, the files that it includes and the price list.
/// A change is in use within two seconds. A configuration with errors changes nothing: they are
/// logged, counted and shown by GET /health/readiness.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock watch config.yaml --dynamic /etc/envoy-bedrock
  envoy -c /etc/envoy-bedrock/envoy.yaml

Run it next to Envoy, as a sidecar in Kubernetes, with a volume that both see under the same path.
If it can reach Envoy's admin interface at 127.0.0.1, it makes sure that each step of a change is in
use before the next.

The environment of Envoy is fixed when it starts. So that secrets can change too, set the variable
ENVOY_BEDROCK_SEALING_KEY to the same 64 hexadecimal digits (`openssl rand -hex 32`) for both: the
files then contain the secrets, sealed with this key. Without it, a configuration that needs other
variables is refused until Envoy and this command are restarted. A start of this command with another
key or other variables is refused as long as Envoy runs with the old ones and its admin interface can
be reached.

SIGHUP reads the files again, SIGTERM and Ctrl-C end the command; Envoy keeps what it has.

Exit codes: 0 ended by a signal, 1 the first configuration cannot be used, 2 wrong usage.")]
pub struct WatchArguments {
    #[command(flatten)]
    settings: RenderSettings,
    /// Directory of the files. Envoy must see it under the same path.
    #[arg(long, value_name = "DIRECTORY")]
    dynamic: PathBuf,
    /// Unix domain socket for commands: `curl --unix-socket PATH -X POST http://localhost/reload`
    /// reads the files again and responds with the result.
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    #[command(flatten)]
    log: LogOptions,
}

/// The configuration of `watch`.
struct WatchSource {
    settings: RenderSettings,
    environment: Environment,
    sealing: Option<SealingKey>,
}

impl ConfigSource for WatchSource {
    fn files(&self) -> Vec<PathBuf> {
        let mut files = litellm::files(&self.settings.config);
        files.extend(self.settings.prices.clone());
        files
    }

    async fn read(&mut self) -> Result<Rendering, ReloadError> {
        let rendering = self.settings.read(&self.environment, self.sealing.as_ref());
        rendering.map_err(|error| ReloadError::Configuration(error.messages()))
    }
}

/// Runs the command until a signal ends it. Its help documents the exit codes.
pub fn run(arguments: &WatchArguments, environment: &Environment) -> ExitCode {
    log::install("watch", arguments.log.format);
    let errors = match prepare(arguments, environment) {
        Ok(engine) => match serve(arguments, engine) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => vec![error.to_string()],
        },
        Err(error) => error.messages(),
    };
    for error in errors {
        tracing::error!("{error}");
    }
    ExitCode::from(1)
}

/// Writes the first configuration.
fn prepare(
    arguments: &WatchArguments,
    environment: &Environment,
) -> Result<Engine<WatchSource>, RenderError> {
    let source = WatchSource {
        settings: arguments.settings.clone(),
        environment: environment.clone(),
        sealing: sealing_key(environment)?,
    };
    let rendering = source.settings.read(environment, source.sealing.as_ref())?;
    for note in RenderSettings::notes(&rendering) {
        tracing::warn!("{note}");
    }
    let directory = directory_name(&arguments.dynamic)?;
    let config = DynamicConfig::of(&rendering.blueprint, &rendering.options, &directory);
    let (sealing, admin_port) = (source.sealing.as_ref(), source.settings.admin_port);
    refuse_other_secrets(&arguments.dynamic, &config, sealing, admin_port)?;
    let publisher = Publisher::new(&arguments.dynamic, DYNAMIC_FILE_MODE);
    let header = arguments.settings.header("watch");
    Engine::start(source, rendering, publisher, directory, &header, None, None)
        .map_err(|error| RenderError::Configuration(vec![error.to_string()]))
}

fn serve(arguments: &WatchArguments, engine: Engine<WatchSource>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.settings.admin_port));
        let (task, reload) = ReloadTask::new(engine, vec![Admin::at(admin)]);
        if let Some(path) = &arguments.control {
            tokio::spawn(ControlSocket::bind(path)?.serve(reload.clone()));
        }
        tokio::spawn(task.run());
        tracing::info!("watching {}", arguments.settings.config.display());
        until_stopped(&reload).await
    })
}

/// Reloads on SIGHUP. Returns when another signal arrives.
async fn until_stopped(reload: &ReloadHandle) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = hangup.recv() => {
                let _logged: Option<ReloadOutcome> = reload.reload().await;
            }
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

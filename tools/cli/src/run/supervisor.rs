//! Envoy as a child process: started, watched, and always ended.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

use super::admin;
use super::backend::Backend;
use super::banner::Banner;
use super::demo::Demo;
use super::error::RunError;
use super::log::{self, Started};
use super::options::RunArguments;
use super::prepare::{self, Prepared};
use crate::render::{self, Listeners, RenderOptions};

/// Time limit for Envoy's start, including name resolution.
const START_MAX: Duration = Duration::from_secs(90);
/// Time limit for Envoy to end after SIGTERM.
const STOP_MAX: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// The process that becomes Envoy.
///
/// It asks the kernel to be killed together with its parent and then executes Envoy. A process of
/// its own avoids code between fork and exec.
#[derive(Debug, clap::Args)]
pub struct EnvoyChild {
    /// Id of the parent process.
    #[arg(long)]
    parent: i32,
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, required = true)]
    command: Vec<OsString>,
}

impl EnvoyChild {
    /// Executes the program. Returns only if that fails.
    pub fn run(&self) -> ExitCode {
        use std::os::unix::process::CommandExt;
        #[cfg(target_os = "linux")]
        {
            let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
            // The parent may have ended before the kernel knew.
            if rustix::process::getppid().map(|parent| parent.as_raw_nonzero().get()) != Some(self.parent) {
                return ExitCode::from(1);
            }
        }
        let Some((program, arguments)) = self.command.split_first() else {
            return ExitCode::from(2);
        };
        let error = std::process::Command::new(program).args(arguments).exec();
        // In the format of Envoy's log, which the parent reads.
        eprintln!("[critical] [exec] {}: {error}", program.display());
        ExitCode::from(1)
    }
}

/// Serves until a signal arrives or Envoy ends.
pub(super) async fn serve(arguments: &RunArguments, prepared: Prepared) -> Result<ExitCode, RunError> {
    let mut stop = StopSignals::new().map_err(|error| RunError::System("install signal handlers", error))?;
    let demo = match prepared.backend {
        Backend::Aws => None,
        Backend::Emulator(_) => Some(Demo::start(&prepared.blueprint, &prepared.environment).await?),
    };
    let configuration = configuration(arguments, &prepared, demo.as_ref())?;
    let mut envoy = EnvoyProcess::start(arguments, &prepared, demo.as_ref(), &configuration)?;
    let outcome = watch(&mut envoy, &prepared, demo.as_ref(), &mut stop).await;
    envoy.stop(&mut stop).await;
    if let Some(demo) = demo {
        // Connections of the emulator's other clients may still be open.
        let _ = timeout(STOP_MAX, demo.shutdown()).await;
    }
    outcome
}

async fn watch(
    envoy: &mut EnvoyProcess,
    prepared: &Prepared,
    demo: Option<&Demo>,
    stop: &mut StopSignals,
) -> Result<ExitCode, RunError> {
    let admin = tokio::select! {
        ready = envoy.ready() => ready?,
        () = stop.asked() => return Ok(ExitCode::SUCCESS),
    };
    envoy.started.set();
    let (plain, tls) = (
        admin::listener(admin, "plain").await,
        admin::listener(admin, "tls").await,
    );
    let (Some(plain), Some(tls)) = (plain, tls) else {
        return Err(RunError::NoListeners);
    };
    let banner = Banner {
        blueprint: &prepared.blueprint,
        backend: prepared.backend,
        environment: &prepared.environment,
        plain,
        tls,
        admin,
        controls: demo.map(Demo::controls).unwrap_or_default(),
        spend_log: &prepared.spend_log,
        collector: prepared.collector.as_ref(),
        client_ca: prepared.client_ca.as_deref(),
    };
    let mut stdout = anstream::stdout();
    let _ = stdout
        .write_all(banner.text().as_bytes())
        .and_then(|()| stdout.flush());
    tokio::select! {
        status = envoy.child.wait() => {
            let status = status.map_err(|error| RunError::System("wait for Envoy", error))?;
            let _ = writeln!(anstream::stderr(), "error: Envoy exited by itself ({status})");
            Ok(exit_code(status))
        }
        () = stop.asked() => Ok(ExitCode::SUCCESS),
    }
}

/// Renders the configuration into the state directory.
fn configuration(
    arguments: &RunArguments,
    prepared: &Prepared,
    demo: Option<&Demo>,
) -> Result<PathBuf, RunError> {
    let (upstream_ca, emulators) = match demo {
        Some(demo) => {
            let path = prepared.state.write("emulator-ca.pem", &demo.ca_pem())?;
            (prepare::text(&path)?, demo.addresses.clone())
        }
        None => (
            prepare::upstream_ca(arguments, &prepared.environment)?,
            Default::default(),
        ),
    };
    let options = RenderOptions {
        filter: prepared.filter.clone(),
        listeners: Listeners {
            bind: arguments.bind,
            port: arguments.port,
            tls: Some(prepared.tls.clone()),
        },
        admin_port: arguments.admin_port,
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

/// The running process.
struct EnvoyProcess {
    child: tokio::process::Child,
    admin_address: PathBuf,
    started: Started,
    log: Option<tokio::task::JoinHandle<Vec<String>>>,
}

impl EnvoyProcess {
    fn start(
        arguments: &RunArguments,
        prepared: &Prepared,
        demo: Option<&Demo>,
        configuration: &Path,
    ) -> Result<Self, RunError> {
        let failed = |error| RunError::System("start Envoy", error);
        let admin_address = prepared
            .state
            .path(&format!("admin-address.{}", std::process::id()));
        let _ = std::fs::remove_file(&admin_address);
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command
            .args(["envoy-child", "--parent", &std::process::id().to_string(), "--"])
            .arg(&prepared.envoy);
        command
            .arg("--config-path")
            .arg(configuration)
            .arg("--admin-address-path")
            .arg(&admin_address);
        command.args([
            "--log-level",
            arguments.log_level.name(),
            "--log-format",
            log::FORMAT,
        ]);
        // Otherwise two gateways on one machine would share memory for hot restarts.
        command.arg("--disable-hot-restart");
        if let Some(concurrency) = arguments.concurrency {
            command.args(["--concurrency", &concurrency.to_string()]);
        }
        command.envs(
            prepared
                .blueprint
                .secrets
                .iter()
                .map(|(name, secret)| (&name.0, secret.expose())),
        );
        command.envs(demo.iter().flat_map(|demo| &demo.variables));
        let headers = prepared.collector.iter().flat_map(|collector| &collector.headers);
        command.envs(headers.map(|header| (&header.variable.0, header.value.expose())));
        // In its own process group, so that Ctrl-C reaches only this process, which then ends Envoy
        // in order.
        command
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let started = Started::default();
        let log = child
            .stderr
            .take()
            .map(|stream| tokio::spawn(log::print(stream, started.clone())));
        Ok(Self {
            child,
            admin_address,
            started,
            log,
        })
    }

    /// Waits until Envoy serves. Returns the address of its admin interface.
    async fn ready(&mut self) -> Result<SocketAddr, RunError> {
        let deadline = Instant::now() + START_MAX;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failure(status).await);
            }
            if Instant::now() > deadline {
                return Err(RunError::EnvoyTooSlow(START_MAX.as_secs()));
            }
            let written = std::fs::read_to_string(&self.admin_address).ok();
            if let Some(admin) = written.and_then(|text| text.trim().parse().ok())
                && admin::is_ready(admin).await
            {
                return Ok(admin);
            }
            sleep(POLL).await;
        }
    }

    /// Why Envoy ended while starting.
    async fn failure(&mut self, status: ExitStatus) -> RunError {
        let mut log = match self.log.take() {
            Some(log) => log.await.unwrap_or_default(),
            None => Vec::new(),
        };
        log.dedup();
        RunError::EnvoyFailed { log, status }
    }

    /// Ends Envoy with SIGTERM; after the time limit or another signal from the user, with SIGKILL.
    async fn stop(&mut self, stop: &mut StopSignals) {
        let _ = std::fs::remove_file(&self.admin_address);
        let Some(id) = self.child.id() else { return };
        let process = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(process) = process {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
        tokio::select! {
            _ = timeout(STOP_MAX, self.child.wait()) => {}
            () = stop.asked() => {}
        }
        let _ = self.child.kill().await;
    }
}

/// The signals that end this process.
struct StopSignals {
    signals: [Signal; 3],
}

impl StopSignals {
    fn new() -> std::io::Result<Self> {
        let of = |kind| signal(kind);
        let signals = [
            of(SignalKind::interrupt())?,
            of(SignalKind::terminate())?,
            of(SignalKind::hangup())?,
        ];
        Ok(Self { signals })
    }

    /// Returns when one of them arrives.
    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Envoy's exit code, or 128 plus the signal that ended it, as in shells.
fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

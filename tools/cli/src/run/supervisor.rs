//! The event loop: an Envoy that serves until a signal ends it.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;

use super::banner::Banner;
use super::drain::{self, DrainTimes};
use super::error::RunError;
use super::kept_envoy::{Death, EnvoyChange, KeptEnvoy, Recovery};
use super::launch::Launch;
use super::options::RunArguments;
use super::prepare::Prepared;
use super::signals::{Asked, Signals};
use super::spend_log_watch;
use crate::admin::Admin;
use crate::log::LogFormat;

/// Time limit for the emulator to end. Connections of its other clients may still be open.
const DEMO_STOP_MAX: Duration = Duration::from_secs(5);

/// Serves until a signal arrives, or Envoy ends for good.
pub(super) async fn serve(arguments: &RunArguments, prepared: Prepared) -> Result<ExitCode, RunError> {
    let mut signals =
        Signals::install().map_err(|error| RunError::System("install signal handlers", error))?;
    let launch = Launch::prepare(arguments, prepared).await?;
    let mut envoy = KeptEnvoy::start(launch)?;
    let outcome = watch(&mut envoy, &mut signals).await;
    let launch = envoy.stop().await;
    if let Some(demo) = launch.demo {
        let _ = timeout(DEMO_STOP_MAX, async { demo.lock().await.shutdown().await }).await;
    }
    outcome
}

async fn watch(envoy: &mut KeptEnvoy<'_>, signals: &mut Signals) -> Result<ExitCode, RunError> {
    tokio::select! {
        started = envoy.first_start() => started?,
        _ = signals.stop() => return Ok(ExitCode::SUCCESS),
    }
    envoy.tell_admins().await;
    let broker = envoy.launch.broker.clone();
    let credentials = async {
        if let Some(broker) = broker {
            broker.first_credentials().await;
        }
    };
    tokio::pin!(credentials);
    let mut is_announced = false;
    let admin = Admin::at(envoy.launch.addresses().admin);
    let spend_log = spend_log_watch::watch(admin, envoy.launch.spend_log());
    tokio::pin!(spend_log);
    loop {
        tokio::select! {
            never = &mut spend_log => match never {},
            () = &mut credentials, if !is_announced => {
                announce(&envoy.launch).await;
                is_announced = true;
            }
            change = envoy.next() => match change {
                EnvoyChange::Serving => {
                    envoy.tell_admins().await;
                    tracing::info!("Envoy serves again");
                }
                EnvoyChange::Standby => envoy.tell_admins().await,
                EnvoyChange::Ended(death, recovery) => {
                    envoy.tell_admins().await;
                    report_restart(&death, &recovery);
                }
                EnvoyChange::Gone(death) => {
                    report_end(&death);
                    return Ok(death.exit.code());
                }
            },
            asked = signals.next() => match asked {
                Asked::Stop(signal) => return Ok(stop(envoy, signals, signal).await),
                Asked::Reload => {
                    let reload = envoy.launch.reload.clone();
                    tokio::spawn(async move { reload.reload().await });
                }
                Asked::Reopen => if envoy.reopen_logs().await {
                    tracing::info!("SIGUSR1: Envoy opens the spend log again");
                },
            },
        }
    }
}

/// Tells the user where the gateway is.
async fn announce(launch: &Launch<'_>) {
    let (prepared, addresses) = (&launch.prepared, launch.addresses());
    let controls = match &launch.demo {
        Some(demo) => demo.lock().await.controls(),
        None => Vec::new(),
    };
    let banner = Banner {
        blueprint: &prepared.blueprint,
        backend: prepared.backend,
        environment: &prepared.environment,
        plain: addresses.plain,
        tls: addresses.tls,
        admin: addresses.admin,
        controls,
        spend_log: &prepared.spend_log,
        collector: prepared.collector.as_ref(),
        client_ca: prepared.client_ca.as_deref(),
    };
    match launch.arguments.log_format {
        LogFormat::Json => banner.log(),
        LogFormat::Text => {
            let mut stdout = anstream::stdout();
            let _ = stdout
                .write_all(banner.text().as_bytes())
                .and_then(|()| stdout.flush());
        }
    }
}

/// Drains Envoy, unless it is down or another signal arrives.
async fn stop(envoy: &mut KeptEnvoy<'_>, signals: &mut Signals, signal: &str) -> ExitCode {
    let arguments = envoy.launch.arguments;
    let times = DrainTimes {
        delay: Duration::from_secs(arguments.shutdown_delay_seconds),
        limit: Duration::from_secs(arguments.drain_seconds),
    };
    envoy.end_standby().await;
    let Some((process, admin)) = envoy.running() else {
        tracing::info!("{signal}: ending while Envoy is down");
        return ExitCode::SUCCESS;
    };
    tracing::info!("{signal}: draining");
    tokio::select! {
        () = drain::drain(admin, times) => ExitCode::SUCCESS,
        signal = signals.stop() => {
            drain::report_cut(admin, &format!("{signal} during the drain")).await;
            ExitCode::SUCCESS
        }
        exit = process.ended() => {
            tracing::error!("Envoy {exit} during the drain");
            exit.code()
        }
    }
}

fn report_restart(death: &Death, recovery: &Recovery) {
    let Death { exit, restarts, .. } = death;
    let what = match recovery {
        Recovery::Standby => "its standby takes over".to_owned(),
        Recovery::Restart(Duration::ZERO) => "restarting it at once".to_owned(),
        Recovery::Restart(delay) => format!("restarting it in {} s", delay.as_secs_f32()),
    };
    let (in_minute, in_total) = restarts;
    tracing::error!(
        restarts = in_total,
        "Envoy {exit}; {what} (restart {in_minute} within a minute, {in_total} in total){}",
        last_lines(death)
    );
    if matches!(recovery, Recovery::Standby) {
        tracing::info!("Envoy serves again");
    }
}

fn report_end(death: &Death) {
    let Death { exit, restarts, .. } = death;
    if exit.was_asked_for() {
        tracing::warn!("Envoy was asked to end by its admin interface or a signal");
    } else {
        tracing::error!(
            restarts = restarts.1,
            "Envoy {exit}, and was restarted too often within a minute{}",
            last_lines(death)
        );
    }
}

fn last_lines(death: &Death) -> String {
    if death.last_lines.is_empty() {
        return String::new();
    }
    format!("; the last lines of its log:\n{}", death.last_lines.join("\n"))
}

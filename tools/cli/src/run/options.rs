//! The command line of `run`.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::litellm::Tolerance;
use crate::log::LogFormat;
use crate::otlp;
use crate::render::{FilterArguments, HeapLimit};

/// Start the gateway: Envoy with the filter, and an emulated Bedrock if there are no AWS
/// credentials.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock run
  envoy-bedrock run my-config.yaml --port 8080 --bedrock aws
  BEDROCK=emulator envoy-bedrock run

The configuration, the files that it includes, the price list and the TLS certificate are read again when they change,
without a restart. If they cannot be used, the errors are logged, counted and shown by GET /health/readiness, and the previous ones stay in use.

Signals:
  SIGHUP           read the configuration again now
  SIGTERM, Ctrl-C  readiness turns false, requests in progress are finished (--drain-seconds), then the command ends; a
                   second one ends it at once
  SIGUSR1          Envoy opens the spend log again, after it was renamed

Exit codes: 0 stopped by Ctrl-C or SIGTERM, or Envoy was asked to end; 1 failed to start; 2 wrong usage. If Envoy ends more
often than --max-restarts allows, its exit code, or 128 plus the signal that killed it (137 for SIGKILL).")]
pub struct RunArguments {
    /// The configuration.
    #[arg(value_name = "CONFIG", default_value = "config.yaml")]
    pub(super) config: PathBuf,
    /// Where requests go: to AWS if credentials are set (auto), always to AWS, or always to the
    /// emulator.
    #[arg(long, env = "BEDROCK", value_enum, default_value = "auto")]
    pub(super) bedrock: Bedrock,
    /// Address of the listeners.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0")]
    pub(super) bind: IpAddr,
    /// Port for HTTP/1.1 and HTTP/2 without TLS; 0 picks a free one.
    #[arg(long, env = "PORT", default_value_t = 4000)]
    pub(super) port: u16,
    /// Port for HTTP/1.1 and HTTP/2 over TLS; 0 picks a free one.
    #[arg(long, env = "TLS_PORT", default_value_t = 4443)]
    pub(super) tls_port: u16,
    /// Port of Envoy's admin interface on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    pub(super) admin_port: u16,
    /// Certificate of the TLS listener and intermediates, in PEM, instead of a generated one. A
    /// renewed pair is checked, then used without a restart.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Private key of the TLS listener, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
    /// CA certificates to verify AWS's certificates with, in PEM, instead of the system's.
    #[arg(long, value_name = "FILE")]
    pub(super) upstream_ca: Option<PathBuf>,
    /// Envoy's binary, instead of .venv/bin/envoy or the one on the PATH.
    #[arg(long, env = "ENVOY", value_name = "PATH")]
    pub(super) envoy: Option<PathBuf>,
    #[command(flatten)]
    pub(super) filter: FilterArguments,
    /// Directory for the rendered configuration, the CA and the certificate.
    #[arg(long, value_name = "DIRECTORY", default_value = ".envoy-bedrock")]
    pub(super) state: PathBuf,
    /// Unix domain socket for commands: `curl --unix-socket PATH -X POST http://localhost/reload`
    /// reads the configuration again and responds with the result. The default is control.sock in
    /// the state directory.
    #[arg(long, value_name = "PATH")]
    pub(super) control: Option<PathBuf>,
    /// File of the spend log, or '-' for standard output. The default is spend.jsonl in the state
    /// directory.
    #[arg(long, value_name = "PATH")]
    pub(super) access_log: Option<String>,
    #[command(flatten)]
    pub(super) collector: otlp::CollectorArguments,
    /// Price list to use instead of the built-in one: LiteLLM's own file, or a list written by
    /// `prices --import`.
    #[arg(long, value_name = "FILE")]
    pub(super) prices: Option<PathBuf>,
    #[command(flatten)]
    pub(super) tolerance: Tolerance,
    /// Log level of Envoy and the filter. What this command itself logs is always shown.
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "warning")]
    pub(super) log_level: LogLevel,
    /// Format of the log on standard error. With json, the addresses are logged too, instead of
    /// being printed to standard output.
    #[arg(
        long,
        env = "LOG_FORMAT",
        value_enum,
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(super) log_format: LogFormat,
    /// How often Envoy is restarted, or replaced by its standby, within a minute if it crashes. One
    /// more crash ends the command. Crashes in quick succession have growing pauses.
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=10))]
    pub(super) max_restarts: u32,
    /// Start no standby. A standby is a second Envoy that takes over at once if the first one
    /// crashes. It takes 60 MiB of memory. Without it, connections are refused for the second that
    /// a restart takes.
    #[arg(long)]
    pub(super) no_standby: bool,
    /// After SIGTERM or Ctrl-C: how long requests in progress may take before they are cut.
    #[arg(long, env = "DRAIN_SECONDS", value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub(super) drain_seconds: u64,
    /// After SIGTERM or Ctrl-C: how long new connections are still accepted, for load balancers
    /// that need time to notice that readiness is false.
    #[arg(long, env = "SHUTDOWN_DELAY_SECONDS", value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=3_600))]
    pub(super) shutdown_delay_seconds: u64,
    /// Limit of Envoy's heap (512MiB, 2GiB, or bytes). Close to it, Envoy refuses requests and
    /// resets the largest streams. The default is 80 % of the memory of the cgroup or machine,
    /// without that of the standby.
    #[arg(long, env = "MAX_HEAP", value_name = "SIZE")]
    pub(super) max_heap: Option<HeapLimit>,
    /// Worker threads of Envoy. The default is the number of processors.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) concurrency: Option<u32>,
}

impl RunArguments {
    /// Whether there is a standby. Without restarts, nothing may take over.
    pub(super) fn wants_standby(&self) -> bool {
        !self.no_standby && self.max_restarts > 0
    }
}

/// Where requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Bedrock {
    /// To AWS if credentials are set, otherwise to the emulator.
    Auto,
    /// To the emulator.
    Emulator,
    /// To AWS.
    Aws,
}

/// Envoy's log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogLevel {
    /// Everything.
    Trace,
    /// Details for developers of the filter.
    Debug,
    /// What Envoy does.
    Info,
    /// What needs attention.
    Warning,
    /// Failures.
    Error,
    /// Nothing.
    Off,
}

impl LogLevel {
    /// Its name on Envoy's command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            LogLevel::Trace => "trace",
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warning => "warning",
            LogLevel::Error => "error",
            LogLevel::Off => "off",
        }
    }
}

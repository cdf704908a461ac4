//! What the user can choose.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::litellm::Tolerance;
use crate::otlp;

/// Start the gateway: Envoy with the filter, and an emulated Bedrock where there are no credentials for AWS.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock run
  envoy-bedrock run my-config.yaml --port 8080 --bedrock aws
  BEDROCK=emulator envoy-bedrock run

Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 not started, 2 wrong usage; when Envoy ends by itself, its code.")]
pub struct RunArguments {
    /// The configuration.
    #[arg(value_name = "CONFIG", default_value = "config.yaml")]
    pub(super) config: PathBuf,
    /// Where requests go: AWS if there are credentials for it (auto), always, or never.
    #[arg(long, env = "BEDROCK", value_enum, default_value = "auto")]
    pub(super) bedrock: Bedrock,
    /// Address of the listeners.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0")]
    pub(super) bind: IpAddr,
    /// Port for HTTP/1.1 and HTTP/2 without TLS; 0 means any.
    #[arg(long, env = "PORT", default_value_t = 4000)]
    pub(super) port: u16,
    /// Port for HTTP/1.1 and HTTP/2 over TLS; 0 means any.
    #[arg(long, env = "TLS_PORT", default_value_t = 4443)]
    pub(super) tls_port: u16,
    /// Port of Envoy's admin interface, on 127.0.0.1; 0 means any.
    #[arg(long, default_value_t = 0)]
    pub(super) admin_port: u16,
    /// Certificate of the TLS listener, in PEM, instead of one that is made here.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Private key of the TLS listener, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
    /// CA certificates that AWS's certificates are checked against, in PEM, instead of the system's.
    #[arg(long, value_name = "FILE")]
    pub(super) upstream_ca: Option<PathBuf>,
    /// Envoy's binary, instead of .venv/bin/envoy or the one on the PATH.
    #[arg(long, env = "ENVOY", value_name = "PATH")]
    pub(super) envoy: Option<PathBuf>,
    /// The compiled filter.
    #[arg(long, value_name = "PATH", default_value = "dist/envoy-bedrock.wasm")]
    pub(super) filter: PathBuf,
    /// Directory for the rendered configuration, the CA and the certificate.
    #[arg(long, value_name = "DIRECTORY", default_value = ".envoy-bedrock")]
    pub(super) state: PathBuf,
    /// File of the spend log, or '-' for standard output; spend.jsonl in the state directory if not given.
    #[arg(long, value_name = "PATH")]
    pub(super) access_log: Option<String>,
    #[command(flatten)]
    pub(super) collector: otlp::CollectorArguments,
    /// Price list to use instead of the built-in one: LiteLLM's own file or one that `prices --import` wrote.
    #[arg(long, value_name = "FILE")]
    pub(super) prices: Option<PathBuf>,
    #[command(flatten)]
    pub(super) tolerance: Tolerance,
    /// Least level of what Envoy and the filter log.
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "warning")]
    pub(super) log_level: LogLevel,
    /// Worker threads of Envoy; as many as there are processors if not given.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) concurrency: Option<u32>,
}

/// Where requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Bedrock {
    /// To AWS if there are credentials for it, else to the emulator.
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
    /// What developers of the filter need.
    Debug,
    /// What Envoy does.
    Info,
    /// What needs a look.
    Warning,
    /// What went wrong.
    Error,
    /// Nothing.
    Off,
}

impl LogLevel {
    /// As Envoy's command line has it.
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

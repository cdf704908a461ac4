//! `envoy-bedrock render`: the arguments and the output.

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use envoy_bedrock::contract::settings::{EnvName, HISTORY_DEFAULT_ROWS};
use envoy_bedrock::routing::active_config::HISTORY_MAX_ROWS;
use envoy_bedrock::sealing::{SEALING_KEY, SealingKey};

use super::bootstrap;
use super::broker::BrokerAddress;
use super::dynamic::DynamicConfig;
use super::error::{EmulatorArgumentError, RenderError};
use super::heap::HeapLimit;
use super::options::{AccessLog, HostPort, Listeners, RenderOptions, Rendering, SecretSource, Tls};
use super::published::refuse_other_secrets;
use super::runtime::FilterArguments;
use crate::credentials::{DEFAULT_SOCKET, TOKEN_VARIABLE};
use crate::environment::{Environment, SecretPolicy};
use crate::litellm::{self, Tolerance};
use crate::otlp::{self, Collector};
use crate::prices::PriceList;
use crate::sealing;

/// Mode of the files of `--dynamic`: Envoy may run as another user.
pub(crate) const DYNAMIC_FILE_MODE: u32 = 0o644;

/// Turn a LiteLLM config.yaml into an Envoy configuration: one self-contained file, or a directory
/// of files that Envoy reads again when they change.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock render config.yaml -o envoy.yaml
  envoy-bedrock render config.yaml --dynamic /etc/envoy-bedrock
  envoy-bedrock render config.yaml --emulator us-west-2=emulator:9443 --upstream-ca emulator-ca.pem
  envoy --mode validate -c envoy.yaml

The result contains no secrets. Envoy's process needs the environment variables that it lists.

With --dynamic, start Envoy with DIRECTORY/envoy.yaml. Run the command again after a change, or let
`envoy-bedrock watch` do so: Envoy then uses the new files without a restart. If the variable
ENVOY_BEDROCK_SEALING_KEY has 64 hexadecimal digits, the secrets are in the files, sealed with that
key, and Envoy's process needs only this variable.

Exit codes: 0 success, 1 the configuration cannot be used or the result cannot be written, 2 wrong usage.")]
pub struct RenderArguments {
    #[command(flatten)]
    settings: RenderSettings,
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE", conflicts_with = "dynamic")]
    output: Option<PathBuf>,
    /// Write several files into this directory. Envoy must see it under the same path.
    #[arg(long, value_name = "DIRECTORY")]
    dynamic: Option<PathBuf>,
}

/// What is rendered, and for which Envoy.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RenderSettings {
    /// The configuration.
    #[arg(value_name = "CONFIG")]
    pub(crate) config: PathBuf,
    #[command(flatten)]
    filter: FilterArguments,
    /// Address of the listeners.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0")]
    bind: IpAddr,
    /// Port of the plain listener.
    #[arg(long, default_value_t = 4000)]
    port: u16,
    /// Port of the TLS listener.
    #[arg(long, default_value_t = 4443)]
    tls_port: u16,
    /// Certificate of the TLS listener, in PEM. Without it there is no TLS listener.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<String>,
    /// Private key of the TLS listener, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<String>,
    /// Port of Envoy's admin interface on 127.0.0.1.
    #[arg(long, default_value_t = 9901)]
    pub(crate) admin_port: u16,
    /// Port of a listener for Prometheus. It serves /stats/prometheus and /metrics without a key,
    /// and nothing else.
    #[arg(long, value_name = "PORT")]
    metrics_port: Option<u16>,
    /// CA certificates to verify the upstreams' certificates with, in PEM.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    upstream_ca: String,
    /// File of the spend log, or '-' for standard output.
    #[arg(long, value_name = "PATH", default_value = "-")]
    access_log: String,
    #[command(flatten)]
    collector: otlp::CollectorArguments,
    /// How many requests GET /spend/logs remembers per worker thread; 0 disables it.
    #[arg(long, value_name = "ROWS", default_value_t = HISTORY_DEFAULT_ROWS,
          value_parser = clap::value_parser!(u32).range(0..=i64::from(HISTORY_MAX_ROWS)))]
    spend_history: u32,
    /// Where the credential broker listens: the path of its socket, or 127.0.0.1:PORT. A broker on
    /// a port needs a token in ENVOY_BEDROCK_CREDENTIALS_TOKEN, also for Envoy.
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_SOCKET)]
    credentials: BrokerAddress,
    /// Limit of Envoy's heap (512MiB, 2GiB, or bytes). Close to it, Envoy refuses requests and
    /// resets the largest streams. Set it to 80 % of the memory that Envoy has.
    #[arg(long, value_name = "SIZE", default_value_t = HeapLimit::DEFAULT)]
    max_heap: HeapLimit,
    /// Connect the cluster REGION to this address instead. May be repeated.
    #[arg(long, value_name = "REGION=HOST:PORT", value_parser = emulator)]
    emulator: Vec<(String, HostPort)>,
    /// Price list to use instead of the built-in one: LiteLLM's own file, or a list written by
    /// `prices --import`.
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    #[command(flatten)]
    tolerance: Tolerance,
}

fn emulator(text: &str) -> Result<(String, HostPort), EmulatorArgumentError> {
    let (region, address) = text
        .split_once('=')
        .ok_or_else(|| EmulatorArgumentError::NoRegion(text.to_owned()))?;
    Ok((region.to_owned(), address.parse()?))
}

impl RenderSettings {
    /// Reads the configuration. `sealing` is the key for its secrets, which are then part of the
    /// result and must exist.
    pub(crate) fn read(
        &self,
        environment: &Environment,
        sealing: Option<&SealingKey>,
    ) -> Result<Rendering, RenderError> {
        if self.metrics_port.is_some() && self.admin_port == 0 {
            return Err(RenderError::NoAdminPort);
        }
        let prices = PriceList::of_file(self.prices.as_deref())?;
        let policy = match sealing {
            Some(_) => SecretPolicy::MustExist,
            None => SecretPolicy::MayComeLater,
        };
        let mut blueprint =
            litellm::read_or_explain(&self.config, environment, policy, &prices, &self.tolerance)
                .map_err(RenderError::Configuration)?;
        blueprint.settings.history_rows = self.spend_history;
        if let (Some(broker), BrokerAddress::Loopback(_)) =
            (&mut blueprint.settings.broker, &self.credentials)
        {
            broker.authorization = Some(EnvName(TOKEN_VARIABLE.to_owned()));
        }
        let ca = || Ok::<_, RenderError>(self.upstream_ca.clone());
        let collector = otlp::read(&self.collector, &blueprint.telemetry, ca)?;
        if let Some(key) = sealing {
            sealing::seal(&mut blueprint, key, environment);
        }
        let options = self.options(collector, sealing);
        let clusters = blueprint.endpoints.iter().map(|endpoint| &endpoint.cluster);
        let known: Vec<String> = clusters.cloned().collect();
        if let Some(found) = options.emulators.keys().find(|cluster| !known.contains(cluster)) {
            let found = found.clone();
            return Err(RenderError::UnknownCluster { found, known });
        }
        Ok(Rendering { blueprint, options })
    }

    fn options(&self, collector: Option<Collector>, sealing: Option<&SealingKey>) -> RenderOptions {
        let tls = self.tls_cert.clone().zip(self.tls_key.clone());
        RenderOptions {
            runtime: self.filter.runtime,
            filter: self.filter.path().to_owned(),
            listeners: Listeners {
                bind: self.bind,
                port: self.port,
                tls: tls.map(|(certificate, key)| Tls {
                    port: self.tls_port,
                    certificate,
                    key,
                }),
            },
            admin_port: self.admin_port,
            metrics_port: self.metrics_port,
            upstream_ca: self.upstream_ca.clone(),
            access_log: AccessLog::of_argument(&self.access_log),
            collector,
            emulators: self.emulator.iter().cloned().collect(),
            secrets: match sealing {
                Some(_) => SecretSource::Sealed,
                None => SecretSource::Environment,
            },
            broker: self.credentials.clone(),
            max_heap: self.max_heap,
        }
    }

    /// The comment at the top of the rendered file.
    pub(crate) fn header(&self, command: &str) -> String {
        let name = self.config.file_name().unwrap_or_default().to_string_lossy();
        format!(
            "Rendered from {name} by `envoy-bedrock {command}`. Do not edit: change {name} and render it again."
        )
    }

    /// What happened to the settings, and which variables Envoy needs, because their values are not
    /// in the result.
    pub(crate) fn notes(rendering: &Rendering) -> Vec<String> {
        let Rendering { blueprint, options } = rendering;
        let mut notes: Vec<String> = litellm::note_texts(&blueprint.notes).collect();
        if options.secrets == SecretSource::Sealed {
            notes.push(format!(
                "the files contain the secrets of the configuration, sealed: set {SEALING_KEY} for Envoy"
            ));
        } else {
            notes.extend(missing_secrets("the configuration", blueprint.secrets.keys()));
            if blueprint.settings.has_aws_pairs() {
                notes.push(format!(
                    "the result contains the secrets of AWS pairs, sealed: set {SEALING_KEY} for Envoy"
                ));
            }
        }
        if let Some(collector) = &options.collector {
            notes.push(format!("the spend log is also sent to {collector}"));
            let variables = collector.headers.iter().map(|header| &header.variable);
            notes.extend(missing_secrets("the collector's headers", variables));
        }
        notes
    }
}

/// The sealing key of the environment, if it has one.
pub(crate) fn sealing_key(environment: &Environment) -> Result<Option<SealingKey>, RenderError> {
    let Some(digits) = environment.value(SEALING_KEY) else {
        return Ok(None);
    };
    SealingKey::parse(digits)
        .map(Some)
        .ok_or(RenderError::BadSealingKey)
}

impl AccessLog {
    /// `-` means standard output.
    pub fn of_argument(path: &str) -> Self {
        match path {
            "-" => AccessLog::Stdout,
            path => AccessLog::File(path.to_owned()),
        }
    }
}

/// Runs the command. Its help documents the exit codes.
pub fn run(arguments: &RenderArguments, environment: &Environment) -> ExitCode {
    let Err(error) = rendered(arguments, environment) else {
        return ExitCode::SUCCESS;
    };
    let mut stderr = anstream::stderr();
    for message in error.messages() {
        let _ = writeln!(stderr, "error: {message}");
    }
    ExitCode::from(1)
}

fn rendered(arguments: &RenderArguments, environment: &Environment) -> Result<(), RenderError> {
    let settings = &arguments.settings;
    let Some(directory) = &arguments.dynamic else {
        let rendering = settings.read(environment, None)?;
        print_notes(&rendering);
        let header = settings.header("render");
        let text = bootstrap::render(&rendering.blueprint, &rendering.options, &header);
        return write(arguments.output.as_deref(), &text);
    };
    let sealing = sealing_key(environment)?;
    let rendering = settings.read(environment, sealing.as_ref())?;
    print_notes(&rendering);
    let path = directory_name(directory)?;
    let config = DynamicConfig::of(&rendering.blueprint, &rendering.options, &path);
    refuse_other_secrets(directory, &config, sealing.as_ref(), settings.admin_port)?;
    let written = config.write(directory, DYNAMIC_FILE_MODE, &settings.header("render"));
    written.map_err(|(path, error)| RenderError::Unwritable { path, error })
}

/// The path of a directory for rendered files, which is created if necessary.
pub(crate) fn directory_name(directory: &Path) -> Result<String, RenderError> {
    std::fs::create_dir_all(directory).map_err(|error| RenderError::Unwritable {
        path: directory.to_owned(),
        error,
    })?;
    let name = directory.to_str().map(str::to_owned);
    name.ok_or_else(|| RenderError::NotUtf8(directory.to_owned()))
}

fn print_notes(rendering: &Rendering) {
    let mut stderr = anstream::stderr();
    for note in RenderSettings::notes(rendering) {
        let _ = writeln!(stderr, "note: {note}");
    }
}

fn missing_secrets<'a>(of: &str, variables: impl Iterator<Item = &'a EnvName>) -> Option<String> {
    let names: Vec<&str> = variables.map(|name| name.0.as_str()).collect();
    let names = names.join(", ");
    let note = || format!("the result does not contain the secrets of {of}: set {names} for Envoy");
    (!names.is_empty()).then(note)
}

fn write(output: Option<&Path>, text: &str) -> Result<(), RenderError> {
    match output {
        Some(path) => std::fs::write(path, text).map_err(|error| RenderError::Unwritable {
            path: path.to_owned(),
            error,
        }),
        None => match std::io::stdout().write_all(text.as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(RenderError::StandardOutput(error))
            }
            _ => Ok(()),
        },
    }
}

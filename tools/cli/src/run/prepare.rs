//! Everything that can be checked before anything is started.

use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use super::backend::{self, Backend};
use super::envoy;
use super::error::RunError;
use super::options::RunArguments;
use super::ports::{self, HeldPorts};
use crate::blueprint::Blueprint;
use crate::certificates;
use crate::environment::Environment;
use crate::litellm::{self, Note};
use crate::log::LogFormat;
use crate::otlp::{self, Collector};
use crate::prices::PriceList;
use crate::render::{AccessLog, FilterArguments, FilterRuntime, Tls};
use crate::state::StateDirectory;

/// Where the usual systems keep their CA certificates.
const CA_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A gateway that is ready to be started.
pub(super) struct Prepared {
    pub(super) blueprint: Blueprint,
    pub(super) backend: Backend,
    pub(super) environment: Environment,
    pub(super) envoy: PathBuf,
    pub(super) filter: String,
    pub(super) state: StateDirectory,
    pub(super) ports: HeldPorts,
    /// For requests to Envoy's admin interface.
    pub(super) admin: TcpListener,
    /// The TLS listener, with the files that the user named or this command made.
    pub(super) tls: Tls,
    /// Where Envoy writes the spend log.
    pub(super) spend_log: AccessLog,
    /// Where the spend log is also sent.
    pub(super) collector: Option<Collector>,
    /// The CA certificate that clients must trust, if the certificate is generated.
    pub(super) client_ca: Option<PathBuf>,
}

pub(super) fn prepare(arguments: &RunArguments, environment: &Environment) -> Result<Prepared, RunError> {
    let prices = PriceList::of_file(arguments.prices.as_deref())?;
    let (blueprint, backend) = backend::choose(
        &arguments.config,
        arguments.bedrock,
        environment,
        &prices,
        &arguments.tolerance,
    )?;
    report_notes(arguments.log_format, &blueprint.notes);
    let system_ca = || system_ca(environment);
    let collector = otlp::read(&arguments.collector, &blueprint.telemetry, system_ca)?;
    let envoy = envoy::find(arguments.envoy.as_deref(), environment)?;
    let filter = filter(&arguments.filter)?;
    let ports = held_ports(arguments)?;
    let admin = ports::listen_for_admin(arguments.admin_port)?;
    let state = StateDirectory::open(&arguments.state)?;
    let (tls, client_ca) = tls(arguments, ports.tls.address().port(), &state)?;
    let spend_log = spend_log(arguments, &state)?;
    Ok(Prepared {
        blueprint,
        backend,
        environment: environment.clone(),
        envoy,
        filter,
        state,
        ports,
        admin,
        tls,
        spend_log,
        collector,
        client_ca,
    })
}

fn report_notes(format: LogFormat, notes: &[Note]) {
    match format {
        LogFormat::Text => litellm::print_notes(notes),
        LogFormat::Json => {
            for note in litellm::note_texts(notes) {
                tracing::warn!("{note}");
            }
        }
    }
}

/// The filter's absolute path. A filter for the other runtime is refused before Envoy starts.
fn filter(arguments: &FilterArguments) -> Result<String, RunError> {
    let path = Path::new(arguments.path());
    let runtime = arguments.runtime;
    let unreadable = |error| RunError::Filter {
        path: path.to_owned(),
        runtime,
        error,
    };
    let absolute = path.canonicalize().map_err(unreadable)?;
    let mut start = Vec::new();
    let file = File::open(&absolute).map_err(unreadable)?;
    file.take(4).read_to_end(&mut start).map_err(unreadable)?;
    match FilterRuntime::of_file(&start) {
        Some(found) if found != runtime => Err(RunError::OtherRuntime {
            path: absolute,
            runtime,
            found,
        }),
        _ => text(&absolute),
    }
}

fn held_ports(arguments: &RunArguments) -> Result<HeldPorts, RunError> {
    if arguments.port == arguments.tls_port && arguments.port != 0 {
        return Err(RunError::SamePort(arguments.port));
    }
    Ok(HeldPorts {
        plain: ports::hold(arguments.bind, arguments.port, "PORT=… or --port …")?,
        tls: ports::hold(arguments.bind, arguments.tls_port, "TLS_PORT=… or --tls-port …")?,
    })
}

fn spend_log(arguments: &RunArguments, state: &StateDirectory) -> Result<AccessLog, RunError> {
    let path = match &arguments.access_log {
        Some(path) => path.clone(),
        None => text(&state.path("spend.jsonl"))?,
    };
    Ok(AccessLog::of_argument(&path))
}

fn tls(
    arguments: &RunArguments,
    port: u16,
    state: &StateDirectory,
) -> Result<(Tls, Option<PathBuf>), RunError> {
    let (certificate, key, client_ca) = match arguments.tls_cert.clone().zip(arguments.tls_key.clone()) {
        Some((certificate, key)) => (certificate, key, None),
        None => {
            let made = certificates::ensure(&state.path("tls"))?;
            (made.certificate, made.key, Some(made.ca))
        }
    };
    let tls = Tls {
        port,
        certificate: absolute(&certificate)?,
        key: absolute(&key)?,
    };
    Ok((tls, client_ca))
}

/// The file of CA certificates for AWS.
pub(super) fn upstream_ca(arguments: &RunArguments, environment: &Environment) -> Result<String, RunError> {
    match &arguments.upstream_ca {
        Some(path) => existing(path),
        None => system_ca(environment),
    }
}

fn system_ca(environment: &Environment) -> Result<String, RunError> {
    let named = environment.value("SSL_CERT_FILE").map(PathBuf::from);
    let known = CA_BUNDLES.iter().map(PathBuf::from);
    let bundle = named.into_iter().chain(known).find(|path| path.is_file());
    text(&bundle.ok_or(RunError::NoSystemCa)?)
}

/// The absolute path of an existing file.
fn existing(path: &Path) -> Result<String, RunError> {
    let absolute = path.canonicalize().map_err(|error| RunError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    text(&absolute)
}

/// The absolute path of a file, with symbolic links: a renewal may change where they lead.
fn absolute(path: &Path) -> Result<String, RunError> {
    let absolute = std::path::absolute(path).map_err(|error| RunError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    text(&absolute)
}

/// A path as text for the rendered configuration.
pub(super) fn text(path: &Path) -> Result<String, RunError> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| RunError::NotUtf8(path.to_owned()))
}

//! Everything that can be found wrong before anything is started.

use std::path::{Path, PathBuf};

use super::backend::{self, Backend};
use super::envoy;
use super::options::RunArguments;
use super::ports;
use crate::blueprint::Blueprint;
use crate::certificates;
use crate::environment::Environment;
use crate::litellm;
use crate::otlp::{self, Collector};
use crate::prices::Catalogue;
use crate::render::{AccessLog, Tls};
use crate::state::StateDirectory;

/// Where the systems that Envoy runs on keep their CA certificates.
const CA_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A gateway that only has to be started.
pub(super) struct Prepared {
    pub(super) blueprint: Blueprint,
    pub(super) backend: Backend,
    pub(super) environment: Environment,
    pub(super) envoy: PathBuf,
    pub(super) filter: String,
    pub(super) state: StateDirectory,
    pub(super) tls: Tls,
    /// Where each request leaves a line.
    pub(super) spend_log: AccessLog,
    /// Where that line goes as well.
    pub(super) collector: Option<Collector>,
    /// What clients have to trust, where the certificate was made here.
    pub(super) client_ca: Option<PathBuf>,
}

pub(super) fn prepare(arguments: &RunArguments, environment: &Environment) -> Result<Prepared, Vec<String>> {
    let one = |error: String| vec![error];
    let prices = Catalogue::of_file(arguments.prices.as_deref()).map_err(one)?;
    let (blueprint, backend) = backend::choose(
        &arguments.config,
        arguments.bedrock,
        environment,
        &prices,
        &arguments.tolerance,
    )?;
    litellm::print_notes(&blueprint.notes);
    let system_ca = || system_ca(environment);
    let collector = otlp::read(&arguments.collector, &blueprint.telemetry, system_ca).map_err(one)?;
    let envoy = envoy::find(arguments.envoy.as_deref(), environment).map_err(one)?;
    let filter = filter(&arguments.filter).map_err(one)?;
    ports::free(arguments.bind, arguments.port, "PORT", "--port").map_err(one)?;
    ports::free(arguments.bind, arguments.tls_port, "TLS_PORT", "--tls-port").map_err(one)?;
    if arguments.port == arguments.tls_port && arguments.port != 0 {
        return Err(vec![format!(
            "expected different ports with and without TLS, but found {} for both: choose another with TLS_PORT or --tls-port",
            arguments.port
        )]);
    }
    let state = StateDirectory::open(&arguments.state).map_err(one)?;
    let (tls, client_ca) = tls(arguments, &state).map_err(one)?;
    let spend_log = spend_log(arguments, &state).map_err(one)?;
    Ok(Prepared {
        blueprint,
        backend,
        environment: environment.clone(),
        envoy,
        filter,
        state,
        tls,
        spend_log,
        collector,
        client_ca,
    })
}

/// The filter's path, made absolute so that it does not matter where Envoy looks for it.
fn filter(path: &Path) -> Result<String, String> {
    let missing = |error: std::io::Error| {
        format!(
            "expected the compiled filter at {}, but found: {error}: build it with `make filter` (it needs the Rust \
             target wasm32-wasip1: `rustup target add wasm32-wasip1`)",
            path.display()
        )
    };
    text(&path.canonicalize().map_err(missing)?)
}

fn spend_log(arguments: &RunArguments, state: &StateDirectory) -> Result<AccessLog, String> {
    let path = match &arguments.access_log {
        Some(path) => path.clone(),
        None => text(&state.path("spend.jsonl"))?,
    };
    Ok(AccessLog::of_argument(&path))
}

fn tls(arguments: &RunArguments, state: &StateDirectory) -> Result<(Tls, Option<PathBuf>), String> {
    let (certificate, key, client_ca) = match arguments.tls_cert.clone().zip(arguments.tls_key.clone()) {
        Some((certificate, key)) => (certificate, key, None),
        None => {
            let made = certificates::ensure(&state.path("tls"))?;
            (made.certificate, made.key, Some(made.ca))
        }
    };
    let tls = Tls {
        port: arguments.tls_port,
        certificate: existing(&certificate)?,
        key: existing(&key)?,
    };
    Ok((tls, client_ca))
}

/// The CA certificates for AWS.
pub(super) fn upstream_ca(arguments: &RunArguments, environment: &Environment) -> Result<String, String> {
    match &arguments.upstream_ca {
        Some(path) => existing(path),
        None => system_ca(environment),
    }
}

fn system_ca(environment: &Environment) -> Result<String, String> {
    let named = environment.value("SSL_CERT_FILE").map(PathBuf::from);
    let known = CA_BUNDLES.iter().map(PathBuf::from);
    let bundle = named.into_iter().chain(known).find(|path| path.is_file()).ok_or(
        "expected the system's CA certificates in one of the usual places, but found none: install the package \
         ca-certificates or name a file with --upstream-ca",
    )?;
    text(&bundle)
}

fn existing(path: &Path) -> Result<String, String> {
    let missing = |error| format!("expected a file at {}, but found: {error}", path.display());
    text(&path.canonicalize().map_err(missing)?)
}

/// A path as it stands in the rendered file.
pub(super) fn text(path: &Path) -> Result<String, String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("expected a path in UTF-8, but found {}", path.display()))
}

//! The credential broker inside `run`.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use envoy_bedrock::contract::settings::CredentialSettings;
use tokio::time::{Instant, sleep};

use super::error::RunError;
use crate::blueprint::Blueprint;
use crate::broker::{Broker, BrokerServer, Fetcher};
use crate::environment::Environment;

const SOCKET: &str = "credentials.sock";
/// Longest path of a Unix socket that every system accepts, in bytes, less the suffix of its
/// temporary name.
const SOCKET_PATH_MAX_BYTES: usize = 95;
/// How often the first credentials are looked for.
const POLL: Duration = Duration::from_millis(50);
/// How long a source that does not respond delays a gateway whose other credentials are available.
const PATIENCE: Duration = Duration::from_secs(5);
/// When the log first says what is missing, and how often it repeats that.
const FIRST_REMINDER: Duration = Duration::from_secs(1);
const REMINDER: Duration = Duration::from_secs(5);

/// The broker of this process. Clones share it.
#[derive(Clone)]
pub(super) struct RunBroker {
    broker: Broker,
    environment: Environment,
    socket: Arc<SocketPath>,
    /// Whether there are deployments that do not need the broker.
    has_others: Arc<AtomicBool>,
}

/// Where the broker listens.
struct SocketPath {
    path: PathBuf,
    /// A separate directory, if the path of Envoy's is too long.
    short: Option<PathBuf>,
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        if let Some(short) = &self.short {
            let _ = std::fs::remove_dir_all(short);
        }
    }
}

impl RunBroker {
    /// Starts the broker, with its socket in Envoy's private `directory`.
    pub(super) fn start(directory: &Path, environment: &Environment) -> Result<Self, RunError> {
        let failed = |error| RunError::System("listen at the socket for credentials", error);
        let socket = SocketPath::within(directory).map_err(failed)?;
        let server = BrokerServer::on_socket(&socket.path).map_err(failed)?;
        let broker = Broker::new();
        tokio::spawn(keep_serving(server, socket.path.clone(), broker.clone()));
        Ok(Self {
            broker,
            environment: environment.clone(),
            socket: Arc::new(socket),
            has_others: Arc::default(),
        })
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket.path
    }

    /// Gets what `blueprint` needs. What it has already is kept.
    pub(super) fn set(&self, blueprint: &Blueprint) {
        let fetcher = Fetcher::new(&self.environment, &blueprint.secrets);
        self.broker.set(&blueprint.brokered, &fetcher);
        let mut deployments = blueprint.settings.deployments();
        let has_others = deployments.any(|deployment| {
            let credentials = &deployment.credentials;
            !matches!(credentials, CredentialSettings::Brokered { .. })
        });
        self.has_others.store(has_others, Ordering::Relaxed);
    }

    /// Returns when the gateway can serve: a deployment has its credential, and each of the others
    /// has one or has failed, or takes too long.
    pub(super) async fn first_credentials(&self) {
        let patient_until = Instant::now() + PATIENCE;
        let mut reminder = Instant::now() + FIRST_REMINDER;
        while !self.can_serve(Instant::now() < patient_until) {
            if Instant::now() >= reminder {
                self.remind();
                reminder += REMINDER;
            }
            sleep(POLL).await;
        }
    }

    fn can_serve(&self, is_patient: bool) -> bool {
        let states = self.broker.states();
        let is_settled = !is_patient || states.iter().all(|(_, state)| !state.is_pending());
        let has_any = states.iter().any(|(_, state)| state.is_usable());
        is_settled && (has_any || states.is_empty() || self.has_others.load(Ordering::Relaxed))
    }

    fn remind(&self) {
        for (credential, state) in self.broker.states() {
            if state.is_usable() {
                continue;
            }
            let (whom, source) = (credential.whom(), &credential.source);
            match state.failure {
                Some(failure) => {
                    tracing::warn!("waiting for the credentials of {whom} ({source}): {failure}");
                }
                None => tracing::info!("waiting for the credentials of {whom} ({source})"),
            }
        }
    }
}

impl SocketPath {
    fn within(directory: &Path) -> std::io::Result<Self> {
        let path = std::path::absolute(directory)?.join(SOCKET);
        if path.as_os_str().len() <= SOCKET_PATH_MAX_BYTES {
            return Ok(Self { path, short: None });
        }
        let short = std::env::temp_dir().join(format!("envoy-bedrock.{}", std::process::id()));
        // A directory that somebody else made is an error.
        DirBuilder::new().mode(0o700).create(&short)?;
        Ok(Self {
            path: short.join(SOCKET),
            short: Some(short),
        })
    }
}

/// Serves, and starts again if that ends for any reason.
async fn keep_serving(server: BrokerServer, path: PathBuf, broker: Broker) {
    let mut server = Some(server);
    loop {
        match server.take().map_or_else(|| BrokerServer::on_socket(&path), Ok) {
            Ok(server) => {
                let served = tokio::spawn(server.serve(broker.clone())).await;
                tracing::error!("the credential broker ended and will be restarted: {served:?}");
            }
            Err(error) => tracing::error!(
                "the credential broker cannot listen at {}: {error}",
                path.display()
            ),
        }
        sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_directory_gets_a_short_socket_that_is_removed_at_the_end() {
        let root = tempfile::tempdir().unwrap();
        let near = SocketPath::within(root.path()).unwrap();
        assert_eq!(near.path, root.path().join(SOCKET));
        let far = SocketPath::within(&root.path().join("x".repeat(100))).unwrap();
        assert!(far.path.as_os_str().len() <= SOCKET_PATH_MAX_BYTES);
        let folder = far.path.parent().unwrap().to_owned();
        assert!(folder.is_dir());
        drop(far);
        assert!(!folder.exists());
    }
}

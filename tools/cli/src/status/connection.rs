//! Where the gateway is, and what it says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use tokio::net::lookup_host;
use tokio::time::Instant;

use super::counts::{self, DeploymentCounts, DeploymentName};
use super::error::StatusError;
use super::health::{self, States};
use crate::address::Address;
use crate::admin::Admin;
use crate::state::ADMIN_URL_FILE;

/// The name of the listener without TLS.
const PLAIN_LISTENER: &str = "plain";

/// A gateway that may be running.
pub(super) struct Connection {
    /// The URL of the admin interface, for messages.
    url: String,
    admin: Admin,
}

/// The counters at a time.
pub(super) struct CountsSample {
    pub(super) at: Instant,
    pub(super) deployments: BTreeMap<DeploymentName, DeploymentCounts>,
}

impl Connection {
    /// The gateway with its admin interface at `url`, or else the one that was started with the state
    /// directory `state`.
    pub(super) async fn find(url: Option<&str>, state: &Path) -> Result<Self, StatusError> {
        let url = match url {
            Some(url) => url.to_owned(),
            None => started_with(state)?,
        };
        let address = Address::parse(&url).map_err(StatusError::Url)?;
        if address.tls {
            return Err(StatusError::Https);
        }
        let found = lookup_host((address.host.as_str(), address.port)).await;
        let first = found.ok().and_then(|mut found| found.next());
        let admin = first.map(Admin::at);
        Ok(Self {
            admin: admin.ok_or_else(|| StatusError::Host(url.clone()))?,
            url,
        })
    }

    /// Reads the counters.
    pub(super) async fn sample(&self) -> Result<CountsSample, StatusError> {
        let statistics = self.admin.stats(&counts::pattern()).await;
        let statistics = statistics.ok_or_else(|| StatusError::NotRunning(self.url.clone()))?;
        let deployments = counts::parse(&statistics);
        if deployments.is_empty() {
            return Err(StatusError::OtherEnvoy(self.url.clone()));
        }
        Ok(CountsSample {
            at: Instant::now(),
            deployments,
        })
    }

    /// The state of the deployments that `key` may use. The error says why it is not known.
    pub(super) async fn states(&self, key: &str) -> Result<States, String> {
        let port = self.admin.listener_port(PLAIN_LISTENER).await;
        let port = port.ok_or_else(|| {
            format!(
                "expected a listener \"{PLAIN_LISTENER}\" at {}, found none",
                self.url
            )
        })?;
        let gateway = SocketAddr::new(self.admin.address().ip(), port);
        health::ask(gateway, key).await
    }
}

/// The URL that `run` has written.
fn started_with(state: &Path) -> Result<String, StatusError> {
    let path = state.join(ADMIN_URL_FILE);
    match std::fs::read_to_string(&path) {
        Ok(url) => Ok(url.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(StatusError::NeverStarted(path)),
        Err(error) => Err(StatusError::File { path, error }),
    }
}

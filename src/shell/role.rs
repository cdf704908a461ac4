//! The role of a plugin, from its root id and its configuration.

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use super::gateway::Service;
use super::host;
use crate::contract::names::{ROOT_GATEWAY, ROOT_SIGNER};
use crate::random::Random;
use crate::routing::active_config::ActiveConfig;

/// What a plugin does with its streams.
#[derive(Default)]
pub(super) enum Role {
    /// Refuses them: the plugin has not accepted a configuration.
    #[default]
    Unconfigured,
    /// Envoy's downstream HTTP filter.
    Gateway(Rc<Service>),
    /// Envoy's upstream HTTP filter.
    Signer,
}

impl Role {
    /// Reads the role and its configuration of `size` bytes from Envoy, in a callback of the
    /// plugin.
    ///
    /// # Errors A message for the log: the root id is unknown, the configuration is not valid, or a
    /// host call failed.
    pub(super) fn read(size: usize) -> Result<Self, String> {
        let root_id = host::property("plugin_root_id").map_err(|error| format!("no root id: {error:?}"))?;
        let root_id = root_id.unwrap_or_default();
        if root_id == ROOT_SIGNER.as_bytes() {
            return Ok(Self::Signer);
        }
        if root_id != ROOT_GATEWAY.as_bytes() {
            let found = String::from_utf8_lossy(&root_id);
            return Err(format!(
                "root_id: expected {ROOT_GATEWAY} or {ROOT_SIGNER}, but found {found:?}"
            ));
        }
        let json = host::plugin_configuration(size).map_err(|error| format!("not readable: {error:?}"))?;
        let gateway =
            ActiveConfig::new(&json, |name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
        let seed = RandomState::new().hash_one(size);
        Ok(Self::Gateway(Rc::new(Service::new(gateway, Random::new(seed)))))
    }
}

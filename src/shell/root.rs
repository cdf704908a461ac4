//! A plugin of the VM: takes its configuration and begins its streams.

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use super::gateway::{GatewayStream, Service};
use super::host;
use super::signer::SignerStream;
use super::unconfigured::Unconfigured;
use super::vm::Stream;
use crate::contract::names::{ROOT_GATEWAY, ROOT_SIGNER};
use crate::random::Random;
use crate::routing::active_config::ActiveConfig;

/// One of the two roles, or neither as long as no configuration was accepted.
#[derive(Default)]
pub(super) enum Root {
    /// Refuses everything.
    #[default]
    Unconfigured,
    /// The role in the listener.
    Gateway(Rc<Service>),
    /// The role in the failover clusters.
    Signer,
}

impl Root {
    /// Takes the configuration that Envoy holds for this plugin. False, and an error in the log, if it is not good.
    pub(super) fn configure(&mut self, size: usize) -> bool {
        match Self::read(size) {
            Ok(root) => *self = root,
            Err(error) => {
                log::error!("configuration: {error}");
                return false;
            }
        }
        true
    }

    /// Begins a stream. `root_id` is the number of this plugin.
    pub(super) fn stream(&self, root_id: u32) -> Stream {
        match self {
            Self::Unconfigured => Stream::Unconfigured(Unconfigured::new(root_id)),
            Self::Gateway(service) => {
                Stream::Gateway(Box::new(GatewayStream::new(Rc::clone(service), root_id)))
            }
            Self::Signer => Stream::Signer(SignerStream::default()),
        }
    }

    fn read(size: usize) -> Result<Self, String> {
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

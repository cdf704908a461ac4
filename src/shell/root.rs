//! A plugin of the VM: reads its configuration and makes a context for each stream.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use super::gateway::GatewayStream;
use super::signer::SignerStream;
use super::{host, reply};
use crate::gateway::Gateway;
use crate::random::Random;
use crate::reject::Reject;
use crate::wiring::{ROOT_GATEWAY, ROOT_SIGNER};

/// One of the two roles, or neither as long as no configuration was accepted.
#[derive(Default)]
pub(super) enum Root {
    /// Refuses everything.
    #[default]
    Unconfigured,
    /// The role in the listener.
    Gateway(Rc<Gateway>, Rc<RefCell<Random>>),
    /// The role in the failover clusters.
    Signer,
}

impl Root {
    fn configure(&mut self, size: usize) -> Result<(), String> {
        let root_id = host::property("plugin_root_id").map_err(|error| format!("no root id: {error:?}"))?;
        let root_id = root_id.unwrap_or_default();
        *self = if root_id == ROOT_SIGNER.as_bytes() {
            Self::Signer
        } else if root_id == ROOT_GATEWAY.as_bytes() {
            let json =
                host::plugin_configuration(size).map_err(|error| format!("not readable: {error:?}"))?;
            let gateway =
                Gateway::new(&json, |name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
            let seed = RandomState::new().hash_one(size);
            Self::Gateway(Rc::new(gateway), Rc::new(RefCell::new(Random::new(seed))))
        } else {
            let found = String::from_utf8_lossy(&root_id);
            return Err(format!(
                "root_id: expected {ROOT_GATEWAY} or {ROOT_SIGNER}, but found {found:?}"
            ));
        };
        Ok(())
    }
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let result = self.configure(size);
        if let Err(error) = &result {
            log::error!("envoy-bedrock configuration: {error}");
        }
        result.is_ok()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(match self {
            Self::Unconfigured => Box::new(Unconfigured),
            Self::Gateway(gateway, random) => {
                Box::new(GatewayStream::new(Rc::clone(gateway), Rc::clone(random)))
            }
            Self::Signer => Box::new(SignerStream::default()),
        })
    }
}

/// A stream of a plugin without a configuration.
struct Unconfigured;

impl Context for Unconfigured {}

impl HttpContext for Unconfigured {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        reply::send(&Reject::Host.reply())
    }
}

//! A plugin of the VM, in either role: accepts its configuration and creates its streams.

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};

use super::broker::BrokerCalls;
use super::envoy::Envoy;
use super::gateway::GatewayContext;
use super::signer::SignerContext;
use super::{CARRIED, CREDENTIALS, OUTLOOK, host, logger, ticker};
use crate::contract::names::{ROOT_GATEWAY, ROOT_SIGNER};
use crate::routing::active_config::ActiveConfig;
use crate::stream::service::Service;

proxy_wasm::main! {{
    logger::install();
    proxy_wasm::set_root_context(|context_id| {
        Box::new(Plugin { context_id, role: Role::Gateway(None), calls: BrokerCalls::default() })
    });
}}

struct Plugin {
    context_id: u32,
    role: Role,
    calls: BrokerCalls,
}

enum Role {
    /// Envoy's downstream HTTP filter. Refuses every stream until it has accepted a configuration.
    Gateway(Option<Rc<Service>>),
    /// Envoy's upstream HTTP filter.
    Signer,
}

impl Role {
    /// Reads the role, and its configuration of `size` bytes, from Envoy.
    fn read(size: usize) -> Result<Self, String> {
        let unreadable = |error| format!("could not be read: {error:?}");
        let root_id = host::property("plugin_root_id").map_err(unreadable)?;
        let root_id = root_id.unwrap_or_default();
        if root_id == ROOT_SIGNER.as_bytes() {
            return Ok(Self::Signer);
        }
        if root_id != ROOT_GATEWAY.as_bytes() {
            let found = format!("{:?}", String::from_utf8_lossy(&root_id));
            return Err(format!(
                "root_id: expected {ROOT_GATEWAY} or {ROOT_SIGNER}, but found {found}"
            ));
        }
        let json = host::buffer(BufferType::PluginConfiguration, 0, size).map_err(unreadable)?;
        let variable = |name: &str| std::env::var(name).ok();
        let config = CREDENTIALS.with(|store| ActiveConfig::with_store(&json, variable, store));
        let config = config.map_err(|error| error.to_string())?;
        let seed = RandomState::new().hash_one(size);
        Ok(Self::Gateway(Some(Rc::new(Service::open(
            config,
            seed,
            CARRIED.with(Clone::clone),
            OUTLOOK.with(Rc::clone),
            &Envoy,
        )))))
    }
}

impl Plugin {
    /// The service, if its configuration has credentials of the broker.
    fn brokered(&self) -> Option<Rc<Service>> {
        let Role::Gateway(Some(service)) = &self.role else {
            return None;
        };
        service.config().brokered.is_some().then(|| Rc::clone(service))
    }
}

impl Context for Plugin {
    fn on_http_call_response(&mut self, token: u32, _: usize, body_size: usize, _: usize) {
        if let Role::Gateway(Some(service)) = &self.role {
            self.calls.finish(service, token, body_size);
            ticker::check_all();
        }
    }
}

impl RootContext for Plugin {
    /// Accepts a configuration. If it is invalid, keeps the previous one and returns false.
    fn on_configure(&mut self, size: usize) -> bool {
        let role = Role::read(size);
        if let Err(error) = &role {
            log::error!("configuration: {error}");
        }
        let is_valid = role.map(|role| self.role = role).is_ok();
        if self.brokered().is_some()
            && let Err(error) = ticker::run(self.context_id)
        {
            log::error!("the timer for credentials could not be started: {error:?}");
            return false;
        }
        is_valid
    }

    fn on_tick(&mut self) {
        let brokered = self.brokered();
        if let Some(service) = &brokered {
            self.calls.begin(service);
        }
        ticker::tick(self.context_id, brokered.is_some());
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match &self.role {
            Role::Gateway(service) => {
                Box::new(GatewayContext::new(context_id, self.context_id, service.clone()))
            }
            Role::Signer => Box::new(SignerContext::default()),
        })
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        ticker::forget(self.context_id);
    }
}

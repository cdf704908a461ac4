//! A VM: one instance of the module, with its root contexts and everything its host remembers.

use std::cell::{Ref, RefCell, RefMut};
use std::fmt;
use std::rc::Rc;

use wasmtime::{Instance, Module, Store, Val};

use crate::headers::HeaderMap;
use crate::host::{CalloutResponse, Context, Host, LogLine};
use crate::http::ClientRequest;
use crate::imports::{ALLOWED_AT_START, linker};
use crate::module::{ENGINE, filter};
use crate::plan::FaultPlan;

/// The end of a VM: the module trapped, or did what this host refuses. Everything after it fails the same way, as in
/// Envoy, where a request on a failed VM gets a 503.
#[derive(Clone)]
pub struct Trap {
    /// The callback in which it happened.
    pub callback: &'static str,
    /// Cause and WebAssembly backtrace.
    pub message: String,
    /// The module's log so far: a Rust panic is its last line.
    pub log: Vec<LogLine>,
}

impl fmt::Debug for Trap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "trap in {}: {}", self.callback, self.message)?;
        self.log
            .iter()
            .try_for_each(|line| writeln!(out, "log {}: {}", line.level, line.text))
    }
}

/// Why a VM did not start.
#[derive(Clone, Debug)]
pub enum StartError {
    /// The module is not for this host: a missing import or export.
    Link(String),
    /// It trapped.
    Trap(Trap),
    /// `proxy_on_vm_start` or `proxy_on_configure` answered false for this plugin.
    Refused {
        /// Its root id.
        root_id: String,
        /// The module's log, which should say why.
        log: Vec<LogLine>,
    },
}

impl From<Trap> for StartError {
    fn from(trap: Trap) -> StartError {
        StartError::Trap(trap)
    }
}

/// A VM. Clones are handles to the same one.
#[derive(Clone)]
pub struct Vm(Rc<RefCell<Inner>>);

struct Inner {
    store: Store<Host>,
    instance: Instance,
    /// Root id and context of the plugins that are in use.
    roots: Vec<(String, u32)>,
    next_context: u32,
    failed: Option<Trap>,
}

/// Linear memory that Envoy lets a VM have.
const MEMORY_MAX_BYTES: usize = 1024 * 1024 * 1024;

impl Vm {
    /// Starts the filter with environment variables and plugins (root id and configuration), all in one VM.
    pub fn start(environment: &[(&str, &str)], plugins: &[(&str, &str)]) -> Result<Vm, StartError> {
        Vm::start_with(filter(), environment, plugins, FaultPlan::default())
    }

    /// The same for any module, with faults.
    pub fn start_with(
        module: &Module,
        environment: &[(&str, &str)],
        plugins: &[(&str, &str)],
        plan: FaultPlan,
    ) -> Result<Vm, StartError> {
        let vm = Vm::instantiate(module, environment, plan)?;
        vm.initialize()?;
        for (root_id, configuration) in plugins {
            vm.plug(root_id, configuration)?;
        }
        Ok(vm)
    }

    fn instantiate(module: &Module, environment: &[(&str, &str)], plan: FaultPlan) -> Result<Vm, StartError> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut store = Store::new(&ENGINE, Host::new(environment.iter().map(owned).collect(), plan));
        store.limiter(|host| &mut host.limits);
        store.data_mut().limits = wasmtime::StoreLimitsBuilder::new()
            .memory_size(MEMORY_MAX_BYTES)
            .build();
        let link = |error: wasmtime::Error| StartError::Link(format!("{error:#}"));
        let instance = linker(&ENGINE).instantiate(&mut store, module).map_err(link)?;
        for wanted in [
            &["proxy_abi_version_0_2_1"][..],
            &["memory"],
            &["malloc", "proxy_on_memory_allocate"],
        ] {
            if !wanted
                .iter()
                .any(|name| instance.get_export(&mut store, name).is_some())
            {
                return Err(StartError::Link(format!(
                    "expected an export {}, but found none",
                    wanted.join(" or ")
                )));
            }
        }
        let inner = Inner {
            store,
            instance,
            roots: Vec::new(),
            next_context: 1,
            failed: None,
        };
        Ok(Vm(Rc::new(RefCell::new(inner))))
    }

    fn initialize(&self) -> Result<(), Trap> {
        self.host_mut().allowed = Some(ALLOWED_AT_START);
        if self.call(0, "_initialize", &[])?.is_some() {
            if self.call(0, "main", &[0, 0])?.is_none() {
                self.call(0, "__main_void", &[])?;
            }
        } else {
            self.call(0, "_start", &[])?;
        }
        self.host_mut().allowed = None;
        Ok(())
    }

    fn plug(&self, root_id: &str, configuration: &str) -> Result<(), StartError> {
        let root = self.allocate(Context::Root {
            root_id: root_id.to_owned(),
        });
        let size = configuration.len() as u32;
        let set =
            |value: Option<&str>| self.host_mut().configuration = value.map(|text| text.as_bytes().to_vec());
        set(Some(configuration));
        self.call(root, "proxy_on_context_create", &[root, 0])?;
        set(None);
        let mut accepted = self.call(root, "proxy_on_vm_start", &[root, 0])? != Some(Some(0));
        if accepted {
            set(Some(configuration));
            accepted = self.call(root, "proxy_on_configure", &[root, size])? != Some(Some(0));
            set(None);
        }
        if !accepted {
            return Err(StartError::Refused {
                root_id: root_id.to_owned(),
                log: self.host().log.clone(),
            });
        }
        let mut inner = self.0.borrow_mut();
        inner.roots.retain(|(other, _)| other != root_id);
        inner.roots.push((root_id.to_owned(), root));
        Ok(())
    }

    /// Gives a plugin a new configuration as Envoy does: a second root context beside the first, which then goes.
    /// When the new one is refused, the old one stays.
    pub fn reload(&self, root_id: &str, configuration: &str) -> Result<(), StartError> {
        let old = self.root(root_id);
        self.plug(root_id, configuration)?;
        Ok(self.retire(old)?)
    }

    /// Ends every plugin.
    pub fn shut_down(&self) -> Result<(), Trap> {
        let roots = std::mem::take(&mut self.0.borrow_mut().roots);
        roots.into_iter().try_for_each(|(_, root)| self.retire(root))
    }

    fn retire(&self, root: u32) -> Result<(), Trap> {
        if self.call(root, "proxy_on_done", &[root])? == Some(Some(0)) {
            self.host_mut().pending_done.insert(root);
            return Ok(());
        }
        self.delete(root)
    }

    /// Begins a request in the gateway role's place: root id `gateway`.
    pub fn request<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> ClientRequest {
        ClientRequest::new(self.clone(), HeaderMap::new(headers))
    }

    /// Fires the timer of a plugin, whatever its period.
    pub fn tick(&self, root_id: &str) -> Result<(), Trap> {
        let root = self.root(root_id);
        self.call(root, "proxy_on_tick", &[root]).map(drop)
    }

    /// Tells the plugin that registered a shared queue about its entries.
    pub fn queue_ready(&self, name: &str) -> Result<(), Trap> {
        let position = self
            .host()
            .queues
            .iter()
            .position(|queue| queue.name == name)
            .expect("a registered queue");
        let root = self.host().queues[position].root;
        self.call(root, "proxy_on_queue_ready", &[root, position as u32 + 1])
            .map(drop)
    }

    /// Answers an outgoing call, or with `None` lets it fail. Panics when the call does not wait any more, as when
    /// the context that made it is gone.
    pub fn answer(&self, token: u32, response: Option<CalloutResponse>) -> Result<(), Trap> {
        let mut host = self.host_mut();
        let position = host
            .callouts
            .iter()
            .position(|call| call.token == token)
            .expect("a call that waits");
        let root = host.callouts.remove(position).root;
        let count = |headers: &HeaderMap| headers.pairs().len() as u32;
        let sizes = response.as_ref().map_or([0; 3], |response| {
            [
                count(&response.headers),
                response.body.len() as u32,
                count(&response.trailers),
            ]
        });
        host.answer = response;
        drop(host);
        let arguments = [root, token, sizes[0], sizes[1], sizes[2]];
        let outcome = self.call(root, "proxy_on_http_call_response", &arguments);
        self.host_mut().answer = None;
        outcome.map(drop)
    }

    /// What the host remembers.
    pub fn host(&self) -> Ref<'_, Host> {
        Ref::map(self.0.borrow(), |inner| inner.store.data())
    }

    /// The same, to set the clock, the log level or shared data.
    pub fn host_mut(&self) -> RefMut<'_, Host> {
        RefMut::map(self.0.borrow_mut(), |inner| inner.store.data_mut())
    }

    /// Size of the linear memory in bytes. It never shrinks: in a test for leaks it has to stop growing.
    pub fn memory_bytes(&self) -> usize {
        let inner = &mut *self.0.borrow_mut();
        let memory = inner
            .instance
            .get_memory(&mut inner.store, "memory")
            .expect("a memory");
        memory.data_size(&inner.store)
    }

    /// Whether a trap ended this VM.
    pub fn is_dead(&self) -> bool {
        self.0.borrow().failed.is_some()
    }

    pub(crate) fn root(&self, root_id: &str) -> u32 {
        let inner = self.0.borrow();
        let found = inner.roots.iter().find(|(other, _)| other == root_id);
        found
            .unwrap_or_else(|| panic!("expected a plugin {root_id}, but found none"))
            .1
    }

    /// Gives a context its id.
    pub(crate) fn allocate(&self, context: Context) -> u32 {
        let mut inner = self.0.borrow_mut();
        let id = inner.next_context;
        inner.next_context += 1;
        inner.store.data_mut().contexts.insert(id, context);
        id
    }

    /// Ends a context in the module and here. Calls that it waits for are cancelled.
    pub(crate) fn delete(&self, context: u32) -> Result<(), Trap> {
        self.call(context, "proxy_on_delete", &[context])?;
        let mut host = self.host_mut();
        host.contexts.remove(&context);
        host.callouts.retain(|call| call.context != context);
        Ok(())
    }

    /// Calls an export. `None` when the module has none of this name; `Some(None)` when it returns nothing.
    pub(crate) fn call(
        &self,
        context: u32,
        export: &'static str,
        arguments: &[u32],
    ) -> Result<Option<Option<u32>>, Trap> {
        let outcome = self.0.borrow_mut().call(context, export, arguments)?;
        let done = std::mem::take(&mut self.host_mut().done);
        done.into_iter().try_for_each(|root| self.delete(root))?;
        Ok(outcome)
    }
}

impl Inner {
    fn call(
        &mut self,
        context: u32,
        export: &'static str,
        arguments: &[u32],
    ) -> Result<Option<Option<u32>>, Trap> {
        if let Some(trap) = &self.failed {
            return Err(trap.clone());
        }
        let Some(function) = self.instance.get_func(&mut self.store, export) else {
            return Ok(None);
        };
        let arguments: Vec<Val> = arguments.iter().map(|word| Val::I32(*word as i32)).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let host = self.store.data_mut();
        (host.current, host.effective) = (context, 0);
        *host.callbacks.entry(export).or_default() += 1;
        let outcome = function.call(&mut self.store, &arguments, &mut results);
        let host = self.store.data_mut();
        (host.current, host.effective) = (0, 0);
        if let Err(error) = outcome {
            let trap = Trap {
                callback: export,
                message: format!("{error:#}"),
                log: host.log.clone(),
            };
            self.failed = Some(trap.clone());
            return Err(trap);
        }
        Ok(Some(results.first().map(|result| result.unwrap_i32() as u32)))
    }
}

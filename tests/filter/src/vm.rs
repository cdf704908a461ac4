//! A VM: one instance of the module, its root contexts, and the state of its host.

use std::cell::{Ref, RefCell, RefMut};
use std::fmt;
use std::rc::Rc;

use wasmtime::{Instance, Module, Store, Val};

use crate::fault::FaultPlan;
use crate::header_map::HeaderMap;
use crate::host::{Context, Host, LogLine};
use crate::imports::{ALLOWED_AT_START, linker};
use crate::module::{ENGINE, filter};

/// The end of a VM: the module trapped, or did something that this host does not allow. Every later
/// call fails the same way. In Envoy, a request on a failed VM gets a 503.
#[derive(Clone)]
pub struct Trap {
    /// The callback in which it happened.
    pub callback: &'static str,
    /// Cause and WebAssembly backtrace.
    pub message: String,
    /// The module's log so far. The last line of a Rust panic is its message.
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
    /// The module does not fit this host: an import or export is missing.
    Link(String),
    /// It trapped.
    Trap(Trap),
    /// `proxy_on_vm_start` or `proxy_on_configure` returned false for a plugin.
    Refused {
        /// Its root id.
        root_id: String,
        /// The module's log, which should have the reason.
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
    /// Root id and context of each active plugin.
    roots: Vec<(String, u32)>,
    next_context: u32,
    failed: Option<Trap>,
}

/// The most linear memory that Envoy gives a VM.
const MEMORY_MAX_BYTES: usize = 1024 * 1024 * 1024;

impl Vm {
    /// Starts the filter with environment variables and plugins (root id and configuration).
    pub fn start(environment: &[(&str, &str)], plugins: &[(&str, &str)]) -> Result<Vm, StartError> {
        Vm::start_with(filter(), environment, plugins, FaultPlan::default())
    }

    /// The same for any module, under a fault plan.
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
                    "the module has no export {}",
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

    /// Reconfigures a plugin like Envoy: a second root context is created, then the first one ends.
    /// If the plugin refuses the new configuration, the first one stays.
    pub fn reload(&self, root_id: &str, configuration: &str) -> Result<(), StartError> {
        let old = self.root(root_id);
        self.plug(root_id, configuration)?;
        Ok(self.end(old)?)
    }

    /// Ends every plugin.
    pub fn shut_down(&self) -> Result<(), Trap> {
        let roots = std::mem::take(&mut self.0.borrow_mut().roots);
        roots.into_iter().try_for_each(|(_, root)| self.end(root))
    }

    /// Fires the timer of a plugin, regardless of its period.
    pub fn tick(&self, root_id: &str) -> Result<(), Trap> {
        let root = self.root(root_id);
        self.call(root, "proxy_on_tick", &[root]).map(drop)
    }

    /// Answers the call `token` of a plugin. Without headers, Envoy could not reach the cluster, or
    /// the answer came too late.
    pub fn answer(&self, token: u32, headers: HeaderMap, body: &[u8]) -> Result<(), Trap> {
        let root = {
            let mut host = self.host_mut();
            let index = host.callouts.iter().position(|callout| callout.token == token);
            let callout = host.callouts.remove(index.expect("a call without an answer"));
            host.answer = Some((headers.clone(), body.to_vec()));
            callout.root
        };
        let sizes = [headers.pairs().len() as u32, body.len() as u32, 0];
        let arguments = [&[root, token][..], &sizes].concat();
        let done = self.call(root, "proxy_on_http_call_response", &arguments);
        self.host_mut().answer = None;
        done.map(drop)
    }

    /// The state of the host.
    pub fn host(&self) -> Ref<'_, Host> {
        Ref::map(self.0.borrow(), |inner| inner.store.data())
    }

    /// The same, to set the clock or shared data.
    pub fn host_mut(&self) -> RefMut<'_, Host> {
        RefMut::map(self.0.borrow_mut(), |inner| inner.store.data_mut())
    }

    /// The size of the linear memory. It never shrinks; in a test for leaks it must stop growing.
    pub fn memory_bytes(&self) -> usize {
        let inner = &mut *self.0.borrow_mut();
        let memory = inner
            .instance
            .get_memory(&mut inner.store, "memory")
            .expect("a memory");
        memory.data_size(&inner.store)
    }

    /// Whether a trap has ended this VM.
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

    /// Adds a context and returns its id.
    pub(crate) fn allocate(&self, context: Context) -> u32 {
        let mut inner = self.0.borrow_mut();
        let id = inner.next_context;
        inner.next_context += 1;
        inner.store.data_mut().contexts.insert(id, context);
        id
    }

    /// Ends a context: `proxy_on_done`, then `proxy_on_delete`. Traps if the module wants to end it
    /// later, because this host does not serve `proxy_done`.
    pub(crate) fn end(&self, context: u32) -> Result<(), Trap> {
        const DONE: &str = "proxy_on_done";
        if self.call(context, DONE, &[context])? == Some(Some(0)) {
            return Err(Trap {
                callback: DONE,
                message: format!("context {context} is not done"),
                log: self.host().log.clone(),
            });
        }
        self.call(context, "proxy_on_delete", &[context])?;
        let mut host = self.host_mut();
        host.contexts.remove(&context);
        // As in Envoy, the calls of a plugin end with it.
        host.callouts.retain(|callout| callout.root != context);
        Ok(())
    }

    /// Calls an export. Returns `None` if the module does not have it, and `Some(None)` if it has
    /// no result.
    pub(crate) fn call(
        &self,
        context: u32,
        export: &'static str,
        arguments: &[u32],
    ) -> Result<Option<Option<u32>>, Trap> {
        self.0.borrow_mut().call(context, export, arguments)
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

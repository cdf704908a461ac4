//! The state of one VM's host: what the module can read, and what it has logged and called.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::abi::Status;
use crate::fault::FaultPlan;
use crate::header_map::HeaderMap;

/// A line that the module wrote to Envoy's log. Standard output has level 2, standard error 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// 0 trace, 1 debug, 2 info, 3 warning, 4 error, 5 critical.
    pub level: u32,
    /// The message.
    pub text: String,
}

/// A host call that the module made, WASI included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCall {
    /// Name of the import, such as `proxy_get_property`.
    pub function: &'static str,
    /// The context whose callback made it; 0 while the VM starts.
    pub context: u32,
    /// Texts, kinds, numbers and pair counts, in the order of the ABI, but no pointers. Bytes that
    /// are not UTF-8 show as replacement characters.
    pub arguments: Vec<String>,
    /// The status; for WASI the error number.
    pub status: u32,
}

/// Kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostMetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Collects samples.
    Histogram,
}

/// A metric that the module defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostMetric {
    /// Its kind.
    pub kind: HostMetricKind,
    /// Its name, without Envoy's prefix `wasmcustom.`.
    pub name: String,
    /// Value of a counter or gauge.
    pub value: u64,
    /// Samples of a histogram, in order.
    pub samples: Vec<u64>,
}

/// An HTTP call of a plugin that has no answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCallout {
    /// The module's name for it.
    pub token: u32,
    /// The root context that made it.
    pub(crate) root: u32,
    /// The cluster.
    pub cluster: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// How long the answer may take.
    pub timeout_milliseconds: u32,
}

/// A response that the module sent itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalResponse {
    /// HTTP status.
    pub status: u32,
    /// The module's headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// Envoy's response code details, with underscores for white space.
    pub details: String,
}

/// One direction of a stream: what Envoy holds, and what of it the module may access now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    pub headers: HeaderMap,
    pub headers_open: bool,
    pub body: Vec<u8>,
    pub body_open: bool,
    /// The body is held because the module paused in a body callback.
    pub buffering: bool,
    pub trailers: HeaderMap,
    pub trailers_open: bool,
}

/// The properties that the module can read, by NUL-separated path.
pub(crate) type Properties = BTreeMap<Vec<u8>, Vec<u8>>;

/// The properties that the module has set on a stream, without Envoy's prefix `wasm.`. The signer's
/// streams share them with the gateway's.
pub(crate) type FilterState = Rc<RefCell<BTreeMap<Vec<u8>, Vec<u8>>>>;

/// An HTTP context.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpContext {
    pub root: u32,
    pub request: Side,
    pub response: Side,
    pub properties: Properties,
    pub filter_state: FilterState,
    pub local: Option<LocalResponse>,
    /// The module has called `proxy_continue_stream`, which takes effect after the callback.
    pub resumed: bool,
    /// The access log is being written: maps can be read but not written.
    pub logging: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Context {
    Root { root_id: String },
    Stream(Box<HttpContext>),
}

/// The state of one VM's host. Tests read all of it, and set the clock and shared data.
pub struct Host {
    /// UNIX time in nanoseconds, for both clocks.
    pub now_nanoseconds: u64,
    /// What the module has logged, at any level.
    pub log: Vec<LogLine>,
    /// Every host call so far.
    pub journal: Vec<HostCall>,
    /// How often each callback that the module exports was made.
    pub callbacks: BTreeMap<&'static str, usize>,
    /// Shared data: value and compare-and-swap number.
    pub shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    /// Metrics by id.
    pub metrics: BTreeMap<u32, HostMetric>,
    /// Tick periods in milliseconds by root context; 0 is off.
    pub ticks: BTreeMap<u32, u32>,
    /// The calls that have no answer yet, in order.
    pub callouts: Vec<HostCallout>,

    pub(crate) environment: Vec<(String, String)>,
    pub(crate) contexts: BTreeMap<u32, Context>,
    pub(crate) current: u32,
    pub(crate) effective: u32,
    pub(crate) configuration: Option<Vec<u8>>,
    pub(crate) allowed: Option<&'static [&'static str]>,
    pub(crate) plan: FaultPlan,
    pub(crate) random: u64,
    pub(crate) next_cas: u32,
    pub(crate) next_token: u32,
    /// Headers and body of the answer in whose callback the module is.
    pub(crate) answer: Option<(HeaderMap, Vec<u8>)>,
    pub(crate) limits: wasmtime::StoreLimits,
}

impl Host {
    pub(crate) fn new(environment: Vec<(String, String)>, plan: FaultPlan) -> Host {
        let random = plan.entropy();
        Host {
            now_nanoseconds: 1_700_000_000_000_000_000,
            log: Vec::new(),
            journal: Vec::new(),
            callbacks: BTreeMap::new(),
            shared: BTreeMap::new(),
            metrics: BTreeMap::new(),
            ticks: BTreeMap::new(),
            callouts: Vec::new(),
            environment,
            contexts: BTreeMap::new(),
            current: 0,
            effective: 0,
            configuration: None,
            allowed: None,
            plan,
            random,
            next_cas: 0,
            next_token: 0,
            answer: None,
            limits: wasmtime::StoreLimits::default(),
        }
    }

    /// The log as text, one message per line.
    pub fn log_text(&self) -> String {
        self.log.iter().map(|line| format!("{}\n", line.text)).collect()
    }

    /// How often the module called `function`.
    pub fn count(&self, function: &str) -> usize {
        self.journal
            .iter()
            .filter(|call| call.function == function)
            .count()
    }

    /// The metric of this name, or `None` if it was never defined.
    pub fn metric(&self, name: &str) -> Option<&HostMetric> {
        self.metrics.values().find(|metric| metric.name == name)
    }

    /// The number of live HTTP contexts.
    pub fn streams(&self) -> usize {
        self.contexts
            .values()
            .filter(|context| matches!(context, Context::Stream(_)))
            .count()
    }

    /// The context that host calls are about.
    pub(crate) fn subject(&self) -> u32 {
        if self.effective != 0 && self.contexts.contains_key(&self.effective) {
            self.effective
        } else {
            self.current
        }
    }

    pub(crate) fn stream(&mut self) -> Option<&mut HttpContext> {
        match self.contexts.get_mut(&self.subject()) {
            Some(Context::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    pub(crate) fn stream_of(&mut self, context: u32) -> &mut HttpContext {
        match self.contexts.get_mut(&context) {
            Some(Context::Stream(stream)) => stream,
            other => panic!("expected context {context} to be a stream, but found {other:?}"),
        }
    }

    /// The root context of the subject.
    pub(crate) fn root(&self) -> u32 {
        match self.contexts.get(&self.subject()) {
            Some(Context::Stream(stream)) => stream.root,
            _ => self.subject(),
        }
    }

    pub(crate) fn next_random(&mut self) -> u8 {
        // xorshift64: the same bytes in every run.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random.to_le_bytes()[3]
    }

    pub(crate) fn set_shared(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        if let Some((_, held)) = self.shared.get(key)
            && cas != 0
            && cas != *held
        {
            return Err(Status::CasMismatch);
        }
        self.next_cas += 1;
        self.shared.insert(key.to_vec(), (value.to_vec(), self.next_cas));
        Ok(())
    }
}

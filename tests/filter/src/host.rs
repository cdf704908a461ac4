//! Everything that one VM's host remembers: what the module can ask for, and what it said and did.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use crate::abi::Status;
use crate::headers::HeaderMap;
use crate::plan::FaultPlan;

/// A line that the module wrote to Envoy's log. `fd_write` to standard output is `Info`, to standard error `Error`.
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
    /// Context in whose callback it was made; 0 while the VM starts.
    pub context: u32,
    /// The arguments that carry meaning (texts, kinds, numbers, pair counts), in the order of the ABI. Bytes that
    /// are not UTF-8 are shown as replacement characters.
    pub arguments: Vec<String>,
    /// The status or, for WASI, the error number.
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
    /// Its name, without Envoy's `wasmcustom.` in front.
    pub name: String,
    /// Value of a counter or gauge.
    pub value: u64,
    /// Samples of a histogram, in order.
    pub samples: Vec<u64>,
}

/// A request that the module made with `proxy_http_call`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callout {
    /// What identifies it in the answer.
    pub token: u32,
    /// Context that made it.
    pub context: u32,
    /// Root context that will hear the answer.
    pub root: u32,
    /// Name of the cluster.
    pub cluster: String,
    /// Request headers, with `:path`, `:method` and `:authority`.
    pub headers: HeaderMap,
    /// Request body.
    pub body: Vec<u8>,
    /// Milliseconds; 0 for none.
    pub timeout_milliseconds: u32,
}

/// The answer to a [`Callout`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalloutResponse {
    /// Response headers, with `:status`.
    pub headers: HeaderMap,
    /// Response body.
    pub body: Vec<u8>,
    /// Response trailers.
    pub trailers: HeaderMap,
}

/// A response that the module made itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalResponse {
    /// HTTP status.
    pub status: u32,
    /// HeaderMap that the module gave.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// Envoy's response code details, white space replaced by underscores.
    pub details: String,
}

/// One direction of a stream: what Envoy holds, and which of it the module may touch now.
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
    /// `continue_stream` was called; the driver has not acted on it yet.
    pub resumed: bool,
}

/// A property that the module can read.
pub(crate) type Properties = BTreeMap<Vec<u8>, Vec<u8>>;

/// What the module set on a stream, without `wasm.` in front. The signer's streams are the gateway's in this.
pub(crate) type FilterState = Rc<RefCell<BTreeMap<Vec<u8>, Vec<u8>>>>;

/// An HTTP context.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpContext {
    pub root: u32,
    pub request: Side,
    pub response: Side,
    /// NUL-separated paths.
    pub properties: Properties,
    pub filter_state: FilterState,
    pub local: Option<LocalResponse>,
    pub reset: bool,
    /// The access log is being written: maps can be read, and none written.
    pub logging: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Context {
    Root { root_id: String },
    Stream(Box<HttpContext>),
}

#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub name: String,
    pub root: u32,
    pub entries: VecDeque<Vec<u8>>,
}

/// The state of one VM's host. Tests read it, and set what has a setter on [`crate::Vm`].
pub struct Host {
    /// UNIX time in nanoseconds, for both clocks.
    pub now_nanoseconds: u64,
    /// Lowest level that Envoy logs; what `proxy_get_log_level` answers.
    pub log_level: u32,
    /// What the module logged, whatever the level.
    pub log: Vec<LogLine>,
    /// Every host call since the start.
    pub journal: Vec<HostCall>,
    /// Callbacks that the module exports, and how often each was made.
    pub callbacks: BTreeMap<&'static str, usize>,
    /// Shared data: value and compare-and-swap number.
    pub shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    /// Metrics by id.
    pub metrics: BTreeMap<u32, HostMetric>,
    /// Outgoing calls that are not answered yet.
    pub callouts: Vec<Callout>,
    /// Names of the clusters that `proxy_http_call` can reach.
    pub clusters: BTreeSet<String>,
    /// Tick periods in milliseconds by root context; 0 is off.
    pub ticks: BTreeMap<u32, u32>,

    pub(crate) environment: Vec<(String, String)>,
    pub(crate) contexts: BTreeMap<u32, Context>,
    pub(crate) current: u32,
    pub(crate) effective: u32,
    pub(crate) configuration: Option<Vec<u8>>,
    pub(crate) answer: Option<CalloutResponse>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) allowed: Option<&'static [&'static str]>,
    pub(crate) pending_done: BTreeSet<u32>,
    pub(crate) done: Vec<u32>,
    pub(crate) plan: FaultPlan,
    pub(crate) random: u64,
    pub(crate) next_cas: u32,
    pub(crate) next_callout: u32,
    pub(crate) limits: wasmtime::StoreLimits,
}

impl Host {
    pub(crate) fn new(environment: Vec<(String, String)>, plan: FaultPlan) -> Host {
        let random = plan.entropy();
        Host {
            now_nanoseconds: 1_700_000_000_000_000_000,
            log_level: 0,
            log: Vec::new(),
            journal: Vec::new(),
            callbacks: BTreeMap::new(),
            shared: BTreeMap::new(),
            metrics: BTreeMap::new(),
            callouts: Vec::new(),
            clusters: BTreeSet::new(),
            ticks: BTreeMap::new(),
            environment,
            contexts: BTreeMap::new(),
            current: 0,
            effective: 0,
            configuration: None,
            answer: None,
            queues: Vec::new(),
            allowed: None,
            pending_done: BTreeSet::new(),
            done: Vec::new(),
            plan,
            random,
            next_cas: 0,
            next_callout: 0,
            limits: wasmtime::StoreLimits::default(),
        }
    }

    /// The log as text, a line each: what a test greps for secrets.
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

    /// HTTP contexts that are alive.
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

    /// Root context of the subject; itself for a root.
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

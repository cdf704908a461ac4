//! Drives a [`Stream`] in tests, as the shell does.

use std::rc::Rc;

use crate::admission::reject::Reply;
use crate::headers::pairs;
use crate::random::Random;
use crate::records::row::Row;
use crate::routing::active_config::ActiveConfig;
use crate::routing::plan::Plan;
use crate::stream::{Buffer, Edit, Step, Stream, Then};
use crate::time::UnixTime;

/// A stream and the state that the host holds for it.
pub(crate) struct Driver {
    pub(crate) stream: Stream,
    /// The plan, once the request is dispatched.
    pub(crate) plan: Option<Rc<Plan>>,
    /// The local reply, if one was sent.
    pub(crate) reply: Option<Reply>,
    /// The headers that the gateway added to the response, once they are sent.
    pub(crate) added_headers: Vec<(String, String)>,
    /// The buffered response body; `None` if the response is not held.
    held: Option<Vec<u8>>,
    /// The status that the client received, according to Envoy.
    pub(crate) client_status: Option<u16>,
}

impl Buffer for &[u8] {
    fn size(&self) -> usize {
        self.len()
    }

    fn read(&self, start: usize, max_size: usize, receive: &mut dyn FnMut(&[u8])) -> usize {
        let bytes = self.get(start..).unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(max_size)];
        // In two pieces, as the body may be in several buffers.
        let (first, second) = bytes.split_at(bytes.len() / 2);
        receive(first);
        receive(second);
        bytes.len()
    }
}

/// Serializes `headers` as the host does.
pub(crate) fn serialized(headers: &[(&str, &str)]) -> Vec<u8> {
    let pairs = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    pairs::serialize(pairs)
}

impl Driver {
    /// Sends the headers of a request. With `end_stream`, it has no body.
    pub(crate) fn open(
        config: &Rc<ActiveConfig>,
        headers: &[(&str, &str)],
        end_stream: bool,
        now: UnixTime,
    ) -> Self {
        let mut driver = Self {
            stream: Stream::new(Some(Rc::clone(config)), Random::new(1)),
            plan: None,
            reply: None,
            added_headers: Vec::new(),
            held: None,
            client_status: None,
        };
        let step = driver
            .stream
            .request_headers(Some(serialized(headers)), end_stream, now);
        driver.apply(step);
        driver
    }

    /// Sends a complete request.
    pub(crate) fn request(
        config: &Rc<ActiveConfig>,
        headers: &[(&str, &str)],
        body: &[u8],
        now: UnixTime,
    ) -> Self {
        let mut driver = Self::open(config, headers, body.is_empty(), now);
        if !body.is_empty() {
            let step = driver.stream.request_body(&body, true, now);
            driver.apply(step);
        }
        driver
    }

    /// Receives the headers of the response. Returns whether they are held.
    pub(crate) fn response(&mut self, headers: &[(&str, &str)], now: UnixTime) -> bool {
        let step = self.stream.response_headers(serialized(headers), false, || now);
        let is_held = step.then == Then::Wait;
        self.held = is_held.then(Vec::new);
        self.apply(step);
        is_held
    }

    /// Receives the next bytes of the response. With `end_stream`, they are the last.
    pub(crate) fn body(&mut self, chunk: &[u8], end_stream: bool, now: impl Fn() -> UnixTime) {
        let mut buffer = self.held.take().unwrap_or_default();
        buffer.extend_from_slice(chunk);
        let step = self.stream.response_body(&&buffer[..], end_stream, now);
        self.held = (step.then == Then::Wait).then_some(buffer);
        self.apply(step);
    }

    pub(crate) fn close(&self, now: UnixTime) -> Row<'_> {
        self.stream.close(now, || self.client_status).unwrap()
    }

    fn apply(&mut self, step: Step) {
        for edit in step.edits {
            match edit {
                Edit::Plan(plan) => self.plan = Some(plan),
                Edit::ResponseHeaders(headers) => {
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    let pairs = headers.serialized();
                    let pairs = pairs::parse(&pairs).unwrap();
                    let pairs = pairs.iter().map(|(name, value)| (text(name), text(value)));
                    self.added_headers = pairs.filter(|(name, _)| name != ":status").collect();
                }
                _ => {}
            }
        }
        if let Then::Reply(reply) = step.then {
            self.reply = Some(reply);
        }
    }
}

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

/// A stream, and what the host holds for it.
pub(crate) struct Driver {
    pub(crate) stream: Stream,
    /// The plan, once the request is dispatched.
    pub(crate) plan: Option<Rc<Plan>>,
    /// The gateway's own reply.
    pub(crate) reply: Option<Reply>,
    /// The gateway's own response headers, once the response's headers have passed.
    pub(crate) own_headers: Vec<(String, String)>,
    /// Buffered bytes of the response; `None` if they pass.
    held: Option<Vec<u8>>,
    /// Status that the client got, as Envoy tells it at the end.
    pub(crate) client_status: Option<u16>,
}

impl Buffer for &[u8] {
    fn size(&self) -> usize {
        self.len()
    }

    fn read(&self, start: usize, max_size: usize) -> Option<Vec<u8>> {
        let end = self.len().min(start.saturating_add(max_size));
        self.get(start..end).map(<[u8]>::to_vec)
    }
}

/// `headers` in the ABI's serialised form.
pub(crate) fn serialised(headers: &[(&str, &str)]) -> Vec<u8> {
    let pairs = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    pairs::serialise(pairs)
}

impl Driver {
    /// Sends the headers of a request; with `ends` it has no body.
    pub(crate) fn open(
        config: &Rc<ActiveConfig>,
        headers: &[(&str, &str)],
        ends: bool,
        now: UnixTime,
    ) -> Self {
        let mut driver = Self {
            stream: Stream::new(Some(Rc::clone(config)), Random::new(1)),
            plan: None,
            reply: None,
            own_headers: Vec::new(),
            held: None,
            client_status: None,
        };
        let step = driver
            .stream
            .request_headers(Some(serialised(headers)), ends, now);
        driver.apply(step);
        driver
    }

    /// Sends a whole request.
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

    /// The headers of the response come. Returns whether they are held.
    pub(crate) fn response(&mut self, headers: &[(&str, &str)], now: UnixTime) -> bool {
        let step = self.stream.response_headers(serialised(headers), false, || now);
        let is_held = step.then == Then::Wait;
        self.held = is_held.then(Vec::new);
        self.apply(step);
        is_held
    }

    /// The next bytes of the response come; with `ends` they are the last.
    pub(crate) fn body(&mut self, chunk: &[u8], ends: bool, now: impl Fn() -> UnixTime) {
        let mut buffer = self.held.take().unwrap_or_default();
        buffer.extend_from_slice(chunk);
        let step = self.stream.response_body(&&buffer[..], ends, now);
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
                    let pairs = pairs::parse(&headers).unwrap();
                    let pairs = pairs.iter().map(|(name, value)| (text(name), text(value)));
                    self.own_headers = pairs.filter(|(name, _)| name != ":status").collect();
                }
                _ => {}
            }
        }
        if let Then::Reply(reply) = step.then {
            self.reply = Some(reply);
        }
    }
}

//! A request that could be dispatched, until there are credentials for it.

use std::rc::Rc;

use crate::admission::reject::Reject;
use crate::limits::Amount;
use crate::random::Random;
use crate::routing::brokered;
use crate::routing::plan::Plan;
use crate::stream::receiving::Receiving;
use crate::stream::request::CompleteRequest;
use crate::stream::step::Edit;
use crate::time::UnixTime;

/// How long a request waits for its first credentials, in milliseconds.
const WAIT_MILLISECONDS: u64 = 5000;

/// A request without credentials.
#[derive(Debug)]
pub(super) struct Waiting {
    request: CompleteRequest,
    /// The headers, serialized.
    headers: Vec<u8>,
    /// Since when it waits.
    since: UnixTime,
    /// `None` if the request has ended.
    pub(super) arriving: Option<ArrivingBody>,
}

/// The body of a streamed request, while it arrives.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArrivingBody {
    /// When the request's headers arrived.
    pub(super) started: UnixTime,
    /// The size of Envoy's buffer, in bytes.
    pub(super) buffered: usize,
}

impl Waiting {
    /// Ends what must be read of a request. Unless `has_ended`, its body is still arriving. Also
    /// returns the edit of the body, which must be made while the body is arriving, so before the
    /// wait.
    ///
    /// # Errors
    /// The [`Reject`] that ends the request.
    pub(super) fn begin(
        receiving: Receiving,
        has_ended: bool,
        now: UnixTime,
    ) -> Result<(Self, Option<Edit>), Reject> {
        let size = receiving.read_bytes;
        let (request, edit) = receiving.request.complete()?;
        let waiting = Self {
            request,
            headers: receiving.headers,
            since: now,
            arriving: (!has_ended).then_some(ArrivingBody {
                started: receiving.started,
                buffered: size,
            }),
        };
        Ok((waiting, edit.map(|edit| Edit::RequestBody { edit, size })))
    }

    /// Whether the request has credentials, or there is nothing to wait for.
    pub(super) fn is_over(&self, now: UnixTime) -> bool {
        let model = self.request.model();
        let has_credentials = || {
            let mut deployments = model.deployments.iter();
            deployments.any(|deployment| deployment.has_credentials(|| now))
        };
        let is_late = || now.milliseconds_since(self.since) >= WAIT_MILLISECONDS;
        has_credentials() || !brokered::is_waiting(model, now) || is_late()
    }

    /// What the request will probably use.
    pub(super) fn expected(&self) -> Amount {
        self.request.expected()
    }

    /// The body has grown to `size` bytes. With `end_stream`, it is complete.
    pub(super) fn body(&mut self, size: usize, end_stream: bool) {
        match &mut self.arriving {
            Some(_) if end_stream => self.arriving = None,
            Some(arriving) => arriving.buffered = size,
            None => {}
        }
    }

    /// Plans the attempts. Returns the edits that hand the request to Envoy's router.
    ///
    /// # Errors
    /// The [`Reject`] that ends the request.
    pub(super) fn dispatch(
        self,
        call_id: String,
        random: &mut Random,
        now: UnixTime,
    ) -> Result<(Rc<Plan>, Vec<Edit>), Reject> {
        let dispatch = self.request.dispatch(call_id, random, now)?;
        let headers = dispatch.headers(self.headers);
        let plan = Rc::new(dispatch.plan);
        let edits = vec![Edit::Plan(Rc::clone(&plan)), Edit::RequestHeaders(headers)];
        Ok((plan, edits))
    }
}

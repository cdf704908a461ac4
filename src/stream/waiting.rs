//! A complete request until its dispatch, which is at once if there are credentials for it.

use std::rc::Rc;

use crate::admission::reject::Reject;
use crate::headers::pairs;
use crate::random::Random;
use crate::routing::brokered;
use crate::routing::plan::Plan;
use crate::stream::receiving::Receiving;
use crate::stream::request::CompleteRequest;
use crate::stream::step::Edit;
use crate::time::UnixTime;

/// How long a request waits for its first credentials, in milliseconds.
const WAIT_MILLISECONDS: u64 = 5000;

/// A complete request without credentials.
#[derive(Debug)]
pub(super) struct Waiting {
    request: CompleteRequest,
    /// The headers, serialized.
    headers: Vec<u8>,
    /// When the request was complete.
    since: UnixTime,
}

impl Waiting {
    /// Ends the body of a request. Returns also the edit of the body, which must be made while the
    /// body is arriving, so before the wait.
    ///
    /// # Errors
    /// The [`Reject`] that ends the request.
    pub(super) fn begin(receiving: Receiving, now: UnixTime) -> Result<(Self, Option<Edit>), Reject> {
        let size = receiving.read_bytes;
        let (request, edit) = receiving.request.complete()?;
        let waiting = Self {
            request,
            headers: receiving.headers,
            since: now,
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
        has_credentials() || !brokered::is_waiting(model) || is_late()
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
        let headers = dispatch.headers(&pairs::parse(&self.headers).unwrap_or_default());
        let plan = Rc::new(dispatch.plan);
        let edits = vec![Edit::Plan(Rc::clone(&plan)), Edit::RequestHeaders(headers)];
        Ok((plan, edits))
    }
}

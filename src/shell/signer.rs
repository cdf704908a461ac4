//! A stream in the signer role: one attempt of a request.

use std::rc::Rc;

use super::host::HostError;
use super::{Action, host, plans, reply};
use crate::admission::reject::{HEADER_ERROR_TYPE, Reject};
use crate::contract::names::{HEADER_RETRY, PROPERTY_PLAN};
use crate::headers::pairs;
use crate::routing::plan::Plan;
use crate::time::UnixTime;

/// Property of the attempt's number: u64, little endian, the first is 1.
const PROPERTY_ATTEMPT: &str = "upstream\0request_attempt_count";
/// Property of the region cluster that Envoy has chosen: `METADATA_NAMESPACE`, `METADATA_CLUSTER`.
const PROPERTY_CLUSTER: &str = "xds\0upstream_host_metadata\0filter_metadata\0envoy-bedrock\0cluster";

/// An attempt, once it is known which.
#[derive(Default)]
pub(super) struct SignerStream(Option<(Rc<Plan>, u64)>);

/// Why an attempt is not made.
enum Failure {
    Host(HostError),
    Rejected(Reject),
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl From<Reject> for Failure {
    fn from(reject: Reject) -> Self {
        Self::Rejected(reject)
    }
}

impl SignerStream {
    pub(super) fn request_headers(&mut self) -> Action {
        match self.sign() {
            Ok(()) => Action::Continue,
            Err(Failure::Rejected(reject)) => {
                log::error!(
                    "an attempt was not signed: its plan is gone or its endpoint is not the planned one"
                );
                reply::send(&reject.reply())
            }
            Err(Failure::Host(error)) => {
                log::error!("a host call failed on an attempt: {error:?}");
                reply::send(&Reject::Host.reply())
            }
        }
    }

    /// What follows the headers goes with them: on if they were signed, nowhere if not.
    pub(super) fn pass(&self) -> Action {
        if self.0.is_some() {
            Action::Continue
        } else {
            Action::Pause
        }
    }

    pub(super) fn response_headers(&self) {
        if let Err(error) = self.mark_for_retry() {
            log::error!("a host call failed on an answer, which is passed on: {error:?}");
        }
    }

    fn sign(&mut self) -> Result<(), Failure> {
        let key = host::property(PROPERTY_PLAN)?.unwrap_or_default();
        let (plan, is_first) = plans::find(&key).ok_or(Reject::Unsignable)?;
        let cluster = host::property(PROPERTY_CLUSTER)?.unwrap_or_default();
        let now = UnixTime::from_nanoseconds(host::now_nanoseconds()?);
        // Asking for the number is the dearest of all host calls. The first attempt that comes here is the first one,
        // unless Envoy gave up on one before its filters ran; where that was to another region, this is not its cluster.
        let mut number = if is_first { 1 } else { attempt_number()? };
        let mut request = plan.request(number, &cluster, now);
        if is_first && request.is_err() {
            number = attempt_number()?;
            request = plan.request(number, &cluster, now);
        }
        host::set_request_headers(&pairs::serialise(request?.headers().into_iter()))?;
        if let Ok(signed) = host::now_nanoseconds() {
            plan.signed_for(UnixTime::from_nanoseconds(signed).nanoseconds_since(now));
        }
        self.0 = Some((plan, number));
        Ok(())
    }

    fn mark_for_retry(&self) -> Result<(), HostError> {
        let Some((plan, number)) = &self.0 else {
            return Ok(());
        };
        let status = host::response_header(":status")?;
        let status = status.and_then(|status| std::str::from_utf8(&status).ok()?.parse().ok());
        let Some(status) = status else { return Ok(()) };
        let error_type = match status {
            400..=499 => host::response_header(HEADER_ERROR_TYPE)?,
            _ => None,
        };
        plan.answered(*number, status, error_type.as_deref());
        if plan.is_retried(*number) {
            host::set_response_header(HEADER_RETRY, "1")?;
        }
        Ok(())
    }
}

fn attempt_number() -> Result<u64, Failure> {
    let number = host::property(PROPERTY_ATTEMPT)?.and_then(|bytes| bytes.try_into().ok());
    Ok(number.map(u64::from_le_bytes).ok_or(Reject::Unsignable)?)
}

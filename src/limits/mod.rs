//! What keys and teams may use: requests and tokens per minute, requests at once, and money.
//!
//! Limits hold for all workers of an Envoy together. Each [`LimitSubject`] (a key, a team, or one of
//! their models) has a [`tally`] in Envoy's shared data, which is changed by compare-and-swap. Only
//! subjects with limits have one, so other keys cost nothing.
//!
//! A [`Grant`] is what one request holds. It is taken by the request's headers, which counts the
//! request. When the body is known, it reserves tokens and money; when the response has ended, what
//! was really used takes the place of the reservation. A request is admitted if what was used and
//! what others have reserved is below the limit, so parallel requests exceed it by no more than the
//! error of their reservations and the last request's own.
//!
//! A VM that traps cannot return what its requests held. The tally has it by VM, and before a
//! request is refused, the part of VMs that no longer renew their entry in the
//! [`capacity`](crate::capacity) ledger is dropped.
//!
//! The time is a parameter. A clock that is set back refills nothing.

mod exceeded;
mod grant;
mod limiter;
pub mod period;
mod subject;
mod tally;
#[cfg(test)]
mod tests;

pub use exceeded::{Exceeded, ExceededLimit};
pub(crate) use exceeded::{GrantError, reset_at};
pub(crate) use grant::{Amount, Grant};
pub use limiter::Limiter;
pub use subject::Holder;
pub(crate) use subject::{LimitSubject, Limits, Standing};

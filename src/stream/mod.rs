//! One request's account: opened with its headers, closed with its stream, and left as a line in the spend log.
//!
//! Accounting fails open: whatever cannot be read here is passed on all the same and shows in the line as unknown.
//! Prompts and completions are never in it.

pub mod drain;
pub mod headers;
pub mod request;
pub(crate) mod response;

use std::rc::Rc;

use crate::admission::reject::{HEADER_ERROR_TYPE, Reply};
use crate::contract::operation::Operation;
use crate::headers::Headers;
use crate::pricing::Cost;
use crate::records::client::Client;
use crate::records::row::Row;
use crate::routing::plan::Plan;
use crate::stream::response::Answer;
use crate::time::UnixTime;
use crate::usage::{Ending, Observation};

/// The account of a request in the gateway role.
#[derive(Debug)]
pub struct Account {
    client: Client,
    started: UnixTime,
    first_content: Option<UnixTime>,
    /// Time that the gateway role has spent on the request, in nanoseconds.
    spent: u64,
    course: Course,
    /// What was used and what it cost, once the answer is complete.
    settled: Option<Settled>,
    /// The status that the client got instead of the answer's, or that it got none.
    replaced: Option<Option<u16>>,
}

/// What was used and what it cost, as far as that is known.
#[derive(Clone, Copy, Debug, Default)]
struct Settled {
    observation: Option<Observation>,
    cost: Option<Cost>,
}

/// How far a request came.
#[derive(Debug)]
enum Course {
    /// It was not sent on: it is still arriving, or its client left before it was complete.
    Arriving,
    /// The gateway answered it.
    Refused {
        status: u16,
        error_type: Option<&'static str>,
        reason: Option<&'static str>,
    },
    /// It went upstream.
    Departed { plan: Rc<Plan>, answer: Option<Answer> },
}

impl Account {
    /// Opens an account with a request's headers. `id` is its number unless the client gave one.
    pub fn open(headers: Headers<'_>, id: String, started: UnixTime) -> Self {
        Self {
            client: Client::read(headers, id),
            started,
            first_content: None,
            spent: 0,
            course: Course::Arriving,
            settled: None,
            replaced: None,
        }
    }

    /// The request was answered here.
    pub fn refused(&mut self, reply: &Reply) {
        let error_type = reply.headers.iter().find(|(name, _)| *name == HEADER_ERROR_TYPE);
        self.course = Course::Refused {
            status: reply.status,
            error_type: error_type.map(|(_, value)| *value),
            reason: reply.reason,
        };
    }

    /// The gateway role has spent so much time on the request, in nanoseconds.
    pub const fn spend(&mut self, nanoseconds: u64) {
        self.spent = self.spent.saturating_add(nanoseconds);
    }

    /// The request went upstream.
    pub fn departed(&mut self, plan: Rc<Plan>) {
        self.course = Course::Departed { plan, answer: None };
    }

    /// The headers of the answer that goes to the client, Bedrock's or Envoy's.
    pub fn answered(&mut self, headers: Headers<'_>) {
        if let Course::Departed { plan, answer } = &mut self.course {
            *answer = Some(Answer::begin(plan.operation, headers));
        }
    }

    /// Whether the body of the answer is to be looked at.
    pub fn is_reading(&self) -> bool {
        matches!(&self.course, Course::Departed { answer: Some(answer), .. } if answer.is_reading())
    }

    /// Looks at the next bytes of the answer. `now` is asked for at most once in a request.
    pub fn read(&mut self, chunk: &[u8], now: impl FnOnce() -> Option<UnixTime>) {
        if let Course::Departed {
            answer: Some(answer), ..
        } = &mut self.course
            && answer.push(chunk)
            && self.first_content.is_none()
        {
            self.first_content = now();
        }
    }

    /// The answer is complete.
    pub fn ended(&mut self) {
        if let Course::Departed {
            answer: Some(answer), ..
        } = &mut self.course
        {
            answer.ended();
            self.settled = Some(self.settle());
        }
    }

    /// The answer, or the refusal, never came to the client: it got one of Envoy's with `status`, or none.
    pub const fn replaced(&mut self, status: Option<u16>) {
        self.replaced = Some(status);
    }

    /// Closes the account.
    pub fn close(&self, now: UnixTime) -> Row<'_> {
        let row = Row::new(&self.client, self.started, now);
        match &self.course {
            Course::Arriving => row,
            Course::Refused {
                status,
                error_type,
                reason,
            } => {
                let row = row.refused(*status, *error_type, *reason);
                match self.replaced {
                    Some(status) => row.replaced(status),
                    None => row,
                }
            }
            Course::Departed { plan, answer } => {
                let Settled { observation, cost } = self.settled.unwrap_or_else(|| self.settle());
                let row = row.departed(plan, cost, self.overhead());
                let row = match (answer, observation) {
                    (Some(answer), observation) => row.answered(answer, observation, self.first_content),
                    (None, Some(observation)) => row.observed(observation),
                    (None, None) => row,
                };
                match self.replaced {
                    Some(status) => row.replaced(status),
                    None => row,
                }
            }
        }
    }

    fn settle(&self) -> Settled {
        let Course::Departed { plan, answer } = &self.course else {
            return Settled::default();
        };
        let observation = observe(plan, answer.as_ref());
        let cost = observation.as_ref().and_then(|seen| cost(plan, seen));
        Settled { observation, cost }
    }

    /// Time that the filter has spent on the request in both of its roles, in microseconds.
    fn overhead(&self) -> u64 {
        let signing = match &self.course {
            Course::Departed { plan, .. } => plan.signing(),
            Course::Arriving | Course::Refused { .. } => 0,
        };
        self.spent.saturating_add(signing) / 1000
    }
}

/// What was used, or `None` when nothing was: Bedrock bills no error and no counting of tokens. It does bill what the
/// client or the gateway did not wait for.
fn observe(plan: &Plan, answer: Option<&Answer>) -> Option<Observation> {
    if plan.operation == Operation::CountTokens || plan.attempted() == 0 {
        return None;
    }
    match answer {
        Some(answer) if !is_given_up(plan, answer) => answer.observe(plan.request_bytes()),
        // As an answer that was cut before its first byte.
        _ => Answer::begin(plan.operation, Headers(&[(b":status", b"200")])).observe(plan.request_bytes()),
    }
}

/// Whether the time was up before Bedrock answered: the 504 is Envoy's.
fn is_given_up(plan: &Plan, answer: &Answer) -> bool {
    let last = plan.answers().last();
    answer.status == 504 && last.is_some_and(|(_, status, _)| status == 0)
}

fn cost(plan: &Plan, seen: &Observation) -> Option<Cost> {
    if seen.has_searched {
        return None;
    }
    Cost::of(
        seen.usage.as_ref()?,
        seen.service_tier,
        seen.latency,
        plan.rates()?,
    )
}

/// How an answer ended, for an observer.
const fn ending(is_whole: bool) -> Ending {
    if is_whole { Ending::Whole } else { Ending::Cut }
}

#[cfg(test)]
mod tests;

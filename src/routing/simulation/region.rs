//! Regions that behave as badly as a test wants.

use crate::random::Random;

/// How a region treats requests.
#[derive(Clone, Copy, Debug)]
pub(super) enum Behavior {
    /// It answers.
    Answers,
    /// It throttles all requests.
    Throttles { retry_after: Option<u64> },
    /// It throttles what exceeds this many requests per second.
    ThrottlesAbove(u64),
    /// It answers after this many milliseconds.
    Slow(u64),
    /// It fails this part of the requests, in percent, with 500.
    Fails(u64),
    /// There is no connection to it.
    Refuses,
}

/// A region, and how it behaves from which second on.
#[derive(Clone, Debug)]
pub(super) struct RegionModel {
    pub(super) name: &'static str,
    /// How long it takes to answer, on average.
    pub(super) milliseconds: u64,
    pub(super) price: u64,
    phases: Vec<(u64, Behavior)>,
    /// The last second with a request, and the requests in it.
    served: (u64, u64),
}

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// 0 if there is no connection.
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
    pub(super) milliseconds: u64,
}

/// How long it takes until a connection or a throttled request is refused.
const REFUSAL_MILLISECONDS: u64 = 5;

impl RegionModel {
    pub(super) fn new(name: &'static str, behavior: Behavior) -> Self {
        Self {
            name,
            milliseconds: 100,
            price: 1,
            phases: vec![(0, behavior)],
            served: (0, 0),
        }
    }

    /// From this second on, it behaves like this.
    pub(super) fn then(mut self, second: u64, behavior: Behavior) -> Self {
        self.phases.push((second, behavior));
        self
    }

    /// An attempt arrives, this many milliseconds after the beginning.
    pub(super) fn answer(&mut self, now: u64, random: &mut Random) -> Answer {
        let second = now / 1000;
        self.served = match self.served {
            (last, count) if last == second => (second, count + 1),
            _ => (second, 1),
        };
        let begun = self.phases.iter().rfind(|(from, _)| *from <= second);
        let (status, retry_after, milliseconds) = match begun.unwrap().1 {
            Behavior::Throttles { retry_after } => (429, retry_after, REFUSAL_MILLISECONDS),
            Behavior::ThrottlesAbove(most) if self.served.1 > most => (429, None, REFUSAL_MILLISECONDS),
            Behavior::Fails(percent) if random.below(100) < percent => (500, None, self.milliseconds),
            Behavior::Refuses => (0, None, REFUSAL_MILLISECONDS),
            Behavior::Slow(milliseconds) => (200, None, milliseconds),
            Behavior::Answers | Behavior::ThrottlesAbove(_) | Behavior::Fails(_) => {
                (200, None, self.milliseconds)
            }
        };
        // Between half and one and a half of it.
        let milliseconds = milliseconds / 2 + random.below(milliseconds + 1);
        Answer {
            status,
            retry_after,
            milliseconds,
        }
    }
}

//! Regions that answer, or do not.

use crate::random::Random;

/// What a region does in a span of time, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum RegionFate {
    Healthy,
    /// Every request is throttled.
    Throttles,
    /// Requests beyond so many in a second are throttled.
    ThrottlesAbove(u64),
    /// This fraction of requests fails with 500, in percent.
    Fails(u64),
    /// Connections are refused.
    Refuses,
}

/// A region, with its fate from each millisecond on.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) name: String,
    pub(super) latency: u64,
    pub(super) fates: Vec<(u64, RegionFate)>,
    /// The current second, and its requests.
    second: (u64, u64),
}

/// A response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) milliseconds: u64,
    pub(super) retry_after: Option<u64>,
}

impl Region {
    pub(super) fn new(name: &str, latency: u64, fates: &[(u64, RegionFate)]) -> Self {
        Self {
            name: name.to_owned(),
            latency,
            fates: fates.to_vec(),
            second: (0, 0),
        }
    }

    /// The response to a request; `None` if the connection is refused.
    pub(super) fn answer(&mut self, now: u64, random: &mut Random) -> Option<Answer> {
        let mut begun = self.fates.iter().filter(|(from, _)| *from <= now);
        let fate = begun.next_back().map_or(RegionFate::Healthy, |(_, fate)| *fate);
        let second = now / 1000;
        self.second = (
            second,
            if self.second.0 == second {
                self.second.1 + 1
            } else {
                1
            },
        );
        let quick = |status| Answer {
            status,
            milliseconds: 10,
            retry_after: None,
        };
        match fate {
            RegionFate::Refuses => None,
            RegionFate::Throttles => Some(quick(429)),
            RegionFate::ThrottlesAbove(limit) if self.second.1 > limit => Some(quick(429)),
            RegionFate::Fails(percent) if random.below(100) < percent => Some(quick(500)),
            _ => Some(Answer {
                milliseconds: self.latency / 2 + random.below(self.latency),
                ..quick(200)
            }),
        }
    }
}

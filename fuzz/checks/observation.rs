//! What holds for the observation of any response.

use crate::usage::{Observation, UsageSource};

/// Asserts what holds for every observation.
pub(crate) fn consistent(observation: &Observation) {
    let numbers = matches!(
        observation.source,
        UsageSource::Reported | UsageSource::Headers | UsageSource::Estimated
    );
    assert_eq!(observation.usage.is_some(), numbers);
    assert_eq!(
        observation.unreadable.is_some(),
        observation.source == UsageSource::Unparsed
    );
}

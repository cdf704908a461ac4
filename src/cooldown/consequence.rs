//! What a failure means for its deployment, by LiteLLM's rules.

use crate::contract::routing::{CooldownSettings, FailureClass};

/// The window of [`Threshold::Rate`].
pub(super) const RATE_WINDOW_MILLISECONDS: u64 = 60_000;
/// Fewer requests in a window say nothing. LiteLLM's
/// `DEFAULT_FAILURE_THRESHOLD_MINIMUM_REQUESTS`.
const RATE_REQUESTS_MIN: u64 = 5;
/// The longest `retry-after` in seconds that is honored, as in LiteLLM.
const RETRY_AFTER_MAX_SECONDS: u64 = 60;

/// A request that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TargetFailure {
    pub(crate) class: FailureClass,
    /// 0 if there was no response.
    pub(crate) status: u16,
    /// Whether the credentials are wrong or have no access to the model, so that all requests fail.
    /// Clients choose the models of wildcards, so one that does not exist says nothing about the
    /// others.
    pub(crate) is_unusable: bool,
    /// `retry-after` of the response in seconds, if it counts.
    pub(crate) retry_after: Option<u64>,
    /// Whether the request was counted before, because its response began well.
    pub(crate) is_counted: bool,
}

/// What a failure means for its deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// The request was refused for what it asks. The deployment serves.
    None,
    /// The deployment has failed, but its model group has no other.
    Spared,
    /// The deployment cools down.
    Cooldown,
    /// The deployment cools down if this threshold is exceeded.
    Counted(Threshold),
}

/// How many failures are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threshold {
    /// More than `allowed` failures of a class, or of all classes without a threshold of their own,
    /// within this time.
    Failures {
        class: Option<FailureClass>,
        allowed: u32,
        milliseconds: u64,
    },
    /// More than half of all requests within a minute.
    Rate,
}

impl Consequence {
    pub(super) fn of(failure: TargetFailure, settings: &CooldownSettings, is_alone: bool) -> Self {
        use FailureClass::{Authentication, BadRequest, ContentPolicy, InternalServer, RateLimit, Timeout};
        let class = failure.class;
        if let Some(allowed) = settings.allowed_fails_policy.get(&class) {
            return Self::allowed(*allowed, Some(class), settings);
        }
        if !failure.is_unusable && matches!(class, BadRequest | ContentPolicy) {
            return Self::None;
        }
        if let Some(allowed) = settings.allowed_fails {
            return Self::allowed(allowed, None, settings);
        }
        match class {
            _ if failure.is_unusable => Self::Cooldown,
            BadRequest | ContentPolicy | Authentication => Self::None,
            RateLimit | Timeout | InternalServer if is_alone => Self::Spared,
            RateLimit => Self::Cooldown,
            Timeout | InternalServer => Self::Counted(Threshold::Rate),
        }
    }

    const fn allowed(allowed: u32, class: Option<FailureClass>, settings: &CooldownSettings) -> Self {
        if allowed == 0 {
            return Self::Cooldown;
        }
        Self::Counted(Threshold::Failures {
            class,
            allowed,
            milliseconds: settings.milliseconds,
        })
    }
}

impl Threshold {
    pub(super) const fn window_milliseconds(self) -> u64 {
        match self {
            Self::Failures { milliseconds, .. } => milliseconds,
            Self::Rate => RATE_WINDOW_MILLISECONDS,
        }
    }

    /// What is counted together, as a number.
    pub(super) const fn counter(self) -> u64 {
        match self {
            Self::Rate => 0,
            Self::Failures { class: None, .. } => 1,
            Self::Failures {
                class: Some(class), ..
            } => match class {
                FailureClass::BadRequest => 2,
                FailureClass::Authentication => 3,
                FailureClass::Timeout => 4,
                FailureClass::RateLimit => 5,
                FailureClass::ContentPolicy => 6,
                FailureClass::InternalServer => 7,
            },
        }
    }

    /// Whether this many failures of this many requests are too many.
    pub(super) const fn is_exceeded(self, failures: u64, requests: u64) -> bool {
        match self {
            Self::Failures { allowed, .. } => failures > allowed as u64,
            Self::Rate => requests >= RATE_REQUESTS_MIN && failures.saturating_mul(2) > requests,
        }
    }
}

impl TargetFailure {
    /// How long a cooldown lasts that begins now, in milliseconds.
    pub(super) fn cooldown_milliseconds(self, settings: &CooldownSettings) -> u64 {
        self.retry_after_milliseconds().unwrap_or(settings.milliseconds)
    }

    pub(super) fn retry_after_milliseconds(self) -> Option<u64> {
        let seconds = self.retry_after?;
        (1..=RETRY_AFTER_MAX_SECONDS)
            .contains(&seconds)
            .then(|| seconds.saturating_mul(1000))
    }
}

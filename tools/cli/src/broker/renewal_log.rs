//! What the log says about one credential.

use aws_credential_types::Credentials;

use super::failure::{Failure, FailureCode};
use super::wire::rfc3339;
use crate::credentials::BrokeredCredential;

/// What a failure means for requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    /// There was never a credential.
    NoCredential,
    /// The old one can still be used.
    OldCredential,
    /// The old one has expired.
    Expired,
}

/// The log of one credential: its first success, and failures when they begin, change and end.
#[derive(Default)]
pub(super) struct RenewalLog {
    has_succeeded: bool,
    /// The failure that was logged last, if it has not ended.
    failure: Option<(FailureCode, Outage)>,
}

impl RenewalLog {
    pub(super) fn success(&mut self, credential: &BrokeredCredential, keys: &Credentials) {
        let until = match keys.expiry() {
            Some(expiry) => format!("valid until {}", rfc3339(expiry)),
            None => "without an expiry".to_owned(),
        };
        let (whom, source) = (credential.whom(), &credential.source);
        let has_succeeded = std::mem::replace(&mut self.has_succeeded, true);
        if self.failure.take().is_some() {
            tracing::info!("the credentials of {whom} are available again, {until}");
        } else if has_succeeded {
            tracing::debug!("the credentials of {whom} were renewed, {until}");
        } else {
            tracing::info!("the credentials of {whom} were obtained from {source}, {until}");
        }
    }

    /// Logs the first failure, each one of another kind, and the expiry.
    pub(super) fn failure(&mut self, credential: &BrokeredCredential, outage: Outage, failure: &Failure) {
        if self.failure.replace((failure.code, outage)) == Some((failure.code, outage)) {
            return;
        }
        let (what, then) = match outage {
            Outage::NoCredential => ("obtained", ""),
            Outage::OldCredential => ("renewed", "; the old ones are used until they expire"),
            Outage::Expired => ("renewed", " and have expired"),
        };
        let (whom, source, remedy) = (credential.whom(), &credential.source, failure.remedy());
        tracing::error!(
            "the credentials of {whom} cannot be {what} from {source}{then}: {failure}. {remedy}"
        );
    }
}

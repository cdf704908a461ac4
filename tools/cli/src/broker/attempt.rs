//! Attempts to get one credential.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use aws_credential_types::Credentials;
use tokio::time::timeout;

use super::failure::Failure;
use super::fetch::{FETCH_TIMEOUT, Fetcher};
use crate::credentials::BrokeredCredential;

/// The attempts to get one credential.
pub(super) struct Attempts {
    fetcher: Fetcher,
    one: OneAtATime<Result<Credentials, Failure>>,
}

impl Attempts {
    pub(super) fn with(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            one: OneAtATime { running: None },
        }
    }

    /// Gets the credential, or waits again for the attempt that took too long before.
    pub(super) async fn next(&mut self, credential: &BrokeredCredential) -> Result<Credentials, Failure> {
        let start = || {
            let (fetcher, credential) = (self.fetcher.clone(), credential.clone());
            async move { fetcher.fetch(&credential).await }
        };
        let fetched = self.one.next(start, FETCH_TIMEOUT).await;
        fetched.unwrap_or_else(|| Err(self.fetcher.no_response(&credential.source)))
    }
}

/// Runs something again and again. If it takes too long, it is not given up: it may wait for a
/// program (`credential_process`) that nothing ends, and others would pile up.
struct OneAtATime<T> {
    running: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
}

impl<T> OneAtATime<T> {
    /// The result of what runs already, else of what is started; `None` after `limit`.
    async fn next<F>(&mut self, start: impl FnOnce() -> F, limit: Duration) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let running = self.running.get_or_insert_with(|| Box::pin(start()));
        let result = timeout(limit, running).await.ok()?;
        self.running = None;
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    const SOON: Duration = Duration::from_millis(1);
    const LATE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_takes_too_long_is_waited_for_and_not_started_again() {
        let mut one = OneAtATime { running: None };
        let (finish, finished) = oneshot::channel();
        let first = || async { finished.await.unwrap_or(0) };
        assert_eq!(one.next(first, SOON).await, None);
        let second = || async { 2 };
        assert_eq!(one.next(second, SOON).await, None);
        finish.send(1).unwrap();
        assert_eq!(one.next(second, LATE).await, Some(1));
        assert_eq!(one.next(second, LATE).await, Some(2));
    }
}

//! A shutdown that clients do not notice.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::admin::{Admin, Open};

/// How often the open requests are counted.
const POLL: Duration = Duration::from_millis(100);
/// How often the log says what is being waited for.
const REPORT: Duration = Duration::from_secs(10);

/// How long load balancers and clients get.
#[derive(Clone, Copy, Debug)]
pub(super) struct DrainTimes {
    /// How long new connections are accepted although readiness is false.
    pub(super) delay: Duration,
    /// Time limit for open requests, once no new connections are accepted.
    pub(super) limit: Duration,
}

/// Drains Envoy. Returns when nothing is open or the time is up. Cancelling it leaves Envoy as it
/// is.
pub(super) async fn drain(admin: Admin, times: DrainTimes) {
    announce_draining(admin).await;
    if times.delay > Duration::ZERO {
        let seconds = times.delay.as_secs();
        tracing::info!("readiness is false; accepting connections for another {seconds} s");
        sleep(times.delay).await;
    }
    if !admin.close_listeners().await {
        tracing::warn!("Envoy's admin interface does not respond, so requests cannot be drained");
        return;
    }
    let until = Instant::now() + times.limit;
    if timeout_at(until, all_closed(admin, times.limit)).await.is_err() {
        report_cut(admin, &format!("after {} s", times.limit.as_secs())).await;
    }
}

/// Logs how many requests are about to be cut, and why.
pub(super) async fn report_cut(admin: Admin, why: &str) {
    match admin.open().await {
        Some(Open {
            requests: 0,
            bytes: 0,
        }) => {}
        Some(open) => tracing::warn!("{why}; cut: {}", describe(open)),
        None => tracing::warn!("{why}; cut: an unknown number of requests"),
    }
}

/// Makes readiness false, so that load balancers stop sending new requests here.
async fn announce_draining(admin: Admin) {
    if !admin.fail_health_checks().await {
        tracing::warn!("Envoy's admin interface does not respond, so readiness is still true");
    }
}

/// Returns when no request is open and clients have read every response.
async fn all_closed(admin: Admin, limit: Duration) {
    let began = Instant::now();
    let mut next_report = began;
    while let Some(open) = admin.open().await {
        if open
            == (Open {
                requests: 0,
                bytes: 0,
            })
        {
            return;
        }
        if Instant::now() >= next_report {
            let left = limit.saturating_sub(began.elapsed()).as_secs();
            tracing::info!("waiting up to {left} s for {}", describe(open));
            next_report += REPORT;
        }
        sleep(POLL).await;
    }
}

fn describe(open: Open) -> String {
    match open {
        Open { requests: 0, bytes } => format!("{bytes} bytes that clients have not read yet"),
        Open { requests: 1, .. } => "1 open request".to_owned(),
        Open { requests, .. } => format!("{requests} open requests"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_described() {
        let text = |requests, bytes| describe(Open { requests, bytes });
        assert_eq!(text(1, 5), "1 open request");
        assert_eq!(text(2, 0), "2 open requests");
        assert_eq!(text(0, 7), "7 bytes that clients have not read yet");
    }
}

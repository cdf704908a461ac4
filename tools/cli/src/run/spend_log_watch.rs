//! Notices that Envoy cannot write the spend log, as on a full disk. Envoy itself only counts that:
//! it drops the rows and keeps serving.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::admin::Admin;

/// How often Envoy is asked. Envoy flushes the log more often.
const POLL: Duration = Duration::from_secs(5);
/// How often the warning is repeated.
const REMIND: Duration = Duration::from_secs(300);

/// Asks Envoy's admin interface forever, and logs when writing fails and when that is over.
pub(super) async fn watch(admin: Admin, spend_log: String) -> Infallible {
    let mut watch = SpendLogWatch::default();
    loop {
        sleep(POLL).await;
        let Some(counts) = counts(admin).await else {
            continue;
        };
        match watch.observe(counts, Instant::now()) {
            Some(Finding::Failing { writes }) => tracing::error!(
                failed_writes = writes,
                "the spend log {spend_log} cannot be written, so rows are lost ({writes} writes failed); \
                 requests are served; check the disk's free space"
            ),
            Some(Finding::Over { writes }) => tracing::warn!(
                failed_writes = writes,
                "the spend log {spend_log} can be written again; rows were lost ({writes} writes failed)"
            ),
            None => {}
        }
    }
}

async fn counts(admin: Admin) -> Option<WriteCounts> {
    Some(WriteCounts {
        completed: admin.value("filesystem.write_completed").await?,
        failed: admin.value("filesystem.write_failed").await?
            + admin.value("filesystem.reopen_failed").await?,
    })
}

/// Envoy's counters of writes to log files, since its start.
#[derive(Clone, Copy, Debug, Default)]
struct WriteCounts {
    completed: u64,
    failed: u64,
}

/// What the log should say.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    /// Writing fails, or still does: this many times so far.
    Failing { writes: u64 },
    /// It succeeds again.
    Over { writes: u64 },
}

#[derive(Debug, Default)]
struct SpendLogWatch {
    last: WriteCounts,
    failing: Option<FailingWrites>,
}

#[derive(Debug)]
struct FailingWrites {
    writes: u64,
    reported: Instant,
}

impl SpendLogWatch {
    fn observe(&mut self, counts: WriteCounts, now: Instant) -> Option<Finding> {
        // A new Envoy counts from zero.
        let since = |last: u64, count: u64| count.checked_sub(last).unwrap_or(count);
        let failed = since(self.last.failed, counts.failed);
        let completed = since(self.last.completed, counts.completed);
        self.last = counts;
        match &mut self.failing {
            None if failed == 0 => None,
            None => {
                self.failing = Some(FailingWrites {
                    writes: failed,
                    reported: now,
                });
                Some(Finding::Failing { writes: failed })
            }
            // Without a write, nothing is known.
            Some(failing) if failed == 0 && completed > 0 => {
                let writes = failing.writes;
                self.failing = None;
                Some(Finding::Over { writes })
            }
            Some(failing) => {
                failing.writes += failed;
                let is_due = now.saturating_duration_since(failing.reported) >= REMIND;
                is_due.then(|| {
                    failing.reported = now;
                    Finding::Failing {
                        writes: failing.writes,
                    }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found at these seconds, with these numbers of completed and failed writes.
    fn findings(observed: &[(u64, u64, u64)]) -> Vec<Option<Finding>> {
        let start = Instant::now();
        let mut watch = SpendLogWatch::default();
        let counts = |&(second, completed, failed): &(u64, u64, u64)| {
            watch.observe(
                WriteCounts { completed, failed },
                start + Duration::from_secs(second),
            )
        };
        observed.iter().map(counts).collect()
    }

    #[test]
    fn failures_are_reported_at_once_then_periodically_and_when_they_are_over() {
        let found = findings(&[
            (0, 5, 0),
            (5, 5, 2),
            (304, 5, 4),
            (305, 5, 5),
            (310, 5, 5),
            (315, 6, 5),
        ]);
        let expected = [
            None,
            Some(Finding::Failing { writes: 2 }),
            None,
            Some(Finding::Failing { writes: 5 }),
            None,
            Some(Finding::Over { writes: 5 }),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_new_envoy_counts_from_zero() {
        let found = findings(&[(0, 9, 7), (5, 1, 1), (10, 1, 0)]);
        let failing = Some(Finding::Failing { writes: 7 });
        assert_eq!(found, [failing, None, None]);
        assert_eq!(findings(&[(0, 9, 0), (5, 1, 0)]), [None, None]);
    }

    #[test]
    fn writes_that_fail_next_to_others_are_not_over() {
        let found = findings(&[(0, 1, 1), (5, 2, 2), (10, 3, 2)]);
        let (failing, over) = (Finding::Failing { writes: 1 }, Finding::Over { writes: 2 });
        assert_eq!(found, [Some(failing), None, Some(over)]);
    }
}

//! What the threads tell each other about the credentials of the credential broker. The main thread
//! asks the broker; workers read its answers here, and say which credentials AWS has refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An answer of the broker.
#[derive(Clone, Debug)]
pub(crate) struct PostedAnswer {
    /// 0 if there was none.
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    number: u64,
}

#[derive(Default)]
struct BrokerNotices {
    /// By the path that the broker was asked for: the newest answer with a credential, and the
    /// newest answer if it is another one. A worker that was idle must see both.
    answers: BTreeMap<String, Vec<PostedAnswer>>,
    /// Paths of refused credentials, each with the name of the credential.
    refused: BTreeSet<(String, String)>,
}

static BOARD: Mutex<BrokerNotices> = Mutex::new(BrokerNotices {
    answers: BTreeMap::new(),
    refused: BTreeSet::new(),
});
/// The status of an answer with a credential.
const ISSUED: u16 = 200;
/// The number of the newest answer.
static NEWEST: AtomicU64 = AtomicU64::new(0);

fn board() -> MutexGuard<'static, BrokerNotices> {
    BOARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of the newest answer.
pub(crate) fn newest() -> u64 {
    NEWEST.load(Ordering::Acquire)
}

/// Posts an answer to all workers.
pub(crate) fn post(path: &str, status: u16, body: &[u8]) {
    let mut board = board();
    let number = newest().saturating_add(1);
    let body = body.to_vec();
    let answers = board.answers.entry(path.to_owned()).or_default();
    answers.retain(|answer| answer.status == ISSUED && status != ISSUED);
    answers.push(PostedAnswer { status, body, number });
    NEWEST.store(number, Ordering::Release);
}

/// The answers about `path` that are newer than the one with the number `seen`, oldest first.
pub(crate) fn newer(path: &str, seen: u64) -> Vec<PostedAnswer> {
    let board = board();
    let answers = board.answers.get(path).into_iter().flatten();
    answers.filter(|answer| answer.number > seen).cloned().collect()
}

/// AWS has refused the credential `name`.
pub(crate) fn refuse(path: &str, name: &str) {
    board().refused.insert((path.to_owned(), name.to_owned()));
}

/// Takes what AWS has refused: paths, each with the name of the credential.
pub(crate) fn take_refused() -> BTreeSet<(String, String)> {
    std::mem::take(&mut board().refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_seen_once_and_what_was_refused_is_taken_once() {
        let statuses = |path, seen| {
            let answers = newer(path, seen);
            answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
        };
        let before = newest();
        assert!(newer("/a", before).is_empty());
        post("/a", 200, b"1");
        post("/b", 404, b"");
        let seen = newest();
        assert_eq!(newer("/a", before)[0].body, b"1");
        assert_eq!(
            (statuses("/a", seen), statuses("/b", before)),
            (vec![], vec![404])
        );
        for status in [200, 0, 503] {
            post("/a", status, b"");
        }
        assert_eq!(
            statuses("/a", seen),
            [200, 503],
            "the credential is not hidden by failures"
        );
        post("/a", 200, b"");
        assert_eq!(statuses("/a", before), [200]);

        refuse("/a", "key");
        refuse("/a", "key");
        assert_eq!(take_refused().len(), 1);
        assert!(take_refused().is_empty());
    }
}

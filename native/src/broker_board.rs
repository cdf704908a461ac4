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
    /// The newest answers, by the path that the broker was asked for.
    answers: BTreeMap<String, PostedAnswer>,
    /// Paths of refused credentials, each with the name of the credential.
    refused: BTreeSet<(String, String)>,
}

static BOARD: Mutex<BrokerNotices> = Mutex::new(BrokerNotices {
    answers: BTreeMap::new(),
    refused: BTreeSet::new(),
});
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
    board
        .answers
        .insert(path.to_owned(), PostedAnswer { status, body, number });
    NEWEST.store(number, Ordering::Release);
}

/// The newest answer about `path`, if it is newer than the one with the number `seen`.
pub(crate) fn newer(path: &str, seen: u64) -> Option<PostedAnswer> {
    board()
        .answers
        .get(path)
        .filter(|answer| answer.number > seen)
        .cloned()
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
        let before = newest();
        assert!(newer("/a", before).is_none());
        post("/a", 200, b"1");
        post("/b", 404, b"");
        let seen = newest();
        let answer = newer("/a", before).unwrap();
        assert!(answer.status == 200 && answer.body == b"1");
        assert!(newer("/a", seen).is_none());
        post("/a", 0, b"");
        assert_eq!(newer("/a", seen).unwrap().status, 0);
        assert!(newer("/b", seen).is_none());

        refuse("/a", "key");
        refuse("/a", "key");
        assert_eq!(take_refused().len(), 1);
        assert!(take_refused().is_empty());
    }
}

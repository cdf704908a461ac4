//! Event streams: the decoder, and the observers that read usage from it.

use super::frames::framed;
use super::input::cut;
use super::observation::consistent;
use crate::eventstream::{DecodeError, Decoder, Head, MessageKind, MessageSink};
use crate::usage::{
    Ending, HeaderUsage, Observation, StreamKind, StreamObserver, UnreadableReason, UsageSource,
};

/// An event stream reads the same however it is cut, and no input makes the decoder or the
/// observers fail other than with their error.
///
/// The first byte is the recipe for the cuts. If its highest bit is set, the rest is wrapped in
/// frames with valid checksums, which random bytes never have.
pub fn event_stream(data: &[u8]) {
    let Some((&recipe, bytes)) = data.split_first() else {
        return;
    };
    let stream = if recipe & 0x80 == 0 {
        bytes.to_vec()
    } else {
        framed(bytes)
    };
    let cuts = cut(&stream, recipe);
    let whole = decode(&[&stream]);
    assert_eq!(decode(&cuts), whole);
    for kind in [StreamKind::Converse, StreamKind::Invoke] {
        let observation = observe_stream(kind, &[&stream]);
        assert_eq!(observe_stream(kind, &cuts), observation);
        consistent(&observation);
        if let Err(error) = whole.1
            && observation.source == UsageSource::Unparsed
        {
            assert!(
                observation
                    .unreadable
                    .is_some_and(|reason| reason == UnreadableReason::Frame(error))
            );
        }
    }
}

type CollectedMessages = Vec<(MessageKind, String, usize, Vec<u8>)>;

#[derive(Default)]
struct MessageCollector {
    messages: CollectedMessages,
    current: Option<(MessageKind, String, usize, Vec<u8>)>,
}

impl MessageSink for MessageCollector {
    fn begin(&mut self, head: Head<'_>) {
        assert!(self.current.is_none());
        self.current = Some((head.kind, head.name.to_owned(), head.headers.count(), Vec::new()));
    }

    fn payload(&mut self, piece: &[u8]) {
        self.current.as_mut().unwrap().3.extend_from_slice(piece);
    }

    fn complete(&mut self) {
        self.messages.push(self.current.take().unwrap());
    }
}

fn decode(chunks: &[&[u8]]) -> (CollectedMessages, Result<(), DecodeError>) {
    let (mut decoder, mut collected, mut outcome) = (Decoder::default(), MessageCollector::default(), Ok(()));
    for chunk in chunks {
        let result = decoder.push(chunk, &mut collected);
        assert!(outcome.is_ok() || result == outcome);
        outcome = result;
    }
    (collected.messages, outcome)
}

fn observe_stream(kind: StreamKind, chunks: &[&[u8]]) -> Observation {
    let mut observer = StreamObserver::new(kind);
    let firsts = chunks.iter().filter(|chunk| observer.push(chunk)).count();
    let observation = observer.finish(Ending::Whole, &HeaderUsage::default(), 400);
    assert_eq!(firsts, usize::from(observation.characters > 0));
    observation
}

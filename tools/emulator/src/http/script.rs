//! What a body does step by step: the frames of its answer, its pace, and what a fault makes of both.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::control::fault::Fault;
use crate::http::body::BodyStep;
use crate::response::frame::{self, EventFrame};

/// The frames of a stream at their pace, with what `fault` does to them.
pub(crate) fn steps(
    mut frames: Vec<EventFrame>,
    interval: Duration,
    fault: Option<&Fault>,
) -> VecDeque<BodyStep> {
    let mut steps = VecDeque::with_capacity(frames.len() * 2 + 2);
    let mut end = None;
    match fault {
        Some(Fault::Cut { after_events }) => {
            frames.truncate(*after_events);
            end = Some(BodyStep::Break);
        }
        Some(Fault::Stall { after_events }) => {
            frames.truncate(*after_events);
            end = Some(BodyStep::Silence);
        }
        Some(Fault::Exception {
            after_events,
            name,
            message,
        }) => {
            frames.truncate(*after_events);
            end = frame::exception(name, message).ok().map(BodyStep::Frame);
        }
        Some(Fault::CorruptFrame { after_events }) => {
            if let Some(frame) = frames.get_mut(*after_events) {
                *frame = damaged(frame);
            }
        }
        Some(Fault::SilentStart(None)) => steps.push_back(BodyStep::Silence),
        Some(Fault::SilentStart(Some(delay))) => steps.push_back(BodyStep::Wait(*delay)),
        _ => {}
    }
    for (at, frame) in frames.into_iter().map(BodyStep::Frame).chain(end).enumerate() {
        if at > 0 && !interval.is_zero() {
            steps.push_back(BodyStep::Wait(interval));
        }
        steps.push_back(frame);
    }
    steps
}

/// `frame` with a bit of its payload turned over, so that its checksum is wrong.
fn damaged(frame: &EventFrame) -> EventFrame {
    let mut bytes = frame.bytes.to_vec();
    if let Some(byte) = bytes.iter_mut().rev().nth(5) {
        *byte ^= 1;
    }
    EventFrame {
        bytes: bytes.into(),
        reports_usage: false,
    }
}

/// The first half of a body in one piece, and then a break.
pub(crate) fn half(bytes: &Bytes) -> VecDeque<BodyStep> {
    let half = EventFrame {
        bytes: bytes.slice(..bytes.len() / 2),
        reports_usage: false,
    };
    [BodyStep::Frame(half), BodyStep::Break].into()
}

//! The steps of a response body: the frames at their pace, changed by a fault.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::response_body::BodyStep;
use crate::control::fault::FaultKind;
use crate::response::frame::{self, EventFrame};

/// The steps of a stream.
pub(super) fn steps(
    mut frames: Vec<EventFrame>,
    interval: Duration,
    fault: Option<&FaultKind>,
) -> VecDeque<BodyStep> {
    let mut steps = VecDeque::with_capacity(frames.len() * 2 + 2);
    let mut end = None;
    match fault {
        Some(FaultKind::Cut { after_events }) => {
            frames.truncate(*after_events);
            end = Some(BodyStep::Break);
        }
        Some(FaultKind::Stall { after_events }) => {
            frames.truncate(*after_events);
            end = Some(BodyStep::Silence);
        }
        Some(FaultKind::Exception(fault)) => {
            frames.truncate(fault.after_events);
            end = frame::exception(fault.error_type(), fault.message())
                .ok()
                .map(BodyStep::Frame);
        }
        Some(FaultKind::CorruptFrame { after_events }) => {
            if let Some(frame) = frames.get_mut(*after_events) {
                *frame = corrupt(frame);
            }
        }
        Some(FaultKind::SilentStart { delay_ms: None }) => steps.push_back(BodyStep::Silence),
        Some(FaultKind::SilentStart {
            delay_ms: Some(delay_ms),
        }) => steps.push_back(BodyStep::Wait(Duration::from_millis(*delay_ms))),
        _ => {}
    }
    for (index, step) in frames.into_iter().map(BodyStep::Frame).chain(end).enumerate() {
        if index > 0 && !interval.is_zero() {
            steps.push_back(BodyStep::Wait(interval));
        }
        steps.push_back(step);
    }
    steps
}

/// `frame` with one payload bit flipped, so that its checksum is wrong.
fn corrupt(frame: &EventFrame) -> EventFrame {
    let mut bytes = frame.bytes.to_vec();
    if let Some(byte) = bytes.iter_mut().rev().nth(5) {
        *byte ^= 1;
    }
    EventFrame {
        bytes: bytes.into(),
        reports_usage: false,
    }
}

/// The first half of a whole body, then a break.
pub(super) fn half(bytes: &Bytes) -> VecDeque<BodyStep> {
    let half = EventFrame {
        bytes: bytes.slice(..bytes.len() / 2),
        reports_usage: false,
    };
    [BodyStep::Frame(half), BodyStep::Break].into()
}

//! Bells, which have hooks called at an interval. Envoy gives a module no timers, but lets any thread
//! have a hook called on the thread of a stream or a configuration. So a thread of this module
//! rings one bell per configuration, for the main thread, and one per worker that needs it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use envoy_bedrock::routing::brokered::CALL_TICK_MILLISECONDS;

use crate::abi::Alarm;

/// The alarms that are rung, by the numbers of their bells.
#[derive(Debug)]
struct Alarms {
    alarms: BTreeMap<u64, Alarm>,
    next: u64,
}

static ALARMS: Mutex<Alarms> = Mutex::new(Alarms {
    alarms: BTreeMap::new(),
    next: 0,
});
static STARTED: Once = Once::new();

fn alarms() -> MutexGuard<'static, Alarms> {
    ALARMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has an alarm rung at an interval until it is dropped.
#[derive(Debug)]
pub(crate) struct Bell(u64);

impl Drop for Bell {
    fn drop(&mut self) {
        drop(alarms().alarms.remove(&self.0));
    }
}

/// Has `alarm` rung at an interval.
pub(crate) fn add(alarm: Alarm) -> Bell {
    STARTED.call_once(|| {
        let interval = Duration::from_millis(CALL_TICK_MILLISECONDS.into());
        let ring = move || loop {
            thread::sleep(interval);
            ring_all();
        };
        if let Err(error) = thread::Builder::new()
            .name("envoy-bedrock".to_owned())
            .spawn(ring)
        {
            log::error!("the timer could not be started: {error}");
        }
    });
    let mut alarms = alarms();
    let number = alarms.next;
    alarms.next = number.wrapping_add(1);
    alarms.alarms.insert(number, alarm);
    Bell(number)
}

/// Rings all alarms.
pub(crate) fn ring_all() {
    for alarm in alarms().alarms.values() {
        alarm.ring();
    }
}

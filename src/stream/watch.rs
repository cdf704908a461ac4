//! The streams of a VM whose uploads are being drained, and the timers that check on them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};

use crate::time::UnixTime;

/// A stream whose upload may be draining.
pub trait Draining {
    /// Whether an upload is being drained.
    fn is_draining(&self) -> bool;

    /// The timer has fired. Called with the stream as the effective context.
    fn tick(&mut self, now: UnixTime);
}

/// The draining streams by context id, and the plugins whose timer is running.
///
/// The timer of any plugin checks all streams: after a configuration change, streams of the
/// previous plugin may still be draining.
#[derive(Default)]
pub struct Watch {
    running: BTreeSet<u32>,
    streams: BTreeMap<u32, Weak<RefCell<dyn Draining>>>,
}

impl Watch {
    /// Whether the timer of this plugin is running. It must not be started again: that would reset
    /// it, and it might never fire.
    pub fn is_running(&self, plugin_id: u32) -> bool {
        self.running.contains(&plugin_id)
    }

    /// The timer of this plugin has started.
    pub fn started(&mut self, plugin_id: u32) {
        self.running.insert(plugin_id);
    }

    /// The timer of this plugin has stopped, or the plugin was destroyed.
    pub fn stopped(&mut self, plugin_id: u32) {
        self.running.remove(&plugin_id);
    }

    /// Watches a stream until it is destroyed or no longer draining.
    pub fn add<S: Draining + 'static>(&mut self, context_id: u32, stream: &Rc<RefCell<S>>) {
        let stream = Rc::downgrade(stream);
        self.streams.insert(context_id, stream);
    }

    /// Returns the streams that are still draining, with their context ids, and drops the others.
    pub fn draining(&mut self) -> Vec<(u32, Rc<RefCell<dyn Draining>>)> {
        let mut draining = Vec::new();
        self.streams.retain(|context_id, stream| {
            let stream = stream.upgrade().filter(|stream| stream.borrow().is_draining());
            let is_kept = stream.is_some();
            draining.extend(stream.map(|stream| (*context_id, stream)));
            is_kept
        });
        draining
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Draining for bool {
        fn is_draining(&self) -> bool {
            *self
        }

        fn tick(&mut self, _: UnixTime) {}
    }

    #[test]
    fn a_stream_is_watched_until_it_is_destroyed_or_no_longer_draining() {
        let mut watch = Watch::default();
        let streams = [true; 3].map(|is_draining| Rc::new(RefCell::new(is_draining)));
        for (context_id, stream) in (1..).zip(&streams) {
            watch.add(context_id, stream);
        }
        let ids = |watch: &mut Watch| {
            let draining = watch.draining();
            draining.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(ids(&mut watch), [1, 2, 3]);
        let [first, second, _third] = streams;
        drop(first);
        *second.borrow_mut() = false;
        assert_eq!(ids(&mut watch), [3]);
        *second.borrow_mut() = true;
        assert_eq!(ids(&mut watch), [3], "a dropped stream does not return");
    }
}

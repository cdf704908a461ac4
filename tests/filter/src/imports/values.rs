//! Log, clock, timer, metrics, properties and contexts.

use super::call::{HostResult, Import, Invocation, giving, import};
use crate::abi::Status;
use crate::host::{Context, HostMetric, HostMetricKind, HttpContext, LogLine};

pub(super) const TABLE: &[Import] = &[
    import("proxy_log", "iii>i", log),
    import("proxy_get_current_time_nanoseconds", "i>i", current_time),
    import("proxy_set_tick_period_milliseconds", "i>i", tick_period),
    import("proxy_define_metric", "iiii>i", define_metric),
    import("proxy_increment_metric", "iI>i", increment_metric),
    import("proxy_record_metric", "iI>i", record_metric),
    giving("proxy_get_property", "iiii>i", 2, get_property),
    import("proxy_set_property", "iiii>i", set_property),
    import("proxy_set_effective_context", "i>i", set_effective_context),
];

const LOG_LEVEL_MAX: u32 = 5;

fn log(call: &mut Invocation<'_, '_>) -> HostResult {
    let level = call.word(0);
    if level > LOG_LEVEL_MAX {
        return Err(Status::BadArgument.into());
    }
    let text = call.bytes(1)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    call.host().log.push(LogLine { level, text });
    Ok(())
}

fn current_time(call: &mut Invocation<'_, '_>) -> HostResult {
    let now = call.host().now_nanoseconds;
    call.put_long(0, now)
}

fn tick_period(call: &mut Invocation<'_, '_>) -> HostResult {
    let period = call.word(0);
    let root = call.host().root();
    call.host().ticks.insert(root, period);
    Ok(())
}

/// The low two bits of a metric's id are its kind.
const METRIC_KIND_BITS: u32 = 2;

fn define_metric(call: &mut Invocation<'_, '_>) -> HostResult {
    let kind = match call.word(0) {
        0 => HostMetricKind::Counter,
        1 => HostMetricKind::Gauge,
        2 => HostMetricKind::Histogram,
        _ => return Err(Status::BadArgument.into()),
    };
    let name = String::from_utf8_lossy(&call.bytes(1)?).into_owned();
    // Envoy returns a new id each time, also for a known name. A module that defines a metric per
    // request leaks.
    if call.host().metric(&name).is_some() {
        call.refuse(format!("the metric {name} is defined a second time"));
    }
    let id = ((call.host().metrics.len() as u32 + 1) << METRIC_KIND_BITS) | kind as u32;
    call.host().metrics.insert(
        id,
        HostMetric {
            kind,
            name,
            value: 0,
            samples: Vec::new(),
        },
    );
    call.put(3, id)
}

fn increment_metric(call: &mut Invocation<'_, '_>) -> HostResult {
    let id = call.word(0);
    let offset = call.long(1);
    if id & 3 > HostMetricKind::Gauge as u32 {
        return Err(Status::BadArgument.into());
    }
    let metric = call.host().metrics.get_mut(&id).ok_or(Status::NotFound)?;
    if metric.kind == HostMetricKind::Counter && offset <= 0 {
        return Err(Status::BadArgument.into());
    }
    metric.value = metric.value.wrapping_add_signed(offset);
    Ok(())
}

fn record_metric(call: &mut Invocation<'_, '_>) -> HostResult {
    let id = call.word(0);
    let value = call.long(1) as u64;
    let metric = call.host().metrics.get_mut(&id).ok_or(Status::NotFound)?;
    match metric.kind {
        HostMetricKind::Counter => metric.value = metric.value.wrapping_add(value),
        HostMetricKind::Gauge => metric.value = value,
        HostMetricKind::Histogram => metric.samples.push(value),
    }
    Ok(())
}

fn get_property(call: &mut Invocation<'_, '_>) -> HostResult {
    let path = call.bytes(0)?;
    let subject = call.host().subject();
    let value = match call.host().contexts.get(&subject) {
        Some(Context::Stream(stream)) => stream_property(stream, &path)?,
        Some(Context::Root { root_id }) if path == b"plugin_root_id" => root_id.clone().into_bytes(),
        _ => return Err(Status::NotFound.into()),
    };
    call.give(2, &value)
}

fn stream_property(stream: &HttpContext, path: &[u8]) -> Result<Vec<u8>, Status> {
    let set = stream.filter_state.borrow();
    if let Some(value) = stream.properties.get(path).or_else(|| set.get(path)) {
        return Ok(value.clone());
    }
    let inside = |longer: &Vec<u8>| longer.starts_with(path) && longer.get(path.len()) == Some(&0);
    if stream.properties.keys().any(inside) {
        return Err(Status::SerializationFailure);
    }
    Err(Status::NotFound)
}

fn set_property(call: &mut Invocation<'_, '_>) -> HostResult {
    let path = call.bytes(0)?;
    let value = call.bytes(2)?;
    let stream = call.host().stream().ok_or(Status::NotFound)?;
    stream.filter_state.borrow_mut().insert(path, value);
    Ok(())
}

fn set_effective_context(call: &mut Invocation<'_, '_>) -> HostResult {
    let context = call.word(0);
    if !call.host().contexts.contains_key(&context) {
        return Err(Status::BadArgument.into());
    }
    call.host().effective = context;
    Ok(())
}

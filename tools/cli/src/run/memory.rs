//! How much memory the gateway has.

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, get_current_pid};

use crate::render::HeapLimit;

/// What a standby takes: 60 MiB, and what it allocates when it reloads.
const STANDBY_BYTES: u64 = 64 * 1024 * 1024;

/// The default of `--max-heap`: for the memory of this process's cgroup, which Envoy shares, or of
/// the machine if no cgroup has a limit, without what a standby takes. If neither is known, the
/// default of `render`.
pub(super) fn heap_limit(has_standby: bool) -> HeapLimit {
    let standby = if has_standby { STANDBY_BYTES } else { 0 };
    let Ok(mut system) = System::new() else {
        return HeapLimit::DEFAULT;
    };
    system.refresh_memory();
    let machine = Some(system.total_memory()).filter(|bytes| *bytes > 0);
    let limits = [cgroup_bytes(&mut system), root_bytes(&system), machine];
    let smallest = limits.into_iter().flatten().min();
    smallest.map_or(HeapLimit::DEFAULT, |bytes| {
        HeapLimit::of_memory(bytes.saturating_sub(standby))
    })
}

/// The smallest limit of this process's cgroup and those around it.
fn cgroup_bytes(system: &mut System) -> Option<u64> {
    let process = get_current_pid().ok()?;
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[process]),
        false,
        ProcessRefreshKind::nothing(),
    );
    Some(system.process(process)?.cgroup_limits()?.total_memory)
}

/// The limit of the cgroup that is mounted as the root. In a container with cgroups of version 1,
/// this is its own, although the process names that of the host.
fn root_bytes(system: &System) -> Option<u64> {
    Some(system.cgroup_limits()?.total_memory)
}

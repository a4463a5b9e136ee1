//! What this machine is, and what disturbed the run.

use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this process may use.
pub(crate) fn cores() -> Vec<usize> {
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU)
            .filter(|&core| set.is_set(core))
            .collect(),
        Err(_) => vec![0],
    }
}

/// The cores that this process might use when it was started.
pub(crate) fn cores_before_pinning() -> Vec<usize> {
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    CORES.get_or_init(cores).clone()
}

/// Pins the calling thread, if there is a core to pin it to.
pub(crate) fn pin(core: Option<usize>) {
    if let Some(core) = core {
        let mut set = CpuSet::new();
        set.set(core);
        // Unpinned figures are still figures; the machine line says how many cores there were.
        let _ = sched_setaffinity(None::<Pid>, &set);
    }
}

/// Jiffies that the host has taken from this machine so far.
pub(crate) fn steal() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    stat.lines()
        .next()
        .and_then(|line| line.split_whitespace().nth(8))
        .and_then(|field| field.parse().ok())
        .unwrap_or(0)
}

/// Involuntary context switches so far of the thread that /proc tells of there, such as `thread-self` or a process id for the
/// first thread of that process.
pub(crate) fn switches(path: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{path}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

/// Time on a processor that all threads of a process have had so far.
pub(crate) fn cpu_time(process: &str) -> Duration {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else {
        return Duration::ZERO;
    };
    let nanoseconds = tasks.flatten().filter_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Open descriptors of a process.
pub(crate) fn descriptors(process: &str) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count)
}

/// Mappings of a process.
pub(crate) fn mappings(process: &str) -> usize {
    std::fs::read_to_string(format!("/proc/{process}/maps")).map_or(0, |maps| maps.lines().count())
}

/// Allows this process as many descriptors as it may have.
pub(crate) fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With fewer, what needs them says so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// One line for the report.
pub(crate) fn describe() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']))
        .unwrap_or("unknown processor");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{model}, {} cores, kernel {}, load {}",
        cores_before_pinning().len(),
        kernel.trim(),
        load.split_whitespace().next().unwrap_or("?")
    )
}

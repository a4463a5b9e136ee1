//! What this machine is, and what disturbed the run.

use rustix::process::Pid;
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

/// Involuntary context switches of the calling thread and the whole process so far.
pub(crate) fn switches() -> u64 {
    let field = |path: &str| -> u64 {
        let status = std::fs::read_to_string(path).unwrap_or_default();
        status
            .lines()
            .find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or(0)
    };
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return 0;
    };
    tasks
        .flatten()
        .map(|task| field(&task.path().join("status").to_string_lossy()))
        .sum()
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
        cores().len(),
        kernel.trim(),
        load.split_whitespace().next().unwrap_or("?")
    )
}

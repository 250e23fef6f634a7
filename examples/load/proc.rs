//! What the kernel knows of a process and of the disk.

use std::{fs, path::Path};

use crate::data::Fault;

/// Clock ticks per second in `/proc/PID/stat`; 100 on every Linux of today.
const TICKS: f64 = 100.0;

/// Seconds of processor time that a process has used, all its threads together.
pub(crate) fn cpu_seconds(pid: &str) -> Result<f64, Fault> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold spaces: count behind it. utime and stime are fields 14 and 15.
    let behind = stat.rsplit_once(')').ok_or("/proc/PID/stat has no name")?.1;
    let ticks: f64 = behind.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS)
}

/// Resident memory, in MiB.
pub(crate) fn rss_mib(pid: &str) -> Result<f64, Fault> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// The block device under a path, if there is exactly one of its name.
pub(crate) fn device(path: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let path = path.canonicalize().ok()?;
    let mut best = ("", "");
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(source), Some(target)) = (words.next(), words.next()) else { continue };
        if path.starts_with(target) && target.len() >= best.1.len() {
            best = (source, target);
        }
    }
    let name = best.0.strip_prefix("/dev/")?;
    Path::new("/sys/class/block").join(name).exists().then(|| name.to_owned())
}

/// Cache flushes that the device has done since the machine started, whoever asked for them.
pub(crate) fn flushes(device: &str) -> Option<u64> {
    let stat = fs::read_to_string(format!("/sys/class/block/{device}/stat")).ok()?;
    stat.split_whitespace().nth(15)?.parse().ok()
}

//! The process itself: no core dumps, and what the standard `process_*` metrics tell.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Keeps memory, and the secrets in it, out of files when the process dies.
pub fn no_core_dumps() -> std::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(std::io::Error::from)
}

/// Whether this process may use the system's own folders.
pub fn is_privileged() -> bool {
    rustix::process::geteuid().is_root()
}

/// Refreshes the `process_*` gauges, where the system tells.
pub fn measure() {
    let Some(facts) = facts() else { return };
    metrics::gauge!("process_cpu_seconds_total").set(facts.cpu_seconds);
    metrics::gauge!("process_resident_memory_bytes").set(facts.resident_bytes as f64);
    metrics::gauge!("process_virtual_memory_bytes").set(facts.virtual_bytes as f64);
    metrics::gauge!("process_threads").set(facts.threads as f64);
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        metrics::gauge!("process_open_fds").set(open.count() as f64);
    }
}

struct Facts {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    threads: u64,
}

fn facts() -> Option<Facts> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    parse(&stat, rustix::param::clock_ticks_per_second(), rustix::param::page_size() as u64)
}

/// Reads proc(5) `stat`. The command's name may hold anything, so the fields are counted after its last bracket.
fn parse(stat: &str, ticks_per_second: u64, page_bytes: u64) -> Option<Facts> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // Field 3 of the manual comes first here.
    let field = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
    Some(Facts {
        cpu_seconds: (field(14)? + field(15)?) as f64 / ticks_per_second as f64,
        threads: field(20)?,
        virtual_bytes: field(23)?,
        resident_bytes: field(24)? * page_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_whatever_the_name() {
        let line =
            "7 (a) b) (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 12345 8192000 300 18446744073709551615";
        let facts = parse(line, 100, 4096).unwrap();
        assert_eq!((facts.cpu_seconds, facts.threads), (3.0, 9));
        assert_eq!((facts.virtual_bytes, facts.resident_bytes), (8_192_000, 300 * 4096));
        assert!(parse("", 100, 4096).is_none());
        assert!(parse("7 (x) S 1", 100, 4096).is_none());
    }

    #[test]
    fn core_dumps_go_off_and_stay_off() {
        no_core_dumps().unwrap();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let core = limits.lines().find(|l| l.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().filter(|w| *w == "0").count(), 2, "{core}");
    }
}

//! The unit for systemd.

use std::process::Command;

use super::*;

const UNIT: &str = "deploy/systemd/behalf.service";

/// 0 is shut, 10 is open; the network alone makes 0.5.
#[test]
fn systemd_finds_the_unit_well_hardened() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let mut command = Command::new("systemd-analyze");
    let done =
        command.args(["security", "--no-pager", "--offline=true", "--threshold=20"]).arg(file(UNIT)).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("Overall exposure level for behalf.service: 1."), "{said}");
}

/// Its variables are the service's, and the time for a stop is that which the process may take.
#[test]
fn the_unit_speaks_of_the_service_as_it_is() {
    let unit = read(UNIT);
    let example = read(".env.example");
    let variables: Vec<&str> =
        unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split('=').next()).collect();
    assert_eq!(variables, ["BEHALF_STORE", "BEHALF_BIND", "BEHALF_HOOK_SECRET_FILE"]);
    for name in variables {
        assert!(example.contains(name), "{name}");
    }
    let seconds = |name: &str| -> u64 {
        let line = example.lines().find_map(|line| line.strip_prefix(&format!("#{name}="))).unwrap();
        line.trim_end_matches('s').parse().unwrap()
    };
    let takes = seconds("BEHALF_DRAIN_DELAY") + 3 * seconds("BEHALF_SHUTDOWN_GRACE") + 3;
    let given: u64 = unit
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="))
        .unwrap()
        .trim_end_matches('s')
        .parse()
        .unwrap();
    assert!(given > takes, "{given} s for {takes} s");
}

//! Devices and their service on a simulated network: the real client, the real service, the real HTTP/2 between them;
//! only time, randomness and the wire are made. One seed decides everything, and two runs of it are the same run.
//!
//! A process runs one seed, so this program calls itself. A failing seed is named in the panic; run it alone by
//! `CHATKEEP_SEED=N cargo test -p tests --test simulation one_seed -- --nocapture`.

#[path = "simulation/device.rs"]
mod device;
#[path = "simulation/network.rs"]
mod network;
#[path = "simulation/seeded.rs"]
mod seeded;
#[path = "simulation/world.rs"]
mod world;

use std::process::Command;

const SEED: &str = "CHATKEEP_SEED";
const TRACE: &str = "trace of seed";

/// One seed in this process: that of `CHATKEEP_SEED`, else the first.
#[test]
fn one_seed() {
    let seed = std::env::var(SEED).map_or(1, |seed| seed.parse().expect("CHATKEEP_SEED is a number"));
    let trace = world::run(seed);
    println!("{TRACE} {seed}: {trace}");
}

/// Runs a seed in a process of its own; answers the line with its trace.
fn trace(seed: u64) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let ended = command.args(["one_seed", "--exact", "--nocapture"]).env(SEED, seed.to_string()).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    let line = said.lines().find_map(|line| line.find(TRACE).and_then(|at| line.get(at..)));
    match line.filter(|_| ended.status.success()) {
        Some(line) => line.to_owned(),
        None => panic!("seed {seed} fails:\n{said}{}", String::from_utf8_lossy(&ended.stderr)),
    }
}

#[test]
fn every_seed_converges_and_the_first_are_the_same_run_twice() {
    let mut traces = std::collections::BTreeSet::new();
    for seed in 1..=tests::times(20, 500) as u64 {
        let first = trace(seed);
        if seed <= 5 {
            assert_eq!(first, trace(seed), "seed {seed} is another run the second time");
        }
        let hash = first.rsplit(' ').next().unwrap().to_owned();
        assert!(traces.insert(hash), "seed {seed} is the same run as another seed: {first}");
    }
}

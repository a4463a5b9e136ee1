//! Both processes on one core: each has to give way to the other.

use std::time::{Duration, Instant};

use process_tests::{Role, Way};
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::{PROGRAM, for_both};

for_both! { two_processes_that_share_a_core }

fn two_processes_that_share_a_core<T: Way>() {
    let allowed = sched_getaffinity(None).expect("it can be asked for");
    let core = (0..CpuSet::MAX_CPU).find(|&core| allowed.is_set(core));
    let core = core.expect("this thread runs somewhere").to_string();
    let name = T::name("one-core");
    let setting = format!("core={core}");
    let server = Role::start(PROGRAM, &["serve", T::WORD, &name, &setting]);
    server.expect("bound");
    let mut client = Role::start(PROGRAM, &["blocking", T::WORD, &name, "2000", &core]);
    client.expect("connected");
    let start = Instant::now();
    client.say("go");
    assert_eq!(client.expect_number("wrong"), 0);
    let took = start.elapsed();
    let median = Duration::from_nanos(client.expect_number("median"));
    println!(
        "{}: on one core a call takes {median:?}, 2,000 {took:?}",
        T::WORD
    );
    assert!(took < Duration::from_secs(30));
}

//! A thousand clients that do nothing beside one that calls.

use std::time::{Duration, Instant};

use process_tests::{Client, Role, Way, connect, echoed};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{PROGRAM, for_both};

for_both! { one_active_among_many_idle }

/// Clients that do nothing.
const IDLE: usize = 1000;

/// The median time of a round trip, of calls one after the other.
fn median<T: Way>(client: &mut Client<T>) -> Duration {
    let mut times: Vec<_> = (0..2000)
        .map(|call| {
            let start = Instant::now();
            assert_eq!(client.blocking().echo(call), Ok(echoed(call)));
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// The best of a few such medians: what else runs on the machine comes and goes.
fn best<T: Way>(client: &mut Client<T>) -> Duration {
    let medians = [(); 5].map(|()| median::<T>(client));
    medians.into_iter().fold(medians[0], Duration::min)
}

fn one_active_among_many_idle<T: Way>() {
    // Each takes a few descriptors of this process, and of the server's, which has the limit of this one.
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: most,
            maximum: most,
        },
    )
    .expect("up to the hard limit");
    let enough = most.is_none_or(|most| most >= 8 * IDLE as u64);
    let idle = if enough { IDLE } else { 50 };
    let name = T::name("crowd");
    let mut server = Role::start(PROGRAM, &["serve", T::WORD, &name]);
    server.expect("bound");
    let mut active = connect::<T, u64>(&name);
    let mut alone = best::<T>(&mut active);
    let start = Instant::now();
    let mut crowd: Vec<_> = (0..idle).map(|_| connect::<T, u64>(&name)).collect();
    let attached = start.elapsed();
    // Those that the server polls in vain it stops polling after a while.
    let first = median::<T>(&mut active);
    let (mut among, start) = (first, Instant::now());
    while among > alone * 3 / 2 && start.elapsed() < Duration::from_secs(10) {
        among = median::<T>(&mut active);
    }
    let settled = start.elapsed();
    // None of them is forgotten.
    for (call, one) in (0..).zip(&mut crowd) {
        assert_eq!(one.blocking().echo(call), Ok(echoed(call)));
    }
    drop(crowd);
    // The better of before and after is what it takes alone.
    alone = alone.min(best::<T>(&mut active));
    let ratio = |time: Duration| time.as_secs_f64() / alone.as_secs_f64();
    println!(
        "{}: a call takes {alone:?} alone; among {idle} idle clients {:.2} times that at first, {:.2} after {settled:?} of calls; they were attached in {attached:?}",
        T::WORD,
        ratio(first),
        ratio(among),
    );
    server.say("stop");
    server.expect("stopped");
}

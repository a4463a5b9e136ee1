//! Other users.

use process_tests::{Reaction, Role, Rude, Way, connect, echoed, name};
use runtime_shm::{Isolated, SameUser};
use rustix::process::geteuid;

use crate::PROGRAM;

/// Nobody, as a rule.
const STRANGER: &str = "65534";

/// True if a test can be another user. If not, the little that can be checked is: that a user is not taken for another.
fn can_be_another<T: Way>() -> bool {
    if geteuid().is_root() {
        return true;
    }
    println!("not run with another user: only root can become one");
    let name = T::name("same-user");
    let server = Role::start(PROGRAM, &["serve", T::WORD, &name]);
    server.expect("bound");
    // Who is denied is told so before he has said anything; this one is heard.
    let rude = Rude::connect(&name);
    let said = rude.say(b"who am I", &[]);
    assert_eq!(said, Ok(()));
    assert!(matches!(rude.answer(), Reaction::Verdict(5, _)));
    false
}

#[test]
fn another_user_is_refused() {
    if !can_be_another::<SameUser>() {
        return;
    }
    let name = name("stranger");
    let server = Role::start(PROGRAM, &["serve", "same", &name]);
    server.expect("bound");
    let mut client = connect::<SameUser, u64>(&name);
    let stranger = Role::start(PROGRAM, &["stranger", "same", &name, STRANGER]);
    let said = stranger.expect("refused");
    assert!(
        said.contains("may not be used") && said.contains("@Shm(isolated)"),
        "{said}"
    );
    // The client looks whose server it is. The server does not rest on that.
    let stranger = Role::start(PROGRAM, &["stranger-raw", &name, STRANGER]);
    let said = stranger.expect("answer");
    assert!(said.starts_with("Verdict(4,"), "{said}");
    assert!(said.contains(STRANGER), "{said}");
    assert_eq!(client.blocking().echo(1), Ok(echoed(1)));
}

#[test]
fn another_user_of_an_isolated_service_is_served() {
    if !can_be_another::<Isolated>() {
        return;
    }
    let name = name("stranger");
    let server = Role::start(PROGRAM, &["serve", "isolated", &name]);
    server.expect("bound");
    for _ in 0..5 {
        let stranger = Role::start(PROGRAM, &["stranger", "isolated", &name, STRANGER]);
        assert_eq!(stranger.expect("served"), "true");
    }
}

//! Calls, tokens and loans: consumed once, answered always.

use std::panic::{AssertUnwindSafe, catch_unwind};

use runtime_core::{CallError, TokenError};

use super::{replies, reply, serve};
use crate::probe::probe::{Request, method};
use crate::{Backend, Probe, pair};

pub fn a_dropped_call_is_aborted<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    client.echo(1, 1).unwrap();
    while let Some(request) = server.recv().unwrap() {
        drop(request);
    }
    assert_eq!(reply(&mut client), (1, Err(CallError::Aborted)));
}

pub fn a_panicking_handler_aborts_and_the_server_goes_on<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    let mut probe = Probe {
        panic_at: Some(13),
        ..Probe::default()
    };
    for value in 12..15 {
        client.echo(value, value).unwrap();
    }
    let mut panics = 0;
    for _ in 0..3 {
        panics += usize::from(
            catch_unwind(AssertUnwindSafe(|| serve::<B>(&mut server, &mut probe))).is_err(),
        );
    }
    assert_eq!(panics, 1);
    let mut got = replies(&mut client, 3);
    got.sort_unstable_by_key(|(user_data, _)| *user_data);
    assert_eq!(
        got,
        [(12, Ok(12)), (13, Err(CallError::Aborted)), (14, Ok(14))]
    );
}

pub fn a_dropped_token_is_aborted_from_any_thread<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    client.echo(1, 1).unwrap();
    client.echo(2, 2).unwrap();
    let mut tokens = Vec::new();
    while let Some(Request::Echo(call)) = server.recv().unwrap() {
        tokens.push(call.into_token());
    }
    let second = tokens.pop().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || drop(second));
    });
    assert_eq!(reply(&mut client), (2, Err(CallError::Aborted)));
    drop(tokens);
    assert_eq!(reply(&mut client), (1, Err(CallError::Aborted)));
}

pub fn a_foreign_token_is_handed_back<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    let (_other_client, mut other) = pair::<B, u64>();
    client.echo(1, 1).unwrap();
    let mut token = None;
    while let Some(Request::Echo(call)) = server.recv().unwrap() {
        token = Some(call.into_token());
    }
    let refused = other.reply::<method::Echo>(token.unwrap(), 5);
    let Err(TokenError::Foreign(token)) = refused else {
        panic!("unexpected {refused:?}")
    };
    // Nothing is lost: its own server can still answer.
    server.reply::<method::Echo>(token, 6).unwrap();
    assert_eq!(reply(&mut client), (1, Ok(6)));
}

pub fn a_token_outlives_its_client<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    client.echo(77, 1).unwrap();
    let mut token = None;
    while let Ok(Some(Request::Echo(call))) = server.recv() {
        token = Some(call.into_token());
    }
    let token = token.unwrap();
    drop(client);
    while server.recv().is_ok() {
        std::thread::yield_now();
    }
    // Its memory is still there; the answer has nowhere to go.
    assert_eq!(token.data().value, 77);
    let answered = server.reply::<method::Echo>(token, 1);
    assert!(
        matches!(answered, Err(TokenError::Disconnected)),
        "unexpected {answered:?}"
    );
}

pub fn a_dropped_loan_frees_its_slot<B: Backend>() {
    let (mut client, mut server) = pair::<B, u64>();
    for _ in 0..10 * client.window() {
        drop(client.loan::<method::Echo>().unwrap());
    }
    let mut loan = client.loan::<method::Echo>().unwrap();
    assert_eq!(loan.value, 0, "a loan begins zeroed");
    loan.value = 4;
    loan.send(1);
    serve::<B>(&mut server, &mut Probe::default());
    assert_eq!(reply(&mut client), (1, Ok(4)));
}

//! The role of a server.

use std::io::BufRead;
use std::thread;
use std::time::Duration;

use conformance::probe::probe::{Request, method};
use conformance::probe::{MathError, Mode};
use process_tests::{PARKED, RELEASE, Server, TRIGGER, Way, echoed};
use runtime_core::{ClientId, ServerConfig, Token, TokenError, WaitError};
use runtime_shm::SameUser;
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::{die, say};

/// What is left to do once a request has been given up, which borrows the server.
enum After {
    Nothing,
    /// Wait for the next request.
    Wait,
    /// Answer the parked calls.
    Release,
    /// Send a client an event.
    Event(ClientId, u64),
}

/// When the server is to die.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Never,
    /// With a received request in hand.
    Held,
    /// With half of a reply built.
    HalfReply,
    /// With half of an image edited in place.
    InPlace,
    /// After an answer.
    AfterReply,
    /// With nothing but tokens.
    Tokens,
    /// In its sleep.
    Asleep,
    /// After an event.
    AfterEvent,
}

impl Step {
    fn of(word: &str) -> Self {
        match word {
            "held" => Self::Held,
            "half-reply" => Self::HalfReply,
            "in-place" => Self::InPlace,
            "after-reply" => Self::AfterReply,
            "tokens" => Self::Tokens,
            "asleep" => Self::Asleep,
            "after-event" => Self::AfterEvent,
            _ => panic!("there is no such step: {word}"),
        }
    }
}

/// Serves the probe service, telling when it is bound and how many calls it has parked.
///
/// Lines from the test: `stop` ends it in order, `die` at once.
pub(crate) fn serve<T: Way>(name: &str, settings: &[&str]) {
    let mut config = ServerConfig::default();
    let mut step = Step::Never;
    for setting in settings {
        match setting.split_once('=') {
            Some(("die", "bound")) => {
                let bound = Server::<T>::bind(name);
                say(format_args!("bound {}", bound.is_ok()));
                die();
            }
            Some(("die", at)) => step = Step::of(at),
            Some(("clients", count)) => config.max_clients = number(count) as usize,
            Some(("events", count)) => config.event_window = number(count) as usize,
            Some(("core", core)) => pin(core),
            _ => panic!("there is no such setting: {setting}"),
        }
    }
    let mut server = match Server::<T>::bind_with(name, &config) {
        Ok(server) => server,
        Err(error) => return say(format_args!("failed {error:?}")),
    };
    let stop = T::stopper(server.transport());
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match line.as_str() {
                "stop" => stop(),
                "die" => die(),
                other => panic!("there is no such command: {other}"),
            }
        }
        // The test is over.
        die();
    });
    say("bound");
    run::<T>(&mut server, step);
    drop(server);
    say("stopped");
}

fn run<T: Way>(server: &mut Server<T>, step: Step) {
    let mut parked: Vec<Token<method::Echo, _>> = Vec::new();
    loop {
        let after = match server.recv() {
            Err(WaitError::Disconnected) => return,
            Err(other) => panic!("{other}"),
            Ok(None) => After::Wait,
            Ok(Some(Request::Echo(call))) if call.data().value >= PARKED => {
                parked.push(call.into_token());
                say(format_args!("parked {}", parked.len()));
                After::Nothing
            }
            Ok(Some(request)) => answer(request, step),
        };
        match after {
            After::Nothing => {}
            After::Wait => {
                // Its clients, and the end, wake it; nothing else does.
                let _ = server.wait(Duration::from_secs(3600));
            }
            After::Release => {
                let mut lost = 0;
                for token in parked.drain(..) {
                    let value = echoed(token.data().value);
                    match server.reply::<method::Echo>(token, value) {
                        Ok(()) => {}
                        Err(TokenError::Disconnected) => lost += 1,
                        Err(TokenError::Foreign(_)) => panic!("a token of this very server"),
                    }
                }
                say(format_args!("released {lost}"));
            }
            After::Event(client, count) => {
                let _ = server.ticked(client.into(), count);
                if step == Step::AfterEvent {
                    die();
                }
            }
        }
    }
}

/// Answers a request. That its client is gone meanwhile is no concern here.
fn answer<S: runtime_core::ServerTransport>(request: Request<'_, S>, step: Step) -> After {
    match request {
        Request::Echo(call) => {
            let value = call.data().value;
            let _ = call.reply(echoed(value));
        }
        Request::Mirror(call) => {
            let mut words = call.data().blob.words;
            words.reverse();
            let mut reply = call.build();
            let half = words.len() / 2;
            reply.words[..half].copy_from_slice(&words[..half]);
            if step == Step::HalfReply {
                die();
            }
            reply.words[half..].copy_from_slice(&words[half..]);
            let _ = reply.send();
        }
        Request::Brighten(call) => {
            let by = call.data().by;
            let mut edit = call.edit();
            let half = edit.image.pixels.len() / 2;
            for (at, pixel) in edit.image.pixels.iter_mut().enumerate() {
                if at == half && step == Step::InPlace {
                    die();
                }
                *pixel = pixel.saturating_add(by);
            }
            let _ = edit.send();
        }
        Request::Divide(call) => {
            let (dividend, divisor) = (call.data().dividend, call.data().divisor);
            if dividend == TRIGGER {
                match step {
                    Step::Held => die(),
                    Step::AfterReply => {
                        let _ = call.reply(echoed(divisor));
                        die();
                    }
                    Step::Tokens => {
                        let _token = call.into_token();
                        die();
                    }
                    Step::Asleep => {
                        // Never answered, like those that are parked; the server goes on to sleep.
                        std::mem::forget(call.into_token());
                        thread::spawn(|| {
                            thread::sleep(Duration::from_millis(50));
                            die();
                        });
                        return After::Nothing;
                    }
                    _ => {}
                }
            }
            let _ = call.finish(dividend.checked_div(divisor).ok_or(MathError::BY_ZERO));
        }
        Request::Lookup(call) => {
            let key = call.data().key;
            let _ = call.reply(key + 1);
        }
        Request::Toggle(call) => {
            let mode = call.data().mode;
            let _ = call.reply(if mode == Mode::ON {
                Mode::OFF
            } else {
                Mode::ON
            });
        }
        Request::Split(call) => {
            let _ = call.respond(|request, response| {
                response.high = (request.value >> 32) as u32;
                response.low = request.value as u32;
                response.result = (response.high != 0).into();
                Ok(())
            });
        }
        Request::Note(call) => {
            let (client, value) = (call.client(), call.data().value);
            call.done();
            return if value == RELEASE {
                After::Release
            } else {
                After::Event(client, value)
            };
        }
    }
    After::Nothing
}

/// Binds, and never looks at a request; dies when it is told to.
pub(crate) fn mute<T: Way>(name: &str) {
    let bound = Server::<T>::bind(name);
    say(format_args!("bound {}", bound.is_ok()));
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    die();
}

/// Binds and lets go of names, as it is told; says what came of it.
pub(crate) fn racer() {
    let mut server = None;
    say("ready");
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("bind", name)) => match Server::<SameUser>::bind(name) {
                Ok(bound) => {
                    server = Some(bound);
                    say("won");
                }
                Err(error) => say(format_args!("lost {error:?}")),
            },
            _ => {
                drop(server.take());
                say("free");
            }
        }
    }
}

/// A number of the command line.
pub(crate) fn number(text: &str) -> u64 {
    match text.parse() {
        Ok(number) => number,
        Err(error) => panic!("`{text}` is no number: {error}"),
    }
}

/// Keeps this process, whose other threads come later, on one core.
pub(crate) fn pin(core: &str) {
    let mut cores = CpuSet::new();
    cores.set(number(core) as usize);
    if let Err(error) = sched_setaffinity(None, &cores) {
        panic!("core {core}: {error}");
    }
}

//! What a peer does, drawn from bytes: of a seed in a test, of a fuzzer's choice in `fuzz/`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use runtime_core::Audience;
use runtime_shm::Trust;

use crate::peer::probe::probe::{Reply, Request};
use crate::peer::probe::{Blob, Image, Mode};
use crate::peer::{
    Caller, Echo, Map, RawClient, RawServer, echo, honest_server, reply_word, request_identity,
    word,
};

/// Calls that an honest client may have in flight.
const WINDOW: usize = 4;

/// Numbers out of bytes; zeros behind their end.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    fn below(&mut self, end: usize) -> usize {
        self.byte() as usize % end
    }
}

/// The methods of the probe service, with the lengths of their requests and responses.
const METHODS: [(u16, u32, u32); 6] = [
    (1, 8, 8),
    (2, 512, 512),
    (3, 4001, 4000),
    (6, 1, 1),
    (7, 8, 12),
    (8, 8, 0),
];

/// A number that is as it should be, as a rule.
fn spoiled(script: &mut Script<'_>, right: u32) -> u32 {
    let wrong = [0, 1, 9, 57, 65_536, (1 << 17) - 1];
    match script.below(8) {
        0 => wrong[script.below(6)],
        1 => script.number() as u32 & 0x1_ffff,
        _ => right,
    }
}

/// A request's word: what is expected, or spoiled in some way.
fn forged_request(script: &mut Script<'_>, sent: u64) -> u64 {
    let (method, len, _) = METHODS[script.below(6)];
    let next = spoiled(
        script,
        u32::from(script.0.first().copied().unwrap_or(0) % 5),
    ) as u16;
    let len = spoiled(script, len);
    let again = script.byte() & 1 != 0;
    let method = spoiled(script, method.into()) as u16;
    match script.below(8) {
        0 => script.number(),
        1 => word(
            request_identity(script.number()),
            method,
            len,
            next & 0x3fff,
            again,
        ),
        2 => word(
            request_identity(sent) ^ 4,
            method,
            len,
            next & 0x3fff,
            again,
        ),
        _ => word(request_identity(sent), method, len, next & 0x3fff, again),
    }
}

/// The word of a reply to the request with that word: what is expected, or spoiled in some way.
fn forged_reply(script: &mut Script<'_>, request: u64) -> u64 {
    let method = METHODS.iter().find(|it| it.0 == (request >> 16) as u16);
    let len = spoiled(script, method.map_or(0, |it| it.2));
    let status = [0, 0, 0, 0, 1, 2, 3, 4][script.below(8)];
    match script.below(8) {
        0 => script.number(),
        1 => reply_word(request_identity(script.number()), status, len),
        _ => reply_word(request as u16, status, len),
    }
}

/// Writes a random number at a random place.
fn scribble(script: &mut Script<'_>, map: &Map) {
    let at = script.number() as usize % (map.len() / 8) * 8;
    map.put(at, script.number());
}

/// A client does what the script says, beside an honest one, which is served all the time. Returns how many of its requests were good enough to be
/// seen by the server.
pub(crate) fn client<T: Trust>(script: &[u8]) -> u64 {
    let (name, mut server) = honest_server::<T>(2);
    let mut honest = Caller::<T>::connect(&name).unwrap();
    let mut raw = RawClient::attach::<T>(&name, WINDOW as u32);
    let script = &mut Script(script);
    let mut tokens = Vec::new();
    let (mut turn, mut honest_calls) = (0, 1);
    // Where the server looks for the next request, as far as a liar can know.
    let mut slot = 0;
    while !script.0.is_empty() {
        turn += 1;
        match script.below(12) {
            0..6 => {
                let at = match script.below(4) {
                    0 => script.below(WINDOW + 1),
                    _ => slot,
                };
                let forged = forged_request(script, raw.sent);
                raw.write(at, forged, script.number() & 1);
                // Held for a while, and answered in another order, or served at once.
                let received = if script.below(4) == 0 {
                    match server.recv().unwrap() {
                        Some(Request::Echo(call)) => {
                            tokens.push(call.into_token());
                            true
                        }
                        other => other.is_some(),
                    }
                } else {
                    server.poll(&mut Echo, 1).unwrap() != 0
                };
                let answer = forged as u16 ^ 3;
                let is_answered =
                    |(map, at): (&Map, usize)| map.get(at) as u16 == answer && answer != 3;
                let is_answered = is_answered(raw.request(at)) || is_answered(raw.response(at));
                if received || is_answered && answer & !4 == request_identity(raw.sent) ^ 3 {
                    raw.sent += 1;
                    let next = (forged >> 32 & 0x3fff) as usize;
                    let is_again = forged >> 46 & 1 != 0;
                    slot = if is_again { at } else { next };
                    slot = if slot > WINDOW { 0 } else { slot };
                }
            }
            6 => match &raw.apart {
                Some((requests, _)) => scribble(script, requests),
                // Whoever shares the responses may write them as well.
                None => {
                    let (map, at) = raw.response(script.below(WINDOW + 1));
                    map.put(at, script.number());
                }
            },
            7 => raw
                .client_side()
                .store(script.number() as u32 & !2, Ordering::Release),
            8 => raw
                .server_side()
                .store(script.number() as u32, Ordering::Release),
            9 => raw.control.put(256, script.number()),
            10 => raw.ring(),
            _ => {
                if tokens.len() > 3 {
                    let token = tokens.swap_remove(script.below(4));
                    let _ = server.reply(token, 1);
                }
                let _ = server.ticked(Audience::All, turn);
            }
        }
        for _ in 0..4 {
            server.poll(&mut Echo, 2).unwrap();
        }
        if turn % 8 == 0 {
            echo(&mut server, &mut honest, turn);
            honest_calls += 1;
        }
        let _ = honest.poll_events(|_| ());
    }
    drop(raw);
    for token in tokens {
        let _ = server.reply(token, 1);
    }
    echo(&mut server, &mut honest, 0);
    let requests = server.counters();
    let ticked = requests.methods().last().map_or(0, |ticked| ticked.calls);
    requests.total().calls - ticked - honest_calls
}

/// A server does what the script says to its one client, whose calls all end. Returns how many of its replies were good enough to be seen by the
/// client.
pub(crate) fn server<T: Trust>(script: &[u8]) -> u64 {
    let (mut client, raw) = RawServer::with_client::<T>(WINDOW);
    let script = &mut Script(script);
    let (mut sent, mut ended, mut events, mut good) = (0_u64, 0_u64, 0_u64, 0);
    let short = Duration::from_millis(2);
    while !script.0.is_empty() {
        client.within(short);
        let called = match script.below(10) {
            0 => client.echo(sent, sent).is_ok(),
            1 => client.mirror(&Blob::default(), sent).is_ok(),
            2 => client
                .brighten(&Image { pixels: [1; 4000] }, 1, sent)
                .is_ok(),
            3 => client.toggle(Mode::ON, sent).is_ok(),
            4 => client.split(1, sent).is_ok(),
            5 => {
                let _ = client.note(1);
                false
            }
            _ => false,
        };
        sent += u64::from(called);
        match script.below(8) {
            0..4 => {
                let slot = script.below(raw.slots);
                // A response may come to either area, by its method.
                let (map, at) = match script.below(2) {
                    0 => raw.short_reply(slot),
                    _ => raw.response(slot),
                };
                let (requests, place) = raw.request(slot);
                let reply = forged_reply(script, requests.get(place));
                map.put(at + 8, script.number() & 1);
                map.put(at, reply);
            }
            4 => {
                let (map, at) = raw.event(script.below(raw.events()));
                let identity = request_identity(events / raw.events() as u64);
                let method = spoiled(script, 9) as u16;
                map.put(at + 8, script.number());
                map.put(at, word(identity, method, spoiled(script, 8), 0, false));
            }
            5 => raw
                .client_side()
                .store(script.number() as u32, Ordering::Release),
            // All but that it is gone, which ends everything.
            6 => raw
                .control
                .half(0)
                .store(script.number() as u32 & !2, Ordering::Release),
            _ => match &raw.apart {
                Some((_, responses)) => scribble(script, responses),
                None => raw.control.put(256, script.number()),
            },
        }
        let delivered = client.poll(|user_data, reply| {
            assert!(user_data < sent, "user data that was never given");
            match reply {
                Reply::Toggle(Ok(mode)) => {
                    assert!(*mode == Mode::ON || *mode == Mode::OFF, "{mode:?}");
                    good += 1;
                }
                Reply::Echo(Ok(_)) | Reply::Mirror(Ok(_)) | Reply::Brighten(Ok(_)) => good += 1,
                _ => {}
            }
            ended += 1;
        });
        assert!(delivered.is_ok());
        client.poll_events(|_| events += 1).unwrap();
    }
    // Answered or not, every call ends: at its deadline, or with the server.
    drop(raw);
    client.close(|_, _| ended += 1);
    assert_eq!(ended, sent, "every call ends once");
    good
}

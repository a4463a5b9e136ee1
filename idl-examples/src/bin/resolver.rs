//! Names and addresses, from a server that loses requests: the same calls waiting, retried, and as futures.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use idl_examples::resolver::resolver::{self, ClientOver, Request, ServerOver, TTL_S};
use idl_examples::resolver::{Address, AddressArm, Host, ResolveError, ResolverAnswer};
use idl_examples::{Failure, Laps, Sides, block_on, join, join_all, serve_until_input_ends};
use runtime_core::{CallError, ClientTransport, Retry, ServerTransport};

/// The server's loop: every third question gets lost, and `slow.example` is answered too late.
fn serve<T: ServerTransport>(mut server: ServerOver<T>) -> Result<(), Failure> {
    let mut addresses =
        BTreeMap::from([("slow.example".try_into()?, Address::v4(&[192, 0, 2, 1]))]);
    let mut late = Vec::new();
    let mut asked = 0;
    while server.wait(Duration::from_millis(10)).is_ok() {
        while let Ok(Some(request)) = server.recv() {
            match request {
                Request::Resolve(call) if call.data().host == "slow.example" => {
                    late.push((
                        Instant::now() + Duration::from_millis(200),
                        call.into_token(),
                    ));
                }
                Request::Resolve(call) => {
                    asked += 1;
                    if u32::is_multiple_of(asked, 3) {
                        // The client is told at once, with `Aborted`, instead of finding out at its deadline.
                        drop(call);
                        continue;
                    }
                    let found = addresses.get(&call.data().host);
                    let answer = found.map(|&address| ResolverAnswer {
                        address,
                        ..ResolverAnswer::default()
                    });
                    let _ = call.finish(answer.ok_or(ResolveError::NO_SUCH_HOST));
                }
                Request::Register(call) => {
                    let data = call.data();
                    if data.host.ends_with(".invalid") {
                        let _ = call.fail(ResolveError::REFUSED);
                        continue;
                    }
                    addresses.insert(data.host, data.address);
                    let _ = call.reply(addresses.len() as u32);
                }
            }
        }
        let now = Instant::now();
        while let Some(at) = late.iter().position(|(due, _)| *due <= now) {
            let (_, token) = late.swap_remove(at);
            let answer = addresses
                .get(&token.data().host)
                .map(|&address| ResolverAnswer {
                    address,
                    ttl_s: 1,
                    ..Default::default()
                });
            let _ = server.finish(token, answer.ok_or(ResolveError::NO_SUCH_HOST));
        }
    }
    Ok(())
}

fn host(number: u8) -> Result<Host, Failure> {
    Ok(format!("host-{number}.example").as_str().try_into()?)
}

/// A lookup as a future that starts anew when its request got lost.
async fn resolve<T: ClientTransport>(
    client: &ClientOver<T>,
    host: Host,
) -> Result<(ResolverAnswer, u32), CallError<ResolveError>> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match client.resolve_async(&host).await {
            Err(CallError::Aborted | CallError::Timeout) if attempts < 10 => {}
            result => return result.map(|answer| (answer, attempts)),
        }
    }
}

/// The client, over any transport.
fn call<T: ClientTransport>(mut client: ClientOver<T>) -> Result<(), Failure> {
    // Waiting. `register` is not idempotent: `retrying` does not even have it.
    for number in 0..20 {
        let address = match number % 2 {
            0 => Address::v4(&[198, 51, 100, number]),
            _ => Address::v6(&[0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into()]),
        };
        client.blocking().register(&host(number)?, &address)?;
    }
    let refused = client
        .blocking()
        .register(&"a.invalid".try_into()?, &Address::v4(&[0; 4]));
    assert_eq!(
        refused.err(),
        Some(CallError::Service(ResolveError::REFUSED))
    );

    // Retried: the lost third is asked again.
    let retry = Retry { attempts: 3 };
    let mut laps = Laps::default();
    for round in 0..2_000 {
        let number = (round % 20) as u8;
        let answer = laps.time(|| {
            client
                .retrying(retry)
                .resolve(&host(number).unwrap_or_default())
        })?;
        assert_eq!(answer.ttl_s, TTL_S);
        match answer.address.arm() {
            AddressArm::V4(bytes) => assert_eq!(bytes[3], number),
            AddressArm::V6(words) => assert_eq!(words[7], number.into()),
            other => return Err(format!("what is {other:?}?").into()),
        }
    }
    let unknown = client
        .retrying(retry)
        .resolve(&"nobody.example".try_into()?);
    assert_eq!(
        unknown.err(),
        Some(CallError::Service(ResolveError::NO_SUCH_HOST))
    );

    // The deadline of the schema ends what takes too long; the late answer is dropped, and counted.
    let slow = "slow.example".try_into()?;
    assert_eq!(
        client.blocking().resolve(&slow).err(),
        Some(CallError::Timeout)
    );
    assert_eq!(
        client
            .blocking()
            .within(Duration::from_secs(2))
            .resolve(&slow)?
            .ttl_s,
        1
    );

    // As futures, many at once over the one connection, on whatever executor there is.
    let lookups = (0..20)
        .map(|number| Ok(resolve(&client, host(number)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let answers = block_on(join_all(lookups));
    let mut attempts = 0;
    for (number, answer) in answers.into_iter().enumerate() {
        let (answer, tries) = answer?;
        attempts += tries;
        assert_eq!(answer.address.as_v4().is_some(), number.is_multiple_of(2));
    }
    assert!(attempts > 20, "every third was lost");

    // Waiting calls look at their own replies only; a poll finds the late one, which has no callback any more.
    client.poll(|(), _| ())?;
    let late = client.counters().late_replies;
    assert!(late >= 1);
    println!(
        "resolver: 20 hosts, each found although every third request got lost; late answers dropped: {late}"
    );
    println!("resolver: 20 futures took {attempts} attempts; 2000 retried lookups, {laps}");
    Ok(())
}

/// Over the in-process backend, where a name is known to the threads of the process.
fn threads() -> Result<(), Failure> {
    let server = resolver::inproc::Server::bind("resolver")?;
    let stopper = server.transport().stopper();
    let thread = thread::spawn(move || serve(server));
    call(resolver::inproc::Client::connect("resolver")?)?;
    stopper.stop();
    join(thread)
}

/// Over shared memory: a process that serves a name until it is told to stop.
fn server(name: &str) -> Result<(), Failure> {
    let server = resolver::shm::Server::bind(name)?;
    let stopper = server.transport().stopper();
    serve_until_input_ends(name, move || stopper.stop());
    serve(server)
}

/// And another one that knows the name.
fn client(name: &str) -> Result<(), Failure> {
    call(resolver::shm::Client::connect(name)?)
}

fn main() -> ExitCode {
    let sides = Sides {
        example: "resolver",
        threads,
        server,
        client,
        nodes: None,
    };
    sides.run()
}

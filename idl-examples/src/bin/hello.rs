//! Two methods, a server on a thread, a client that waits for each answer.

use std::thread;

use idl_examples::hello::hello::{self, Client, Handler, Server};
use idl_examples::{Failure, Laps};
use runtime_core::Str;

/// The server's side: one method for each of the interface.
struct Greeter;

impl Handler for Greeter {
    fn greet(&mut self, name: &Str<62>) -> Str<80> {
        // The longest name fits with a greeting around it, so the bound cannot be passed.
        Str::try_from(format!("hello, {name}!").as_str()).unwrap_or_default()
    }

    fn add(&mut self, a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }
}

fn main() -> Result<(), Failure> {
    let (mut client, mut server): (Client, Server) = hello::pair()?;
    let thread = thread::spawn(move || server.serve(&mut Greeter));

    let greeting = client.blocking().greet(&"world".try_into()?)?;
    assert_eq!(greeting, "hello, world!");

    // Too long is an error where the text is made, never a truncation.
    assert!(Str::<62>::try_from("x".repeat(63).as_str()).is_err());

    let mut laps = Laps::default();
    for number in 0..5_000 {
        let sum = laps.time(|| client.blocking().add(number, 1))?;
        assert_eq!(sum, number + 1);
    }

    // The server ends with its last client.
    drop(client);
    thread.join().map_err(|_| "the server panicked")?;

    println!("hello: the server answered {greeting:?}");
    println!("hello: 5000 additions, {laps}");
    Ok(())
}

//! Two methods, a server, and a client that waits for each answer: on two threads, and as two processes.

use std::process::ExitCode;
use std::thread;

use idl_examples::hello::hello::{self, ClientOver, Handler};
use idl_examples::{Failure, Laps, Nodes, Sides, serve_until_input_ends};
use runtime_core::{ClientTransport, Str};

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

/// The client's side, over any transport.
fn call<T: ClientTransport>(mut client: ClientOver<T>) -> Result<(), Failure> {
    let greeting = client.blocking().greet(&"world".try_into()?)?;
    assert_eq!(greeting, "hello, world!");

    // Too long is an error where the text is made, never a truncation.
    assert!(Str::<62>::try_from("x".repeat(63).as_str()).is_err());

    let mut laps = Laps::default();
    for number in 0..5_000 {
        let sum = laps.time(|| client.blocking().add(number, 1))?;
        assert_eq!(sum, number + 1);
    }
    println!("hello: the server answered {greeting:?}");
    println!("hello: 5000 additions, {laps}");
    Ok(())
}

/// Over the in-process backend: the server on a thread, which ends with its last client.
fn threads() -> Result<(), Failure> {
    let (client, mut server) = hello::inproc::pair()?;
    let thread = thread::spawn(move || server.serve(&mut Greeter));
    call(client)?;
    Ok(thread.join().map_err(|_| "the server panicked")?)
}

/// Over shared memory: a process that serves a name until it is told to stop.
fn server(name: &str) -> Result<(), Failure> {
    let mut server = hello::shm::Server::bind(name)?;
    let stopper = server.transport().stopper();
    serve_until_input_ends(name, move || stopper.stop());
    server.serve(&mut Greeter);
    Ok(())
}

/// And another one that knows the name.
fn client(name: &str) -> Result<(), Failure> {
    call(hello::shm::Client::connect(name)?)
}

/// Over RDMA: the same at an address of a node.
fn node_server(address: &str) -> Result<(), Failure> {
    let mut server = hello::rdma::Server::bind(address)?;
    let stopper = server.transport().stopper();
    serve_until_input_ends(address, move || stopper.stop());
    server.serve(&mut Greeter);
    Ok(())
}

/// And another node.
fn node_client(address: &str) -> Result<(), Failure> {
    call(hello::rdma::Client::connect(address)?)
}

fn main() -> ExitCode {
    let sides = Sides {
        example: "hello",
        threads,
        server,
        client,
        nodes: Some(Nodes {
            server: node_server,
            client: node_client,
        }),
    };
    sides.run()
}

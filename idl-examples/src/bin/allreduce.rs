//! Four workers that add up their vectors at every step, as data-parallel training does.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use idl_examples::allreduce::group::{
    self, AllReduceResponse, ClientOver, JoinResponse, Request, ServerOver, method,
};
use idl_examples::allreduce::{GroupError, Operation, PIECE, Piece};
use idl_examples::{Failure, Laps, Sides, join, serve_until_input_ends};
use runtime_core::{
    CallError, ClientConfig, ClientTransport, ServerConfig, ServerTransport, Token,
};

const WORKERS: u32 = 4;
const PIECES: u32 = 4;
const STEPS: u32 = 50;

/// Adds up, or finds the greatest, in the order of ranks: floating point sums depend on the order, and every worker must
/// get the same bits in every run.
fn reduce<'a>(operation: Operation, mut pieces: impl Iterator<Item = &'a Piece>) -> Piece {
    let mut result = pieces.next().copied().unwrap_or([0.0; PIECE as usize]);
    for piece in pieces {
        for (result, value) in result.iter_mut().zip(piece) {
            *result = if operation == Operation::MAX {
                result.max(*value)
            } else {
                *result + value
            };
        }
    }
    result
}

/// Holds each call until all workers have made theirs.
fn serve<T: ServerTransport>(mut server: ServerOver<T>) -> Result<(), Failure> {
    let (mut joined, mut step) = (0, 0);
    let mut at_barrier: Vec<Token<method::Barrier, T>> = Vec::new();
    let mut reducing: Vec<Token<method::AllReduce, T>> = Vec::new();
    while server.wait(Duration::from_secs(1)).is_ok() {
        // A worker that died while it waited is replaced; it keeps its place for as long as its request is held.
        at_barrier.retain(|token| !token.client_is_gone());
        reducing.retain(|token| !token.client_is_gone());
        loop {
            // A worker that is gone is found by the others' deadlines. The request has to be out of the way before the
            // server can answer others, so this is a `match` of its own.
            match server.recv() {
                Ok(Some(Request::Join(call))) => {
                    let _ = call.reply(JoinResponse {
                        result: joined,
                        workers: WORKERS,
                    });
                    joined += 1;
                }
                Ok(Some(Request::Barrier(call))) => at_barrier.push(call.into_token()),
                Ok(Some(Request::AllReduce(call))) if call.data().step == step => {
                    reducing.push(call.into_token());
                }
                Ok(Some(Request::AllReduce(call))) => drop(call.fail(GroupError::OUT_OF_STEP)),
                Ok(None) | Err(_) => break,
            }
            if at_barrier.len() == WORKERS as usize {
                for token in at_barrier.drain(..) {
                    let _ = server.reply(token, ());
                }
            }
            if reducing.len() == WORKERS as usize {
                step += 1;
                reducing.sort_by_key(|token| token.data().rank);
                // The vectors are read where they arrived.
                let operation = reducing[0].data().operation;
                let piece = reduce(operation, reducing.iter().map(|token| &token.data().piece));
                let response = AllReduceResponse { piece };
                for token in reducing.drain(..) {
                    let _ = server.reply(token, &response);
                }
            }
        }
    }
    Ok(())
}

/// What a worker has to give at a step: small whole numbers, whose sums are exact.
fn gradient(rank: u32, step: u32) -> Piece {
    std::array::from_fn(|at| ((at as u32 * 7 + rank * 13 + step) % 100) as f32)
}

fn work<T: ClientTransport>(mut client: ClientOver<T>) -> Result<(Laps, f32), Failure> {
    let joined = client.blocking().join()?;
    assert_eq!(joined.workers, WORKERS);
    let rank = joined.result;
    client.blocking().barrier(rank)?;
    let mut laps = Laps::default();
    let mut total = 0.0;
    for step in 0..STEPS * PIECES {
        // The last piece of each vector asks for the greatest value instead.
        let operation = if step % PIECES == PIECES - 1 {
            Operation::MAX
        } else {
            Operation::SUM
        };
        let mine = gradient(rank, step);
        let reduced = laps
            .time(|| client.blocking().all_reduce(rank, step, operation, &mine))?
            .piece;
        let all: Vec<_> = (0..WORKERS).map(|rank| gradient(rank, step)).collect();
        assert!(
            reduced == reduce(operation, all.iter()),
            "step {step} is not what a plain loop makes of it"
        );
        total += reduced.iter().sum::<f32>();
    }
    client.blocking().barrier(rank)?;
    let again = client
        .blocking()
        .all_reduce(rank, 0, Operation::SUM, &gradient(rank, 0));
    assert_eq!(
        again.err(),
        Some(CallError::Service(GroupError::OUT_OF_STEP))
    );
    Ok((laps, total))
}

/// All workers, each with a client of its own.
fn call<T>(clients: Vec<ClientOver<T>>) -> Result<(), Failure>
where
    T: ClientTransport + Send + 'static,
{
    let spawn = |client| thread::spawn(move || work(client));
    let workers: Vec<_> = clients.into_iter().map(spawn).collect();
    let mut results = Vec::new();
    for worker in workers {
        results.push(join(worker)?);
    }
    let (laps, total) = &results[0];
    assert!(
        results.iter().all(|(_, other)| other == total),
        "the workers do not agree"
    );
    println!("allreduce: {WORKERS} workers agree after {STEPS} steps on {total}");
    println!("allreduce: {PIECE} numbers reduced over {WORKERS} workers, {laps}");
    Ok(())
}

fn config() -> ServerConfig {
    ServerConfig {
        max_clients: WORKERS as usize,
        ..ServerConfig::default()
    }
}

/// Over the in-process backend: without the connector no further client can come, so the server ends with the last of these.
fn threads() -> Result<(), Failure> {
    let server = group::inproc::Server::over(runtime_inproc::Server::new(&config())?, &config());
    let connector = server.transport().connector();
    let thread = thread::spawn(move || serve(server));
    let connect = |_| -> Result<group::inproc::Client, Failure> {
        let config = ClientConfig::default();
        Ok(ClientOver::over(connector.connect(&config)?, &config))
    };
    let clients = (0..WORKERS).map(connect).collect::<Result<_, _>>()?;
    drop(connector);
    call(clients)?;
    join(thread)
}

/// Over shared memory: a process that serves a name until it is told to stop.
fn server(name: &str) -> Result<(), Failure> {
    let server = group::shm::Server::bind_with(name, &config())?;
    let stopper = server.transport().stopper();
    serve_until_input_ends(name, move || stopper.stop());
    serve(server)
}

/// And another one with all the workers.
fn client(name: &str) -> Result<(), Failure> {
    let connect = |_| group::shm::Client::connect(name);
    call((0..WORKERS).map(connect).collect::<Result<_, _>>()?)
}

fn main() -> ExitCode {
    let sides = Sides {
        example: "allreduce",
        threads,
        server,
        client,
        nodes: None,
    };
    sides.run()
}

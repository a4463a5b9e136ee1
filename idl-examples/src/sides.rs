//! The two sides of an example: on threads of one process, as two processes over shared memory, and on two nodes.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;

/// How long a server's process may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an example can be run as.
#[derive(Clone, Copy, Debug)]
pub struct Sides {
    /// Its name.
    pub example: &'static str,
    /// Both sides, over the in-process backend.
    pub threads: fn() -> Result<(), Failure>,
    /// The server, over shared memory, at a name.
    pub server: fn(&str) -> Result<(), Failure>,
    /// The client of that server.
    pub client: fn(&str) -> Result<(), Failure>,
    /// The server and the client between nodes, at an address.
    pub nodes: Option<Nodes>,
}

/// A server and its client over RDMA.
#[derive(Clone, Copy, Debug)]
pub struct Nodes {
    /// The server.
    pub server: fn(&str) -> Result<(), Failure>,
    /// The client.
    pub client: fn(&str) -> Result<(), Failure>,
}

impl Sides {
    /// Runs what the program was asked for: one side, both over one backend, or, asked for nothing, both over either. What goes wrong
    /// is printed.
    pub fn run(self) -> ExitCode {
        match self.asked_for() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("{}: {failure}", self.example);
                ExitCode::FAILURE
            }
        }
    }

    fn asked_for(&self) -> Result<(), Failure> {
        let (mut backend, mut role) = (None, None);
        let mut name = format!("examples.{}", self.example);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or(format!("`{argument}` needs a value; {USAGE}"))
            };
            match argument.as_str() {
                "--backend" => backend = Some(value()?),
                "--role" => role = Some(value()?),
                "--name" => name = value()?,
                _ => return Err(format!("`{argument}` is not known; {USAGE}").into()),
            }
        }
        match (backend.as_deref(), role.as_deref()) {
            (Some("shm"), Some("server")) => (self.server)(&name),
            (Some("shm"), Some("client")) => (self.client)(&name),
            (Some("rdma"), Some(role)) => match (self.nodes, role) {
                (Some(nodes), "server") => (nodes.server)(&name),
                (Some(nodes), "client") => (nodes.client)(&name),
                (None, _) => Err("this example does not run over RDMA; `hello` and `kv` do".into()),
                _ => Err(USAGE.into()),
            },
            (Some("shm"), None) => self.processes(),
            (Some("inproc"), None) => self.both_threads(),
            (None, None) => {
                self.both_threads()?;
                self.processes()
            }
            _ => Err(USAGE.into()),
        }
    }

    fn both_threads(&self) -> Result<(), Failure> {
        println!("{}, on threads of one process:", self.example);
        (self.threads)()
    }

    /// The server in a process of its own, the client in this one.
    fn processes(&self) -> Result<(), Failure> {
        // Others may run the same example now.
        let name = format!("examples.{}.{}", self.example, std::process::id());
        let start = Instant::now();
        let server = ServerProcess::start(&name)?;
        println!(
            "{}, as two processes over shared memory: server {} (ready after {} ms), client {}",
            self.example,
            server.child.id(),
            start.elapsed().as_millis(),
            std::process::id()
        );
        (self.client)(&name)?;
        server.finish()
    }
}

const USAGE: &str = "the arguments are `[--backend inproc|shm]`, or \
    `--backend shm --role server|client [--name NAME]` for one side, or `--backend rdma --role server|client --name HOST:PORT`; \
    a server serves until its input ends";

/// Says that a server is ready, and has `stop` called when the input of this process ends: when whoever started it wants no more of it,
/// or is gone.
pub fn serve_until_input_ends(name: &str, stop: impl FnOnce() + Send + 'static) {
    println!("serving `{name}`");
    thread::spawn(move || {
        // An error is an end, too.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        stop();
    });
}

/// The process of a server, which ends with this.
struct ServerProcess {
    child: Child,
    /// Its input: it stops when this is closed.
    input: Option<ChildStdin>,
    /// What it prints, line by line.
    printed: Receiver<String>,
}

impl ServerProcess {
    /// This program once more, as the server; returns when it is ready.
    fn start(name: &str) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--backend", "shm", "--role", "server", "--name", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (sender, printed) = channel();
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                // Ends with the process.
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        let server = Self {
            input: child.stdin.take(),
            child,
            printed,
        };
        // What it says first is that it is ready; if it cannot, it ends, and has said why.
        match server.printed.recv_timeout(PATIENCE) {
            Ok(_) => Ok(server),
            Err(_) => Err("the server's process did not get ready".into()),
        }
    }

    /// Lets it end, and passes on what it printed.
    fn finish(mut self) -> Result<(), Failure> {
        self.input = None;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if start.elapsed() > PATIENCE {
                return Err("the server's process did not end when its input did".into());
            }
            thread::sleep(Duration::from_millis(1));
        };
        for line in &self.printed {
            println!("{line}");
        }
        if status.success() {
            Ok(())
        } else {
            Err(format!("the server's process ended with {status}").into())
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Without effect on one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

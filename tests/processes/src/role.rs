//! A process that plays a role, as the test that started it sees it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Holdings, LONG, eventually};

/// A process that plays a role. It is killed when this is dropped, and by the kernel when the thread that started it ends.
#[derive(Debug)]
pub struct Role {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    what: String,
}

impl Role {
    /// Starts the program of roles.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(args);
        Self::run(command, args.join(" "))
    }

    /// Starts a prepared command, which ends in the program of roles.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn run(mut command: Command, what: String) -> Self {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => panic!("{command:?}: {error}"),
        };
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for")
        };
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            input,
            lines,
            what,
        }
    }

    /// The rest of its next line, which begins with `word`.
    ///
    /// # Panics
    /// If it says something else, or nothing.
    #[track_caller]
    pub fn expect(&self, word: &str) -> String {
        match self.lines.recv_timeout(LONG) {
            Ok(line) => match line.strip_prefix(word) {
                Some(rest) => rest.trim().to_string(),
                None => panic!("`{}` said `{line}` and not `{word}`", self.what),
            },
            Err(error) => panic!("`{}` did not say `{word}`: {error}", self.what),
        }
    }

    /// The rest of its next line, which begins with `word`, if it has said one by now.
    ///
    /// # Panics
    /// If it says something else.
    #[track_caller]
    pub fn expect_or_none(&self, word: &str) -> Option<String> {
        let line = self.lines.try_recv().ok()?;
        match line.strip_prefix(word) {
            Some(rest) => Some(rest.trim().to_string()),
            None => panic!("`{}` said `{line}` and not `{word}`", self.what),
        }
    }

    /// The rest of its next line, as a number.
    ///
    /// # Panics
    /// If it says something else, or nothing.
    #[track_caller]
    pub fn expect_number(&self, word: &str) -> u64 {
        let rest = self.expect(word);
        match rest.parse() {
            Ok(number) => number,
            Err(_) => panic!("`{}` said `{word} {rest}`, which is no number", self.what),
        }
    }

    /// Tells it something.
    pub fn say(&mut self, line: &str) {
        // One that has died says so by what it no longer does.
        let _ = writeln!(self.input, "{line}");
        let _ = self.input.flush();
    }

    /// Its process.
    ///
    /// # Panics
    /// Never: a child's number is positive.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What it holds.
    pub fn holdings(&self) -> Holdings {
        Holdings::of(self.pid())
    }

    /// What it holds, once that does not change any more.
    ///
    /// # Panics
    /// If it changes all the time.
    pub fn settled(&self) -> Holdings {
        let (mut last, mut same) = (self.holdings(), 0);
        eventually("nothing changes", || {
            thread::sleep(std::time::Duration::from_millis(20));
            let holdings = self.holdings();
            same = if holdings == last { same + 1 } else { 0 };
            last = holdings;
            same == 10
        });
        last
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it is gone and was waited for.
    pub fn signal(&self, signal: Signal) {
        let sent = kill_process(self.pid(), signal);
        assert_eq!(sent, Ok(()), "`{}` is there", self.what);
    }

    /// Stops it, and waits until it has stopped.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", self.pid().as_raw_nonzero());
        // The state follows the name, which is in parentheses.
        eventually("stopped", || {
            std::fs::read_to_string(&stat).is_ok_and(|stat| {
                stat.rsplit(") ")
                    .next()
                    .is_some_and(|it| it.starts_with('T'))
            })
        });
    }

    /// Waits for its end, and returns the signal that it died of.
    ///
    /// # Panics
    /// If it does not end.
    pub fn died_of(&mut self) -> Option<i32> {
        let mut status = None;
        eventually(&format!("`{}` has ended", self.what), || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        status.and_then(|status| status.signal())
    }

    /// Kills it.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        self.kill();
    }
}

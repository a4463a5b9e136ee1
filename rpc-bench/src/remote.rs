//! The second process: this program once more, told by one pipe what to answer, heard by another, stopped by a word in shared
//! memory. It dies with this one, and every wait for it has a limit.

use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::machine;
use crate::mapping::Mapping;
use crate::order::Order;
use crate::pair::Stop;
use crate::subjects;

/// How long the other process may take to say something.
const PATIENCE: Duration = Duration::from_secs(20);

/// What it says when it has begun to answer.
const READY: &str = "ready";

/// What it says when it has stopped.
const DONE: &str = "done";

/// The second process, as the first sees it.
pub(crate) struct Remote {
    child: Child,
    orders: ChildStdin,
    answers: ChildStdout,
    /// What it has said and nobody has read.
    heard: Vec<u8>,
    mapping: Arc<Mapping>,
}

impl Remote {
    /// Starts it on a core.
    pub(crate) fn start(core: Option<usize>) -> Result<Self, String> {
        let no_process = |error| format!("the second process cannot be started: {error}");
        let (mapping, fd) = Mapping::make().map_err(no_process)?;
        // This program, even if its file was replaced meanwhile.
        let mut child = Command::new("/proc/self/exe")
            .arg("answer")
            .arg(fd.as_raw_fd().to_string())
            .arg(core.map_or("-".into(), |core| core.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(no_process)?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for")
        };
        let mut this = Self {
            child,
            orders,
            answers,
            heard: Vec::new(),
            mapping: Arc::new(mapping),
        };
        this.hear(READY)?;
        Ok(this)
    }

    /// The memory shared with it.
    pub(crate) fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has it answer; returns once it does.
    pub(crate) fn answer(&mut self, order: &Order) -> Result<(), String> {
        self.mapping.clear_words();
        writeln!(self.orders, "{order}")
            .map_err(|error| format!("the answering process takes no orders: {error}"))?;
        self.hear(READY)
    }

    /// Tells it to stop. It looks up when it has nothing to answer; one that sleeps does when its client goes.
    pub(crate) fn stop(&self) {
        self.mapping.stop().store(1, Ordering::Release);
    }

    /// Returns once it has stopped.
    pub(crate) fn stopped(&mut self) -> Result<(), String> {
        self.hear(DONE)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It has not been waited for, so the number is still its own.
            let _ = kill_process(pid, signal);
        }
    }

    /// Reads a line, which has to be this one.
    fn hear(&mut self, wanted: &str) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        let line = loop {
            if let Some(at) = self.heard.iter().position(|&byte| byte == b'\n') {
                let rest = self.heard.split_off(at + 1);
                break std::mem::replace(&mut self.heard, rest);
            }
            let left = end.saturating_duration_since(Instant::now());
            let timeout = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            let mut fds = [PollFd::new(&self.answers, PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => continue,
                Ok(0) => {
                    return Err(format!(
                        "the answering process has said nothing for {} s",
                        PATIENCE.as_secs()
                    ));
                }
                _ => {}
            }
            let mut room = [0; 512];
            match self.answers.read(&mut room) {
                Ok(0) | Err(_) => return Err("the answering process has ended".into()),
                Ok(len) => self.heard.extend(&room[..len]),
            }
        };
        let line = String::from_utf8_lossy(&line);
        if line.trim_end() == wanted {
            Ok(())
        } else {
            Err(format!("the answering process says: {}", line.trim_end()))
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // It fails only for one that has ended, and then there is nothing to wait for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The second process itself: answers until no more orders can come.
pub(crate) fn serve(fd: u32, core: Option<usize>) -> Result<ExitCode, String> {
    // Orders come by a pipe that ends with the first process, but one who answers does not read it.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())?;
    machine::pin(core);
    let mapping = Mapping::inherited(fd)
        .map_err(|error| format!("there is no shared memory behind descriptor {fd}: {error}"))?;
    let mapping = Arc::new(mapping);
    say(READY)?;
    for line in std::io::stdin().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let answerer = line
            .parse()
            .and_then(|order: Order| subjects::answerer(&order, &mapping));
        match answerer {
            Ok(mut answerer) => {
                say(READY)?;
                answerer.run(&Stop::of_process(&mapping));
                drop(answerer);
                say(DONE)?;
            }
            Err(why) => say(&why)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn say(line: &str) -> Result<(), String> {
    let mut out = std::io::stdout();
    writeln!(out, "{}", line.replace('\n', " "))
        .and_then(|()| out.flush())
        .map_err(|error| format!("nobody listens: {error}"))
}

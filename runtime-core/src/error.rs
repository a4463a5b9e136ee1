//! Errors. Those of the hot path are small and `Copy`; those of set-up say everything.

use alloc::string::String;
use core::convert::Infallible;
use core::fmt;
use core::time::Duration;

use crate::abi::AbiHash;
use crate::info::Invalid;

/// Why a call did not bring a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError<E = NoError> {
    /// The service refused, with the error of its `throws`.
    Service(E),
    /// The deadline passed. The server may still execute the call; its late reply is dropped and counted.
    Timeout,
    /// The server is gone.
    Disconnected {
        /// False if the server cannot have seen the request.
        maybe_executed: bool,
    },
    /// The window is full: as many calls as there are slots are in flight.
    WouldBlock,
    /// The two sides were compiled from definitions with different layouts.
    AbiMismatch,
    /// The server does not know the method.
    Unimplemented,
    /// A request or a reply failed its validation.
    InvalidData(Invalid),
    /// The server dropped the request unanswered, or panicked while it held it.
    Aborted,
}

/// The error of a method without `throws`: there is none.
pub type NoError = Infallible;

/// An error of the language's `error` types: a number that is not 0.
pub trait ServiceError: Copy + fmt::Debug + 'static {
    /// The error behind a number.
    fn from_code(code: u32) -> Self;
    /// The number.
    fn code(self) -> u32;
}

impl ServiceError for NoError {
    fn from_code(_: u32) -> Self {
        // `Outcome::of` asks only where the method has `throws`, see `Method::THROWS`.
        unreachable!("a method without `throws` has no error")
    }

    fn code(self) -> u32 {
        match self {}
    }
}

impl<E: fmt::Debug> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(error) => write!(f, "the service answered {error:?}"),
            Self::Timeout => f.write_str("the deadline passed before the reply came"),
            Self::Disconnected {
                maybe_executed: true,
            } => f.write_str("the server is gone; it may have executed the call"),
            Self::Disconnected {
                maybe_executed: false,
            } => f.write_str("the server is gone; the call was not executed"),
            Self::WouldBlock => f.write_str(FULL),
            Self::AbiMismatch => {
                f.write_str("client and server were compiled from different definitions")
            }
            Self::Unimplemented => f.write_str("the server does not know the method"),
            Self::InvalidData(invalid) => write!(f, "the message is not valid: {invalid}"),
            Self::Aborted => f.write_str("the server dropped the request without an answer"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for CallError<E> {}

/// What a full window says.
const FULL: &str = "the in-flight window is full: poll for replies and try again; calls that timed out keep their slots until the server answers";

/// Why a call was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The window is full: as many calls as there are slots are in flight.
    WouldBlock,
    /// The server is gone.
    Disconnected,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WouldBlock => FULL,
            Self::Disconnected => "the server is gone",
        })
    }
}

impl core::error::Error for Refusal {}

impl<E> From<Refusal> for CallError<E> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::WouldBlock => Self::WouldBlock,
            Refusal::Disconnected => Self::Disconnected {
                maybe_executed: false,
            },
        }
    }
}

/// A call that was not sent, with its user data handed back.
pub struct Refused<U> {
    /// Why.
    pub why: Refusal,
    /// What the caller gave along.
    pub user_data: U,
}

impl<U> fmt::Debug for Refused<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({:?})", self.why)
    }
}

impl<U> fmt::Display for Refused<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl<U> core::error::Error for Refused<U> {}

/// Why a reply did not leave: the client is gone. There is nothing that the server could do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// The client is gone.
    Disconnected,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client is gone")
    }
}

impl core::error::Error for ReplyError {}

/// Why a token was not answered.
pub enum TokenError<T> {
    /// The token comes from another server; here it is, still to be answered there.
    Foreign(T),
    /// The client is gone.
    Disconnected,
}

impl<T> fmt::Debug for TokenError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign(_) => "Foreign",
            Self::Disconnected => "Disconnected",
        })
    }
}

impl<T> fmt::Display for TokenError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign(_) => "the token belongs to another server; answer it there",
            Self::Disconnected => "the client is gone",
        })
    }
}

impl<T> core::error::Error for TokenError<T> {}

/// Why waiting ended without something to poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// The other side is gone and nothing is left to poll.
    Disconnected,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the other side is gone")
    }
}

impl core::error::Error for WaitError {}

/// Why an event did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmitError {
    /// The client's event window is full: it has to poll its events first. To all clients: these many got it, these many did not.
    WouldBlock {
        /// Clients that the event left for.
        delivered: usize,
        /// Clients whose window is full.
        full: usize,
    },
    /// There is no such client any more.
    Disconnected,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock { delivered, full } => {
                write!(
                    f,
                    "not all clients have taken the events before; those with a full event window: {full}, those that got this one: {delivered}"
                )
            }
            Self::Disconnected => f.write_str("the client is gone"),
        }
    }
}

impl core::error::Error for EmitError {}

/// Why a name could not be bound or connected to.
///
/// `Debug` prints the same text as `Display`: it is what a program prints whose `main` returns the error, and that is to say what to do.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachError {
    /// Nobody serves the name.
    NotFound {
        /// The name.
        name: String,
    },
    /// Somebody serves the name already.
    InUse {
        /// The name.
        name: String,
    },
    /// The two sides were compiled from definitions with different layouts.
    AbiMismatch {
        /// The name.
        name: String,
        /// The fingerprint of this side.
        ours: AbiHash,
        /// The fingerprint of the other side.
        theirs: AbiHash,
        /// The first line in which the layouts differ, if the other side's is known.
        difference: Option<String>,
    },
    /// The server has as many clients as it admits, those that are gone and whose requests it still holds included.
    TooManyClients {
        /// The limit.
        limit: usize,
    },
    /// This user may not talk to that server.
    Denied {
        /// The name.
        name: String,
        /// Why not.
        why: String,
    },
    /// The server is there and refused, for a reason of its own.
    Refused {
        /// The name.
        name: String,
        /// What it said.
        why: String,
    },
    /// Whoever has the name does not answer.
    NoAnswer {
        /// The name.
        name: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// Whoever has the name does not speak rpcidl's protocol, or another version of it.
    Foreign {
        /// The name.
        name: String,
        /// What was seen.
        what: String,
    },
    /// A value of the configuration is not possible.
    Config {
        /// Which, and what is possible.
        what: String,
    },
    /// The operating system refused.
    System {
        /// What was tried.
        what: String,
        /// Its error, as text.
        error: String,
    },
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { name } => write!(f, "nobody serves `{name}`; start its server first"),
            Self::InUse { name } => write!(
                f,
                "`{name}` is served already; choose another name or stop that server"
            ),
            Self::AbiMismatch {
                name,
                ours,
                theirs,
                difference,
            } => {
                write!(
                    f,
                    "`{name}` was compiled from another definition: its hash is {theirs}, ours is {ours}"
                )?;
                match difference {
                    Some(difference) => write!(f, "; first difference: {difference}"),
                    None => Ok(()),
                }
            }
            Self::TooManyClients { limit } => {
                write!(
                    f,
                    "the server admits {limit} clients and has them all, counting those that are gone and whose requests it still holds; raise `ServerConfig::max_clients`, or drop tokens where `client_is_gone`"
                )
            }
            Self::Denied { name, why } => write!(f, "`{name}` may not be used: {why}"),
            Self::Refused { name, why } => write!(f, "the server of `{name}` refused: {why}"),
            Self::NoAnswer { name, after } => write!(
                f,
                "`{name}` has not answered for {after:?}: its server hangs, is stopped, or is too busy"
            ),
            Self::Foreign { name, what } => write!(
                f,
                "whoever has the name `{name}` is no server of this version of rpcidl: {what}"
            ),
            Self::Config { what } => f.write_str(what),
            Self::System { what, error } => write!(f, "{what}: {error}"),
        }
    }
}

impl fmt::Debug for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for AttachError {}

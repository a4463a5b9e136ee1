//! What the answering process is told to answer: one line of words.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a server of ours waits for requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// It never sleeps.
    Spin,
    /// As the default settings say: it spins for a while, then sleeps.
    Default,
    /// It sleeps at once.
    Sleep,
}

impl Waiting {
    const ALL: [Self; 3] = [Self::Spin, Self::Default, Self::Sleep];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spin => "spinning",
            Self::Default => "blocking",
            Self::Sleep => "sleeping",
        }
    }
}

/// What to answer, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// A bare ping-pong at a place of the shared memory.
    PingPong {
        /// 1 or 2.
        lines: usize,
        /// True if each side maps the other's lines for reading only.
        read_only: bool,
        bytes: usize,
        place: usize,
    },
    /// Bare slots at a place of the shared memory.
    Slots {
        bytes: usize,
        depth: usize,
        place: usize,
    },
    /// A futex at a place of the shared memory.
    Futex { place: usize },
    /// Our echo over shared memory.
    Shm {
        bytes: usize,
        isolated: bool,
        waiting: Waiting,
        name: String,
    },
    /// Our echo over an RDMA device.
    Rdma {
        bytes: usize,
        waiting: Waiting,
        host: String,
    },
    /// A bare ping-pong over an RDMA device.
    Verbs { bytes: usize, host: String },
    /// Our echo of 8 bytes over shared memory, which takes every request and answers none.
    Hold { name: String },
    /// An echo over a Unix socket.
    Socket { bytes: usize, name: String },
    /// An echo by another system.
    Peer {
        /// Which.
        of: String,
        bytes: usize,
        name: String,
    },
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PingPong {
                lines,
                read_only,
                bytes,
                place,
            } => write!(f, "ping-pong {lines} {read_only} {bytes} {place}"),
            Self::Slots {
                bytes,
                depth,
                place,
            } => write!(f, "slots {bytes} {depth} {place}"),
            Self::Futex { place } => write!(f, "futex {place}"),
            Self::Shm {
                bytes,
                isolated,
                waiting,
                name,
            } => {
                let trust = if *isolated { "isolated" } else { "same-user" };
                write!(f, "shm {bytes} {trust} {} {name}", waiting.name())
            }
            Self::Rdma {
                bytes,
                waiting,
                host,
            } => write!(f, "rdma {bytes} {} {host}", waiting.name()),
            Self::Verbs { bytes, host } => write!(f, "verbs {bytes} {host}"),
            Self::Hold { name } => write!(f, "hold {name}"),
            Self::Socket { bytes, name } => write!(f, "socket {bytes} {name}"),
            Self::Peer { of, bytes, name } => write!(f, "peer {of} {bytes} {name}"),
        }
    }
}

impl FromStr for Order {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let unknown = || format!("`{line}` is no order");
        let number = |word: &str| word.parse().map_err(|_| unknown());
        let waits = |word: &str| {
            let mut all = Waiting::ALL.into_iter();
            all.find(|one| one.name() == word).ok_or_else(unknown)
        };
        let words: Vec<_> = line.split_whitespace().collect();
        Ok(match words[..] {
            [
                "ping-pong",
                lines @ ("1" | "2"),
                read_only @ ("true" | "false"),
                bytes,
                place,
            ] => Self::PingPong {
                lines: number(lines)?,
                read_only: read_only == "true",
                bytes: number(bytes)?,
                place: number(place)?,
            },
            ["slots", bytes, depth, place] => Self::Slots {
                bytes: number(bytes)?,
                depth: number(depth)?,
                place: number(place)?,
            },
            ["futex", place] => Self::Futex {
                place: number(place)?,
            },
            [
                "shm",
                bytes,
                trust @ ("isolated" | "same-user"),
                waiting,
                name,
            ] => Self::Shm {
                bytes: number(bytes)?,
                isolated: trust == "isolated",
                waiting: waits(waiting)?,
                name: name.into(),
            },
            ["rdma", bytes, waiting, host] => Self::Rdma {
                bytes: number(bytes)?,
                waiting: waits(waiting)?,
                host: host.into(),
            },
            ["verbs", bytes, host] => Self::Verbs {
                bytes: number(bytes)?,
                host: host.into(),
            },
            ["hold", name] => Self::Hold { name: name.into() },
            ["socket", bytes, name] => Self::Socket {
                bytes: number(bytes)?,
                name: name.into(),
            },
            ["peer", of, bytes, name] => Self::Peer {
                of: of.into(),
                bytes: number(bytes)?,
                name: name.into(),
            },
            _ => return Err(unknown()),
        })
    }
}

/// A name for a server, which nobody on this machine has had.
pub(crate) fn fresh_name() -> String {
    static NAMES: AtomicU64 = AtomicU64::new(1);
    let number = NAMES.fetch_add(1, Ordering::Relaxed);
    format!("rpc-bench-{}-{number}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_arrive_as_they_were_given() {
        let name = fresh_name();
        let mut orders = vec![
            Order::PingPong {
                lines: 2,
                read_only: true,
                bytes: 64,
                place: 8192,
            },
            Order::Slots {
                bytes: 8,
                depth: 32,
                place: 4096,
            },
            Order::Futex { place: 4096 },
            Order::Hold { name: name.clone() },
            Order::Socket {
                bytes: 56,
                name: name.clone(),
            },
            Order::Peer {
                of: "other".into(),
                bytes: 56,
                name: name.clone(),
            },
        ];
        orders.push(Order::Verbs {
            bytes: 64,
            host: "10.0.0.1?device=rxe0".into(),
        });
        for waiting in Waiting::ALL {
            orders.push(Order::Rdma {
                bytes: 8,
                waiting,
                host: "10.0.0.1?device=rxe0".into(),
            });
            for isolated in [false, true] {
                orders.push(Order::Shm {
                    bytes: 4096,
                    isolated,
                    waiting,
                    name: name.clone(),
                });
            }
        }
        for order in orders {
            assert_eq!(order.to_string().parse(), Ok(order));
        }
    }

    #[test]
    fn other_lines_are_refused() {
        for line in [
            "",
            "shm",
            "ping-pong 3 8 4096",
            "ping-pong 2 -8 4096",
            "shm 8 friends spinning x",
            "shm 8 isolated dancing x",
            "rdma 8 dancing 10.0.0.1",
            "verbs x 10.0.0.1",
            "futex",
            "hold a b",
        ] {
            assert!(line.parse::<Order>().is_err(), "{line}");
        }
    }

    #[test]
    fn names_are_fresh() {
        assert_ne!(fresh_name(), fresh_name());
    }
}

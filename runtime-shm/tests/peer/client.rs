//! A client by hand.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use runtime_core::{Service as _, SlotShape};
use runtime_shm::Trust;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::memory::{Map, own_memfd};
use super::probe::probe::Service;
use super::wire::{Hello, Message, receive, send};
use super::{request_identity, shape, word};

/// The verdict that says so.
const TOO_MANY_CLIENTS: u32 = 2;

/// A client that has a lane and does with it what it likes.
pub struct RawClient {
    pub socket: OwnedFd,
    pub control: Map,
    /// The requests, and the responses with the events, where they are apart.
    pub apart: Option<(Map, Map)>,
    /// What the server gave, in the order in which it came.
    pub given: Vec<OwnedFd>,
    /// Its own memory.
    pub own: Option<OwnedFd>,
    pub shape: SlotShape,
    pub window: usize,
    /// Its place among the doorbells.
    pub bell: u32,
    /// Requests that were sent by the rules.
    pub sent: u64,
}

/// Where the areas begin behind the control block: three pairs of lines.
pub const AREAS: usize = 384;

impl RawClient {
    /// A connection on which nothing was said.
    pub fn dial(name: &str) -> OwnedFd {
        Self::try_dial(name).unwrap()
    }

    /// The same, if somebody is there.
    pub fn try_dial(name: &str) -> Result<OwnedFd, Errno> {
        let kind = SocketType::SEQPACKET;
        let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_secs(20)))?;
        let address = SocketAddrUnix::new_abstract_name(format!("rpcidl:{name}").as_bytes())?;
        connect(&socket, &address)?;
        Ok(socket)
    }

    /// What an honest client would say.
    pub fn hello<T: Trust>(window: u32) -> Hello {
        Hello {
            abi: Service::ABI_HASH.0,
            isolated: T::ISOLATED,
            asymmetric: false,
            window,
            shape: shape::<T>(),
        }
    }

    /// Says bytes and hears the answer, which is empty if the server ended the connection.
    pub fn ask(
        name: &str,
        bytes: &[u8],
        descriptors: &[OwnedFd],
    ) -> (OwnedFd, Message, Vec<OwnedFd>) {
        let socket = Self::dial(name);
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        // One that was ended already has its answer waiting.
        let _ = send(&socket, bytes, &borrowed);
        let (answer, given) = receive(&socket).unwrap_or_default();
        (socket, Message(answer), given)
    }

    /// Gets a lane.
    pub fn attach<T: Trust>(name: &str, window: u32) -> Self {
        Self::try_attach::<T>(name, window).expect("a seat is free")
    }

    /// Gets a lane, if a seat is free.
    pub fn try_attach<T: Trust>(name: &str, window: u32) -> Option<Self> {
        let shape = shape::<T>();
        let (requests, own) = if T::ISOLATED {
            let (map, fd) = own_memfd((window as usize + 1) * shape.request_area);
            (Some(map), vec![fd])
        } else {
            (None, Vec::new())
        };
        let hello = Self::hello::<T>(window).message();
        let (socket, answer, given) = Self::ask(name, &hello.0, &own);
        if answer.number(12) == TOO_MANY_CLIENTS {
            return None;
        }
        assert_eq!(answer.number(12), 0, "welcome: {answer:?}");
        assert_eq!(given.len(), 2);
        let control = Map::of(&given[0], true).unwrap();
        let apart = requests.map(|requests| (requests, Map::of(&given[1], false).unwrap()));
        Some(Self {
            socket,
            control,
            apart,
            given,
            own: own.into_iter().next(),
            shape,
            window: window as usize,
            bell: answer.number(56),
            sent: 0,
        })
    }

    /// Slots there are.
    pub fn slots(&self) -> usize {
        self.window + 1
    }

    /// The memory with the requests, and the offset of one.
    pub fn request(&self, slot: usize) -> (&Map, usize) {
        let offset = slot * self.shape.request_area;
        match &self.apart {
            Some((requests, _)) => (requests, offset),
            None => (&self.control, AREAS + offset),
        }
    }

    /// The memory with the responses, and the offset of one.
    pub fn response(&self, slot: usize) -> (&Map, usize) {
        let offset = slot * self.shape.response_area;
        match &self.apart {
            Some((_, responses)) => (responses, offset),
            None => (
                &self.control,
                AREAS + self.slots() * self.shape.request_area + offset,
            ),
        }
    }

    /// Writes a request's word, and the first eight bytes of its body, wherever its length lets it begin.
    pub fn write(&self, slot: usize, word: u64, body: u64) {
        let (map, at) = self.request(slot);
        map.put(at + 8, body);
        if self.shape.request_area > 64 {
            map.put(at + 64, body);
        }
        map.put(at, word);
    }

    /// Sends `echo` as an honest client does that has one call in flight: always in the first slot.
    pub fn echo(&mut self, value: u64) -> u16 {
        let identity = self.echo_quietly(value);
        self.ring();
        identity
    }

    /// The same, and tells the server nothing of it.
    pub fn echo_quietly(&mut self, value: u64) -> u16 {
        let identity = request_identity(self.sent);
        self.sent += 1;
        // A split lane keeps the word of 8,192 requests ago, which this test never reaches.
        self.write(0, word(identity, 1, 8, 1, true), value);
        identity
    }

    /// The word where the reply to `echo` comes.
    pub fn reply(&self, slot: usize) -> u64 {
        let (map, at) = if self.apart.is_some() {
            self.response(slot)
        } else {
            // Both fit one line, so the reply overwrites the request.
            self.request(slot)
        };
        map.get(at)
    }

    /// Tells the server by a message that it has to look.
    pub fn ring(&self) {
        let _ = rustix::net::send(
            &self.socket,
            &[0],
            rustix::net::SendFlags::NOSIGNAL | rustix::net::SendFlags::DONTWAIT,
        );
    }

    /// The word that says of the server whether it sleeps.
    pub fn server_side(&self) -> &AtomicU32 {
        self.control.half(0)
    }

    /// The word that says of this side whether it sleeps or is gone.
    pub fn client_side(&self) -> &AtomicU32 {
        self.control.half(128)
    }

    /// True once the server's process has noted that this side is gone.
    pub fn is_noted_gone(&self) -> bool {
        self.client_side().load(Ordering::Acquire) & 2 != 0
    }
}

//! A server by hand.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use runtime_core::{AttachError, ClientConfig, Connect, Service as _, SlotShape};
use runtime_shm::{Client, Trust};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with,
};

use super::client::AREAS;
use super::memory::{Map, SIZED, memfd, own_memfd};
use super::probe::probe::Service;
use super::wire::{Answer, Message, receive, send};
use super::{Caller, fresh_name, shape};

/// Events that the server by hand lets wait.
const EVENTS: u32 = 4;

/// A name at which a server by hand answers.
pub struct RawListener {
    pub name: String,
    socket: OwnedFd,
}

/// What a server by hand gives a client, and which an honest one would.
pub struct Offer {
    pub answer: Answer,
    pub text: Vec<u8>,
    pub given: Vec<OwnedFd>,
    pub control: Map,
    pub responses: Option<Map>,
}

/// A server that has a client and does with its lane what it likes.
pub struct RawServer {
    pub socket: OwnedFd,
    pub control: Map,
    /// The requests, and the responses with the events, where they are apart.
    pub apart: Option<(Map, Map)>,
    /// What the client gave.
    pub given: Vec<OwnedFd>,
    pub shape: SlotShape,
    pub slots: usize,
}

impl Offer {
    /// What an honest server would give.
    pub fn honest<T: Trust>(window: usize) -> Self {
        let shape = shape::<T>();
        let requests = (window + 1) * shape.request_area;
        let replies = (window + 1) * shape.response_area + EVENTS as usize * shape.event_area;
        let (len, second) = if T::ISOLATED {
            (AREAS, own_memfd(replies))
        } else {
            let bells = memfd(136, true, SIZED);
            (
                AREAS + requests + replies,
                (Map::of(&bells, true).unwrap(), bells),
            )
        };
        let control_fd = memfd(len, true, SIZED);
        let control = Map::of(&control_fd, true).unwrap();
        // Fences, on both sides.
        control.half(0).store(4, Ordering::Relaxed);
        control.half(128).store(4, Ordering::Relaxed);
        Self {
            answer: Answer {
                verdict: 0,
                abi: Service::ABI_HASH.0,
                isolated: T::ISOLATED,
                window: window as u32,
                events: EVENTS,
                shape,
                bell: 0,
                bells: 1,
            },
            text: Vec::new(),
            given: vec![control_fd, second.1],
            control,
            responses: T::ISOLATED.then_some(second.0),
        }
    }

    fn send(&self, socket: &OwnedFd) {
        let mut bytes = self.answer.message().0;
        bytes.extend(&self.text);
        let given: Vec<BorrowedFd<'_>> = self.given.iter().map(AsFd::as_fd).collect();
        send(socket, &bytes, &given).unwrap();
    }
}

impl RawListener {
    /// Listens at a fresh name.
    pub fn new() -> Self {
        let name = fresh_name();
        let kind = SocketType::SEQPACKET;
        let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
        set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_secs(20))).unwrap();
        let address =
            SocketAddrUnix::new_abstract_name(format!("rpcidl:{name}").as_bytes()).unwrap();
        bind(&socket, &address).unwrap();
        listen(&socket, 16).unwrap();
        Self { name, socket }
    }

    /// The socket alone.
    pub fn into_socket(self) -> OwnedFd {
        self.socket
    }

    /// The next connection, and what it said.
    pub fn accept(&self) -> (OwnedFd, Message, Vec<OwnedFd>) {
        let socket = accept_with(&self.socket, SocketFlags::CLOEXEC).unwrap();
        set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_secs(20))).unwrap();
        let (hello, given) = receive(&socket).unwrap();
        (socket, Message(hello), given)
    }

    /// Lets an honest client connect to a server that does with the connection what it likes.
    pub fn meet<T: Trust, R: Send>(
        &self,
        config: &ClientConfig,
        serve: impl FnOnce(OwnedFd, Message, Vec<OwnedFd>) -> R + Send,
    ) -> (Result<Client<Service, T>, AttachError>, R) {
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                let (socket, hello, given) = self.accept();
                serve(socket, hello, given)
            });
            let client = Client::<Service, T>::connect(&self.name, config);
            (client, server.join().unwrap())
        })
    }

    /// Lets an honest client connect to a server that gives it this, whatever it is.
    pub fn give<T: Trust>(
        &self,
        offer: &Offer,
        config: &ClientConfig,
    ) -> Result<Client<Service, T>, AttachError> {
        self.meet(config, |socket, _, _| offer.send(&socket)).0
    }
}

impl RawServer {
    /// An honest client of a server by hand.
    pub fn with_client<T: Trust>(window: usize) -> (Caller<T>, Self) {
        let config = ClientConfig {
            window: Some(window),
            ..ClientConfig::default()
        };
        let offer = Offer::honest::<T>(window);
        let (client, (socket, given)) =
            RawListener::new().meet::<T, _>(&config, |socket, _, given| {
                offer.send(&socket);
                (socket, given)
            });
        let requests = given.first().map(|fd| Map::of(fd, false).unwrap());
        let server = Self {
            socket,
            control: offer.control,
            apart: requests.zip(offer.responses),
            given,
            shape: shape::<T>(),
            slots: window + 1,
        };
        (Caller::over(client.unwrap(), &config), server)
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
                AREAS + self.slots * self.shape.request_area + offset,
            ),
        }
    }

    /// The memory with the events, and the offset of one.
    pub fn event(&self, slot: usize) -> (&Map, usize) {
        let (map, at) = self.response(self.slots);
        (map, at + slot * self.shape.event_area)
    }

    /// Where the reply to a short call comes, that overlays where replies may.
    pub fn short_reply(&self, slot: usize) -> (&Map, usize) {
        if self.apart.is_some() {
            self.response(slot)
        } else {
            self.request(slot)
        }
    }

    /// The word that says of the client whether it sleeps.
    pub fn client_side(&self) -> &AtomicU32 {
        self.control.half(128)
    }

    /// Events that wait at most.
    pub fn events(&self) -> usize {
        EVENTS as usize
    }
}

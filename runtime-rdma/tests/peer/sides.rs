//! A client and a server by hand.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use runtime_core::{AttachError, Service as _};

use super::probe::probe::Service;
use super::raw::RawQp;
use super::wire::{Message, Point, READY, request_imm};
use super::{Caller, connect};

/// How long a test waits for a message of the handshake.
const PATIENCE: Duration = Duration::from_secs(20);

/// The buffers that a peer by hand receives into.
const RECEIVES: usize = 256;

/// A client that has a connection, and does with it what it likes.
#[derive(Debug)]
pub struct RawClient {
    pub qp: RawQp,
    pub socket: TcpStream,
    /// How often each slot was used by the rules: the generation of the next request is one more.
    generations: [u8; 16],
    /// What was received and not looked for.
    pub heard: Vec<(u32, Vec<u8>)>,
}

/// Says bytes and hears the answer; nothing if the other side ended the connection.
fn ask(mut socket: &TcpStream, bytes: &[u8]) -> Option<Message> {
    // One that was ended already has its answer waiting.
    let _ = socket.write_all(bytes);
    let mut head = vec![0; 128];
    socket.read_exact(&mut head).ok()?;
    let mut answer = Message(head);
    let mut text = vec![0; answer.number(68) as usize];
    socket.read_exact(&mut text).ok()?;
    answer.0.extend(text);
    Some(answer)
}

impl RawClient {
    /// A connection on which nothing was said.
    pub fn dial(address: &str) -> TcpStream {
        let target = address.split('?').next().unwrap();
        let socket = TcpStream::connect(target).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    /// Says bytes and hears the answer; nothing if the server ended the connection.
    pub fn ask(socket: &TcpStream, bytes: &[u8]) -> Option<Message> {
        ask(socket, bytes)
    }

    /// True if the server ends the connection without another word, within some time.
    pub fn is_ended(socket: &TcpStream, within: Duration) -> bool {
        let mut socket = socket;
        socket.set_read_timeout(Some(within)).unwrap();
        let read = socket.read(&mut [0; 16]);
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        match read {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    /// A connection whose server has been told of a queue pair, and has not been told that this side is ready.
    pub fn introduce(address: &str, device: &str, window: u32) -> Self {
        let socket = Self::dial(address);
        let fits = ask(&socket, &Message::hello(window).0).unwrap();
        assert_eq!(fits.verdict(), 0, "{}", fits.text());
        let qp = RawQp::new(device);
        let answer = ask(&socket, &Message::endpoint(&qp.point()).0).unwrap();
        assert_eq!(answer.verdict(), 0, "{}", answer.text());
        qp.connect(&answer.point(32), 7);
        Self {
            qp,
            socket,
            generations: [0; 16],
            heard: Vec::new(),
        }
    }

    /// One that may call, and receives its replies.
    pub fn attach(address: &str, device: &str, window: u32) -> Self {
        let it = Self::attach_deaf(address, device, window);
        it.qp.receive_into(RECEIVES);
        it
    }

    /// One that may call, and has no buffer for a reply.
    pub fn attach_deaf(address: &str, device: &str, window: u32) -> Self {
        let it = Self::introduce(address, device, window);
        let mut socket = &it.socket;
        socket.write_all(&[READY]).unwrap();
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [READY]);
        it
    }

    /// Sends a request by the rules; its generation.
    pub fn request(&mut self, slot: u16, method: u16, body: &[u8]) -> u8 {
        let generation = &mut self.generations[usize::from(slot)];
        *generation = (*generation + 1) % 8;
        let generation = *generation;
        let taken = self.qp.send(request_imm(slot, generation, method), body);
        assert!(taken, "there is room for a request");
        generation
    }

    /// Hears what the server has sent.
    pub fn hear(&mut self) -> &mut Vec<(u32, Vec<u8>)> {
        let got = self.qp.received();
        self.heard.extend(got);
        &mut self.heard
    }
}

/// Somebody who listens where a client expects its server.
#[derive(Debug)]
pub struct RawListener {
    listener: TcpListener,
    pub address: String,
    pub device: String,
}

/// A server that has a client, and does with it what it likes.
#[derive(Debug)]
pub struct RawServer {
    pub qp: RawQp,
    pub socket: TcpStream,
}

impl RawListener {
    pub fn new(device: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("{}?device={device}", listener.local_addr().unwrap());
        Self {
            listener,
            address,
            device: device.into(),
        }
    }

    /// Accepts a client.
    pub fn accept(&self) -> TcpStream {
        let (socket, _) = self.listener.accept().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    /// Hears a message of a client.
    pub fn hear(mut socket: &TcpStream) -> Message {
        let mut message = vec![0; 128];
        socket.read_exact(&mut message).unwrap();
        Message(message)
    }

    /// What an honest client makes of a server that talks so: `talk` gets the accepted socket, and keeps it for as long as it likes.
    pub fn meet<R>(
        &self,
        window: usize,
        talk: impl FnOnce(TcpStream) -> R,
    ) -> (Result<Caller, AttachError>, R) {
        let address = self.address.clone();
        let client = thread::spawn(move || connect(&address, window));
        let said = talk(self.accept());
        (client.join().unwrap(), said)
    }

    /// Welcomes a client, with this event window.
    pub fn welcome(&self, socket: TcpStream, events: u32) -> RawServer {
        let hello = Self::hear(&socket);
        assert_eq!(hello.0[12..28], Service::ABI_HASH.0.to_le_bytes());
        let qp = RawQp::new(&self.device);
        let mut said = &socket;
        let nothing = Point {
            qpn: 0,
            psn: 0,
            lid: 0,
            mtu: 0,
            is_global: 0,
            gid: [0; 16],
        };
        said.write_all(&Message::answer(0, events, &nothing).0)
            .unwrap();
        let theirs = Self::hear(&socket).point(12);
        qp.connect(&theirs, 7);
        said.write_all(&Message::answer(0, events, &qp.point()).0)
            .unwrap();
        let mut byte = [0];
        said.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [READY]);
        said.write_all(&[READY]).unwrap();
        RawServer { qp, socket }
    }
}

impl RawServer {
    /// An honest client and its hostile server.
    pub fn with_client(device: &str, window: usize, events: u32) -> (Caller, Self) {
        let (client, it) = Self::deaf_with_client(device, window, events);
        it.qp.receive_into(RECEIVES);
        (client, it)
    }

    /// The same, of a server that has no buffer for a request.
    pub fn deaf_with_client(device: &str, window: usize, events: u32) -> (Caller, Self) {
        let listener = RawListener::new(device);
        let (client, it) = listener.meet(window, |socket| listener.welcome(socket, events));
        (client.unwrap(), it)
    }
}

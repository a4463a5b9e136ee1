//! A file system of two services: one that knows the names, and one whose calls wait for a disk and are answered in the
//! order in which the disk gets to them. On threads, and both in a process apart from their client.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use idl_examples::common::NodeHealth;
use idl_examples::dfs::chunks::{self, ReadResponse, Reply, Request, method};
use idl_examples::dfs::namespace;
use idl_examples::dfs::{
    CHUNK, Chunk, ChunkId, ChunkIds, DEFAULT_PERMISSIONS, Entry, EntryKind, FsError, MAX_CHUNKS,
    Path, Permissions, ROOT,
};
use idl_examples::{Dice, Failure, Laps, Sides, join, serve_until_input_ends};
use runtime_core::{CallError, ClientTransport, Opt, ServerTransport, Token};

/// The names, and which chunks belong to them.
#[derive(Default)]
struct Names {
    entries: BTreeMap<Path, Entry>,
    answered: u64,
    inodes: u64,
    chunks: ChunkId,
}

impl Names {
    /// What a name stands for.
    fn entry(&self, path: &Path) -> Result<&Entry, FsError> {
        self.entries.get(path).ok_or(FsError::NOT_FOUND)
    }

    /// A new name needs a folder to be in, and must not be taken.
    fn check_new(&self, path: &Path) -> Result<(), FsError> {
        let folder = match path.rsplit_once('/') {
            None => return Err(FsError::NOT_FOUND),
            Some(("", _)) => ROOT,
            Some((folder, _)) => folder,
        };
        if folder != ROOT {
            let folder = self.entries.get(folder).ok_or(FsError::NOT_FOUND)?;
            if folder.r#type != EntryKind::FOLDER {
                return Err(FsError::NOT_DIRECTORY);
            }
        }
        if self.entries.contains_key(path) {
            Err(FsError::EXISTS)
        } else {
            Ok(())
        }
    }
}

impl namespace::Handler for Names {
    /// Comes from `INode`, which `INamespace` extends.
    fn health(&mut self) -> NodeHealth {
        NodeHealth {
            answered: self.answered,
            retires_in_s: Opt::NONE,
        }
    }

    fn lookup(&mut self, path: &Path) -> Result<Entry, FsError> {
        self.answered += 1;
        self.entry(path).copied()
    }

    fn create(&mut self, path: &Path, kind: EntryKind, bytes: u64) -> Result<Entry, FsError> {
        self.answered += 1;
        self.check_new(path)?;
        let wanted = bytes.div_ceil(CHUNK.into());
        if wanted > MAX_CHUNKS.into() {
            return Err(FsError::TOO_LARGE);
        }
        let mut chunks = ChunkIds::new();
        chunks.extend(self.chunks..self.chunks + wanted);
        self.chunks += wanted;
        self.inodes += 1;
        let entry = Entry {
            inode: self.inodes,
            bytes,
            r#type: kind,
            chunks,
            ..Entry::default()
        };
        self.entries.insert(*path, entry);
        Ok(entry)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> Result<(), FsError> {
        self.answered += 1;
        self.entry(from)?;
        self.check_new(to)?;
        if let Some(entry) = self.entries.remove(from) {
            self.entries.insert(*to, entry);
        }
        Ok(())
    }

    fn unlink(&mut self, path: &Path, freed: &mut ChunkIds) -> Result<(), FsError> {
        self.answered += 1;
        let prefix = format!("{path}/");
        if self.entries.keys().any(|other| other.starts_with(&prefix)) {
            return Err(FsError::NOT_EMPTY);
        }
        let entry = self.entries.remove(path).ok_or(FsError::NOT_FOUND)?;
        *freed = entry.chunks;
        Ok(())
    }
}

/// A request that waits for the disk. The token keeps its slot, so the 4 KiB of a write stay where they arrived.
enum Waiting<T: ServerTransport> {
    Read(Token<method::Read, T>),
    Write(Token<method::Write, T>),
}

impl<T: ServerTransport> Waiting<T> {
    fn chunk(&self) -> ChunkId {
        match self {
            Self::Read(token) => token.data().id,
            Self::Write(token) => token.data().id,
        }
    }
}

fn checksum(data: &Chunk) -> u32 {
    data.iter()
        .fold(17, |sum, &byte| sum.rotate_left(5) ^ u32::from(byte))
}

/// The chunk service: takes what there is, then answers it in the order of the disk's tracks. Returns how many requests
/// were overtaken by a later one.
fn serve_chunks<T: ServerTransport>(mut server: chunks::ServerOver<T>) -> Result<u64, Failure> {
    let mut disk = BTreeMap::<ChunkId, Box<Chunk>>::new();
    let (mut answered, mut overtaken) = (0, 0);
    while server.wait(Duration::MAX).is_ok() {
        let mut queue = Vec::new();
        while let Ok(Some(request)) = server.recv() {
            match request {
                Request::Read(call) => queue.push(Waiting::Read(call.into_token())),
                Request::Write(call) => queue.push(Waiting::Write(call.into_token())),
                // A client that is gone is no failure of the server.
                Request::Health(call) => {
                    let _ = call.reply(NodeHealth {
                        answered,
                        retires_in_s: Some(60).into(),
                    });
                }
            }
        }
        overtaken += queue
            .windows(2)
            .filter(|pair| pair[0].chunk() > pair[1].chunk())
            .count() as u64;
        queue.sort_by_key(Waiting::chunk);
        for waiting in queue {
            answered += 1;
            let id = waiting.chunk();
            let _ = match waiting {
                Waiting::Read(token) => match disk.get(&id) {
                    Some(data) => server.reply(token, ReadResponse { data: **data }).is_ok(),
                    None => server.fail(token, FsError::NOT_FOUND).is_ok(),
                },
                Waiting::Write(token) => {
                    let data = token.data().data;
                    disk.insert(id, Box::new(data));
                    server.reply(token, checksum(&data)).is_ok()
                }
            };
        }
    }
    Ok(overtaken)
}

/// Byte `at` of the file.
fn byte(at: usize) -> u8 {
    (at * 31 + at / 4096) as u8
}

/// The client of both services, over any transport: each call of the disk carries which chunk of the file it is for. Says what it did, and
/// returns how long reads took.
fn call(
    mut names: namespace::ClientOver<impl ClientTransport>,
    mut disk: chunks::ClientOver<impl ClientTransport, usize>,
) -> Result<Laps, Failure> {
    // Names.
    names
        .blocking()
        .create(&"/log".try_into()?, EntryKind::FOLDER, 0)?;
    let path = "/log/today".try_into()?;
    let size = u64::from(CHUNK * MAX_CHUNKS);
    let file = names.blocking().create(&path, EntryKind::FILE, size)?;
    assert_eq!(
        (file.permissions, file.chunks.len()),
        (DEFAULT_PERMISSIONS, MAX_CHUNKS as usize)
    );
    assert!(!file.permissions.contains(Permissions::OTHERS_READ));
    let twice = names.blocking().create(&path, EntryKind::FILE, 1);
    assert_eq!(twice.err(), Some(CallError::Service(FsError::EXISTS)));
    let orphan = names
        .blocking()
        .create(&"/nowhere/file".try_into()?, EntryKind::FILE, 1);
    assert_eq!(orphan.err(), Some(CallError::Service(FsError::NOT_FOUND)));
    let full = names.blocking().unlink(&"/log".try_into()?);
    assert_eq!(full.err(), Some(CallError::Service(FsError::NOT_EMPTY)));

    // Bytes: all chunks in flight at once, in no order, each written where it travels from.
    let mut order: Vec<usize> = (0..file.chunks.len()).collect();
    let mut dice = Dice(7);
    order.sort_by_cached_key(|_| dice.below(1000));
    for &index in &order {
        let mut loan = disk.loan::<method::Write>()?;
        loan.id = file.chunks[index];
        for (at, place) in loan.data.iter_mut().enumerate() {
            *place = byte(index * CHUNK as usize + at);
        }
        loan.send(index);
    }
    let mut sums = BTreeMap::new();
    while sums.len() < order.len() {
        let delivered = disk.poll(|index, reply| {
            if let Reply::Write(sum) = reply {
                sums.insert(index, sum.copied());
            }
        })?;
        if delivered == 0 {
            disk.wait(Duration::from_secs(2))?;
        }
    }

    // And back, over and over.
    let mut laps = Laps::default();
    let mut contents = vec![0; size as usize];
    for _ in 0..100 {
        contents.fill(0);
        laps.time_many(order.len() as u64, || -> Result<(), Failure> {
            for &index in &order {
                disk.read(file.chunks[index], index)?;
            }
            let mut left = order.len();
            while left > 0 {
                let delivered = disk.poll(|index, reply| {
                    // An error leaves zeros, which the check below finds.
                    if let Reply::Read(Ok(response)) = reply {
                        contents[index * CHUNK as usize..][..CHUNK as usize]
                            .copy_from_slice(&response.data);
                    }
                })?;
                if delivered == 0 {
                    disk.wait(Duration::from_secs(2))?;
                }
                left -= delivered;
            }
            Ok(())
        })?;
        assert!(
            contents
                .iter()
                .enumerate()
                .all(|(at, &found)| found == byte(at)),
            "the file is not what was written"
        );
    }
    for (index, data) in contents.as_chunks().0.iter().enumerate() {
        assert_eq!(sums.get(&index), Some(&Ok(checksum(data))));
    }
    let missing = disk.blocking().read(999_999);
    assert_eq!(missing.err(), Some(CallError::Service(FsError::NOT_FOUND)));

    // Names again.
    let archive = "/today.old".try_into()?;
    names.blocking().rename(&path, &archive)?;
    assert_eq!(
        names.blocking().lookup(&path).err(),
        Some(CallError::Service(FsError::NOT_FOUND))
    );
    assert_eq!(names.blocking().lookup(&archive)?, file);
    assert_eq!(names.blocking().unlink(&archive)?.freed, file.chunks);

    // Both speak the base interface.
    let answered = names.blocking().health()?.answered;
    assert_eq!(disk.blocking().health()?.retires_in_s.get(), Some(&60));

    println!(
        "dfs: {answered} requests for names, a file of {size} bytes in {} chunks",
        order.len()
    );
    Ok(laps)
}

/// Over the in-process backend: both servers on threads, which end with their last client.
fn threads() -> Result<(), Failure> {
    let (names, mut server) = namespace::inproc::pair()?;
    let names: namespace::inproc::Client = names;
    let namespace_thread = thread::spawn(move || server.serve(&mut Names::default()));
    let (disk, server) = chunks::inproc::pair()?;
    let chunks_thread = thread::spawn(move || serve_chunks(server));
    let laps = call(names, disk)?;
    namespace_thread
        .join()
        .map_err(|_| "the namespace panicked")?;
    let overtaken = join(chunks_thread)?;
    println!(
        "dfs: the disk let {overtaken} requests overtake; reads of {CHUNK} bytes, {MAX_CHUNKS} in flight: {laps}"
    );
    Ok(())
}

/// Over shared memory: a process that serves a name for each service until it is told to stop.
fn server(name: &str) -> Result<(), Failure> {
    let mut names = namespace::shm::Server::bind(&format!("{name}.names"))?;
    let disk = chunks::shm::Server::bind(&format!("{name}.chunks"))?;
    let stops = (names.transport().stopper(), disk.transport().stopper());
    let namespace_thread = thread::spawn(move || names.serve(&mut Names::default()));
    serve_until_input_ends(name, move || {
        stops.0.stop();
        stops.1.stop();
    });
    let overtaken = serve_chunks(disk)?;
    namespace_thread
        .join()
        .map_err(|_| "the namespace panicked")?;
    println!("dfs: the disk let {overtaken} requests overtake");
    Ok(())
}

/// And another one that knows both.
fn client(name: &str) -> Result<(), Failure> {
    let names: namespace::shm::Client = namespace::shm::Client::connect(&format!("{name}.names"))?;
    let disk = chunks::shm::Client::connect(&format!("{name}.chunks"))?;
    let laps = call(names, disk)?;
    println!("dfs: reads of {CHUNK} bytes, {MAX_CHUNKS} in flight: {laps}");
    Ok(())
}

fn main() -> ExitCode {
    let sides = Sides {
        example: "dfs",
        threads,
        server,
        client,
        nodes: None,
    };
    sides.run()
}

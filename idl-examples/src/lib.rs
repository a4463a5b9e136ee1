//! The generated code of the examples, and the little that their programs share.
//!
//! Each schema in `idl/` has a module here and a program of its name in `src/bin/`. Read `hello` first.

mod executor;
mod laps;
mod sides;

/// What `build.rs` made of the schemas.
mod generated {
    include!(concat!(env!("OUT_DIR"), "/mod.rs"));
}

pub use executor::{block_on, join_all};
pub use generated::{
    examples_allreduce as allreduce, examples_common as common, examples_dfs as dfs,
    examples_hello as hello, examples_hotel as hotel, examples_image as image, examples_kv as kv,
    examples_lock as lock, examples_orderbook as orderbook, examples_resolver as resolver,
    examples_sensors as sensors,
};
pub use laps::Laps;
pub use sides::{Nodes, Sides, serve_until_input_ends};

/// Whatever goes wrong in an example, on any of its threads.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Waits for a thread, and passes on how it failed.
///
/// # Errors
/// That of the thread, or that it panicked.
pub fn join<T>(thread: std::thread::JoinHandle<Result<T, Failure>>) -> Result<T, Failure> {
    thread
        .join()
        .map_err(|_| "a thread of the example panicked")?
}

/// Numbers that look random and are the same in every run.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

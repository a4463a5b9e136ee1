//! Types that cannot travel, on the type and nowhere else.

use rpcidl_macros::{rpc_message, rpc_service};
use runtime_core::{Bytes, List, Str};

#[rpc_message]
struct Standard {
    string: String,
    list: Vec<u32>,
    by_path: std::string::String,
    map: std::collections::HashMap<u32, u32>,
    size: usize,
    letter: char,
    wide: u128,
    time: std::time::Duration,
    inside: Option<Box<u32>>,
    deep: [List<String, 4>; 2],
}

#[rpc_message]
struct Forms {
    text: &'static str,
    bytes: &'static [u8],
    number: &'static u32,
    tuple: (u32, u32),
    pointer: *const u8,
    function: fn(u32) -> u32,
    object: Box<dyn Send>,
    never: !,
    unknown: _,
    nested: Option<(u8, u8)>,
    references: List<&'static u32, 4>,
    generated: concat!("u", "8"),
}

#[rpc_message]
struct Bounds {
    text: Str,
    bytes: Bytes,
    list: List<u32>,
    nothing: List,
    optional: Option,
    twice: Option<Option<u8>>,
    none: Str<0>,
    much: Bytes<70_000>,
    negative: Str<{ 3 - 4 }>,
    by_type: Str<u32>,
    array: [u8; 0],
}

const LENGTH: usize = 4;

#[rpc_message]
struct Constants {
    text: Str<LENGTH>,
    list: List<u32, { LENGTH }>,
    array: [u8; LENGTH],
    sum: [u8; 2 + LENGTH],
    max: [u8; u8::MAX as usize],
    call: [u8; size_of::<u32>()],
    float: [u8; 1.5],
    over: [u8; 1 << 200],
    zero: [u8; 1 / 0],
}

#[rpc_service]
trait Arguments {
    fn text(&self, text: &str, owned: String) -> String;
    fn bytes(&self, bytes: &[u8], more: Vec<u8>) -> Vec<u8>;
    fn twice(&self, number: &&u32);
    fn number(&self, number: usize) -> usize;
    fn borrowed(&self) -> &u32;
    fn future(&self) -> impl Future<Output = u32>;
    fn object(&self, callback: &dyn Fn(u32));
    fn buffer(&self, buffer: runtime_core::Buffer);
    fn own(&self, own: Self);
    fn parameters(&self, parameters: Key<u32>);
    fn associated(&self, item: <Vec<u8> as IntoIterator>::Item);
}

fn main() {}

//! Services and messages written in Rust, and `.idl` files compiled where they are used.
//!
//! [`macro@rpc_message`] and [`macro@rpc_service`] read a struct, an enum or a trait as a definition; [`include_idl!`] reads
//! an `.idl` file. All of them end in the compiler `rpcidl`, which checks, lays out and prints every definition alike.

mod error;
mod idl;
mod input;
mod options;
mod output;

use proc_macro::TokenStream;

/// Makes a struct or an enum a message.
///
/// ```
/// use rpcidl_macros::rpc_message;
/// use runtime_core::Str;
///
/// #[rpc_message]
/// #[repr(u8)]
/// #[derive(Debug)]
/// pub enum Tier {
///     Hot = 0,
///     Warm = 1,
/// }
///
/// /// Where a record is.
/// #[rpc_message]
/// pub struct Place {
///     pub host: Str<62>,
///     pub shard: u32,
///     #[rpc(default = Tier::Warm)]
///     pub tier: Tier,
///     pub moved_ns: Option<u64>,
/// }
///
/// let place = Place { shard: 7, ..Place::default() };
/// assert_eq!(place.tier, Tier::Warm);
/// assert_eq!(place.moved_ns.get(), None);
/// ```
///
/// # Structs
///
/// Fields are `u8` to `u64`, `i8` to `i64`, `f32`, `f64`, `bool`, `Str<N>`, `Bytes<N>`, `List<T, N>`, `[T; N]`,
/// `Option<T>`, and other messages by any path. `N` is a number, or arithmetic on numbers. A field `_reserved0: Reserved<N>`
/// keeps room to grow.
///
/// What is generated takes the place of the struct, under the same name and visibility, with the same fields: `bool`
/// becomes `Bool8` and `Option<T>` becomes `Opt<T>`, for any bytes may come from a peer. Padding is an explicit field, so a
/// literal ends in `..Default::default()` where there is some. `Clone`, `Copy`, `Debug`, `PartialEq` and `Default` are always
/// there; `Eq`, `PartialOrd`, `Ord` and `Hash` are if `#[derive(…)]` asks for them. Other derives and attributes are handed
/// on to the generated struct.
///
/// Options: `max_size = N`, `since = "1.1"`; of a field, in `#[rpc(…)]`: `default = value`, `since`.
///
/// # Enums
///
/// An enum without data, with `#[repr(u8)]` or another integer, becomes an integer with constants, for a peer may know more
/// members. `#[rpc_message(closed)]` refuses the unknown ones, `#[rpc_message(flags)]` makes members bits, and
/// `#[rpc_message(error)]` makes the enum one that methods fail with. Further options: `reserved = [7, 8..=15]`,
/// `allow_alias`, `since`.
///
/// # Limits
///
/// The types of fields must be as visible as the message. A message that another item refers to must belong to the same crate and stand in a module, not in a function. The
/// message leaves a macro of its own name behind, by which the other item finds its definition; a `use` of the message
/// brings both. So rustc says "cannot find macro `Foo`" of a type `Foo` that is no message. Types that more than a hundred
/// others stand in need a larger `#![recursion_limit]`. Sharing messages between crates is what `.idl` files are for.
///
/// If the crates are called otherwise: `crate = ::path` names `runtime-core`, `macros = ::path` this crate.
#[proc_macro_attribute]
pub fn rpc_message(options: TokenStream, item: TokenStream) -> TokenStream {
    output::attribute("rpc_message", options, item)
}

/// Makes a trait a service.
///
/// ```
/// use rpcidl_macros::{rpc_message, rpc_service};
///
/// #[rpc_message(error)]
/// #[repr(u32)]
/// pub enum Failed {
///     Overflow = 1,
/// }
///
/// #[rpc_service(backend = "inproc")]
/// pub trait Adder {
///     /// Adds two numbers.
///     fn add(&mut self, a: u32, b: u32) -> Result<u32, Failed>;
/// }
///
/// struct Machine;
///
/// impl Adder for Machine {
///     fn add(&mut self, a: u32, b: u32) -> Result<u32, Failed> {
///         a.checked_add(b).ok_or(Failed::Overflow)
///     }
/// }
///
/// fn main() {
///     let (mut client, mut server) = adder::pair::<()>().unwrap();
///     let serving = std::thread::spawn(move || server.serve(&mut Machine));
///     assert_eq!(client.blocking().add(2, 3), Ok(5));
///     drop(client);
///     serving.join().unwrap();
/// }
/// ```
///
/// The trait stays, less the events, for the server to implement. Next to it stands a module of its name in snake case with
/// what an `.idl` file would give: `Client`, `Server` and `pair` of the first backend, `Request` and the rest. What
/// implements the trait implements the module's `Handler`, so that `serve` takes it. A trait in a function has no place for
/// the module to find its messages, so a service stands in a module.
///
/// # Methods
///
/// The receiver is `&self` or `&mut self`. Arguments are passed by value or by `&`; `&mut T` travels there and back, and
/// with `#[out]` only back. `Result<T, E>` names an error type. Types are those of [messages](macro@rpc_message); `bool` and
/// `Option<T>` stay what they are in the trait, and become `Bool8` and `Opt<T>` inside of other types. On the client, whose
/// stubs are those of any definition, arguments that are no plain numbers are passed by reference.
///
/// Options of a method, in `#[rpc(…)]`: `oneway`, `event`, `id = N`, `idempotent`, `deadline_us = N` (or `_ms`, `_s`),
/// `priority = N`, `since = "1.1"`, and `inproc(depth = N)`, `shm(slots = N)`, `rdma(recv_depth = N)`; `shm(isolated)` only of the service.
///
/// Options of the service: `backend = "inproc"`, `"shm"`, `"rdma"` or a list of backends, `package = "acme.kv@1.2"`, `reserved = [7, 8..=15]` for ids that
/// may not be used, a deadline and the backends' options as above, and `crate`, `macros` and `runtime` if the crates
/// `runtime-core`, `rpcidl-macros` and that of the first backend are called otherwise.
#[proc_macro_attribute]
pub fn rpc_service(options: TokenStream, item: TokenStream) -> TokenStream {
    output::attribute("rpc_service", options, item)
}

/// Compiles an `.idl` file, or includes what a build script made of one.
///
/// ```ignore
/// mod kv {
///     // The file is compiled when the crate is, and again when it or a file that it imports changes.
///     rpcidl_macros::include_idl!("idl/kv.idl", backend = "inproc");
/// }
///
/// mod log {
///     // `build.rs` wrote `log.rs` into `OUT_DIR`.
///     rpcidl_macros::include_idl!("log");
/// }
/// ```
///
/// Paths begin at the folder of the crate's `Cargo.toml`. Options: `backend = "inproc"`, `"shm"`, `"rdma"` or a list of backends (else those that the
/// definition names), `include = ["idl"]` for folders in which imports are looked for, `extern "acme.common" = crate::common`
/// for a package that is generated elsewhere, `zerocopy = false`, and `crate = ::path` and `runtime = ::path` if the crates
/// `runtime-core` and that of the first backend are called otherwise.
#[proc_macro]
pub fn include_idl(input: TokenStream) -> TokenStream {
    idl::include(input)
}

/// Prepares for one call.
///
/// Only texts have places that can be compared, so the compiler works on texts, and `proc-macro2` on its own tokens instead of
/// rustc's. What it has kept of earlier calls is let go: an editor calls for hours.
fn begin() {
    proc_macro2::fallback::force();
    proc_macro2::extra::invalidate_current_thread_spans();
}

/// The text of the `Cargo.toml` of the package that is compiled, if there is one.
fn manifest() -> Option<String> {
    rpcidl::build::manifest(&|name| std::env::var_os(name))
}

/// The end of the chain that collects what an item refers to.
#[doc(hidden)]
#[proc_macro]
pub fn __expand(input: TokenStream) -> TokenStream {
    output::collected(input)
}

//! What the contract forbids does not compile. The `.stderr` files are written by the tool: `TRYBUILD=overwrite cargo test`.

use conformance::probe::probe::inproc::{Client, Server};

/// One thread drives an end: if it were `Sync`, both implementations would fit and the call below would not compile.
trait IsNotSync<A> {
    fn holds() {}
}
impl<T: ?Sized> IsNotSync<()> for T {}
impl<T: ?Sized + Sync> IsNotSync<u8> for T {}
const _: fn() = <Client<u64> as IsNotSync<_>>::holds;
const _: fn() = <Server as IsNotSync<_>>::holds;

/// The texts are those of one compiler; another one says the same in other words.
const COMPILER: &str = "rustc 1.95.";

fn is_the_compiler_of_the_texts() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(rustc).arg("--version").output();
    let version = output.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
    version.is_ok_and(|it| it.starts_with(COMPILER))
}

#[test]
fn wrong_use_does_not_compile() {
    if is_the_compiler_of_the_texts() {
        trybuild::TestCases::new().compile_fail("tests/wrong_use/*.rs");
    } else {
        eprintln!("not compared: the texts are those of {COMPILER}x");
    }
}

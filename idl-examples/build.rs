//! Compiles the schemas: one module a package, and a `mod.rs` that declares them, in `OUT_DIR`.

use rpcidl::build::Config;

fn main() -> Result<(), rpcidl::build::Error> {
    // For the backends that each interface names.
    Config::new().compile(&[
        "idl/allreduce.idl",
        "idl/dfs.idl",
        "idl/hello.idl",
        "idl/hotel.idl",
        "idl/image.idl",
        "idl/kv.idl",
        "idl/lock.idl",
        "idl/orderbook.idl",
        "idl/resolver.idl",
        "idl/sensors.idl",
    ])
}

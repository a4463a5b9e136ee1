//! An error is reported once, where it is, and not again by what uses the broken part.

use rpcidl_macros::{rpc_message, rpc_service};

#[rpc_message]
pub struct Broken {
    pub text: String,
}

#[rpc_message]
pub struct Holder {
    pub broken: Broken,
}

#[rpc_service]
pub trait Service {
    fn call(&self, holder: Holder);
}

struct Server;

impl Service for Server {
    fn call(&self, holder: Holder) {
        let _: &str = &holder.broken.text;
    }
}

fn main() {}

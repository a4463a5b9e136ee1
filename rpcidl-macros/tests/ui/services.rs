//! What a trait may be and a service may not.

use rpcidl_macros::rpc_service;

#[rpc_service]
trait Holds {
    const NUMBER: u32;
    type Item;
    fn body(&self) {}
    async fn later(&self);
    unsafe fn careful(&self);
    extern "C" fn foreign(&self);
    fn generic<T>(&self, value: T);
    fn lifetime<'a>(&'a self, value: &'a u32);
    fn bounded(&self)
    where
        Self: Sized;
    fn no_receiver(value: u32);
    fn by_value(self);
    fn boxed(self: Box<Self>);
    fn pattern(&self, (a, b): u32);
    fn unnamed(&self, _: u32);
    macro_call!();
}

#[rpc_service]
unsafe trait Unsafe {
    fn call(&self);
}

#[rpc_service]
trait Extends: Holds + Send + 'static {
    fn call(&self);
}

#[rpc_service]
trait Generic<T> {
    fn call(&self);
}

#[rpc_service]
trait Results {
    fn alone(&self) -> Result<u32>;
    fn standard(&self) -> std::io::Result<u32>;
    fn text(&self) -> Result<u32, String>;
    fn boxed(&self) -> Result<u32, Box<dyn std::error::Error>>;
    fn none(&self) -> Result<(), ()>;
}

fn main() {}

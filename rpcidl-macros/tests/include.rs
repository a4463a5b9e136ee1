//! `.idl` files compiled in place.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its items are not read by others"
)]

mod shop {
    rpcidl_macros::include_idl!("tests/idl/shop.idl", include = ["tests/idl"]);
}

mod common {
    rpcidl_macros::include_idl!("tests/idl/common.idl");
}

mod apart {
    rpcidl_macros::include_idl!(
        "tests/idl/shop.idl",
        backend = "inproc",
        include = ["tests/idl"],
        extern "acme.common" = crate::common,
        crate = ::runtime_core,
        runtime = ::runtime_inproc,
    );
}

struct Counter(u32);

impl shop::shop::Handler for Counter {
    fn add(&mut self, item: &shop::Item) -> u32 {
        self.0 += item.count;
        self.0
    }
}

#[test]
fn an_included_service_runs() {
    let (mut client, mut server) = shop::shop::pair::<()>().unwrap();
    let serving = std::thread::spawn(move || server.serve(&mut Counter(1)));
    let item = shop::Item {
        count: 2,
        ..Default::default()
    };
    assert_eq!(client.blocking().add(&item), Ok(3));
    drop(client);
    serving.join().unwrap();
}

#[test]
fn a_package_may_be_generated_elsewhere() {
    let item = apart::Item {
        id: common::Uuid { high: 1, low: 2 },
        ..Default::default()
    };
    assert_eq!(item.id.high, 1);
}

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

mod memory {
    rpcidl_macros::include_idl!(
        "tests/idl/shop.idl",
        backend = "shm",
        include = ["tests/idl"]
    );
}

mod nodes {
    rpcidl_macros::include_idl!(
        "tests/idl/nodes.idl",
        backend = ["rdma", "inproc"],
        include = ["tests/idl"],
        runtime = ::runtime_rdma,
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

impl memory::shop::Handler for Counter {
    fn add(&mut self, item: &memory::Item) -> u32 {
        self.0 += item.count;
        self.0
    }
}

#[test]
fn another_backend_is_another_word() {
    let name = format!("rpcidl-macros.{}", std::process::id());
    let mut server = memory::shop::Server::bind(&name).unwrap();
    let stopper = server.transport().stopper();
    let serving = std::thread::spawn(move || server.serve(&mut Counter(1)));
    let mut client = memory::shop::Client::<()>::connect(&name).unwrap();
    let item = memory::Item {
        count: 2,
        ..Default::default()
    };
    assert_eq!(client.blocking().add(&item), Ok(3));
    stopper.stop();
    serving.join().unwrap();
}

impl nodes::nodes::Handler for Counter {
    fn add(&mut self, item: &nodes::Item) -> u32 {
        self.0 += item.count;
        self.0
    }
}

#[test]
fn a_backend_between_nodes() {
    sim_verbs::install();
    let mut server = nodes::nodes::Server::bind("127.0.0.1:0").unwrap();
    let address = server.transport().local_addr().to_string();
    let stopper = server.transport().stopper();
    let serving = std::thread::spawn(move || server.serve(&mut Counter(1)));
    let mut client = nodes::nodes::rdma::Client::<()>::connect(&address).unwrap();
    assert_eq!(client.window(), 16);
    let item = nodes::Item { count: 2 };
    assert_eq!(client.blocking().add(&item), Ok(3));
    stopper.stop();
    serving.join().unwrap();
}

#[test]
fn a_definition_may_name_several_backends() {
    let (_client, server) = shop::shop::shm::pair::<()>().unwrap();
    assert_eq!(server.clients().len(), 1);
    let first: fn(shop::shop::Server) -> shop::shop::inproc::Server = |server| server;
    let (_client, server) = shop::shop::pair::<()>().unwrap();
    assert_eq!(first(server).clients().len(), 1);
}

#[test]
fn a_package_may_be_generated_elsewhere() {
    let item = apart::Item {
        id: common::Uuid { high: 1, low: 2 },
        ..Default::default()
    };
    assert_eq!(item.id.high, 1);
}

//! What cannot be made or found when a side is set up: each is an error that names it, and the others are served.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod peer;

use peer::probe::probe::Service;
use peer::{
    bind, connect, device, device_with, echo, guarded, honest_server, serve, settle, until,
    until_clean,
};
use runtime_core::{AttachError, Bind as _, ServerConfig};
use sim_verbs::{Call, Traits};

fn over(address: &str, device: &str) -> String {
    let (host, _) = address.split_once('?').unwrap();
    format!("{host}?device={device}")
}

#[test]
fn what_cannot_be_made_for_a_client_is_said_and_the_others_are_served() {
    guarded(|| {
        let (name, there) = device();
        let (here_name, here) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mut honest = connect(&address, 8).unwrap();
        settle(&mut server, 1);
        let mine = over(&address, &here_name);
        for (call, what) in [
            (Call::OpenDevice, "opening the RDMA device"),
            (Call::QueryDevice, "opening the RDMA device"),
            (Call::AllocPd, "opening the RDMA device"),
            (Call::QueryPort, "looking at port 1"),
            (Call::QueryGid, "reading GID 0"),
            (Call::CreateCompChannel, "making a completion channel"),
            (Call::CreateCq, "making a completion queue"),
            (Call::CreateQp, "making a queue pair of"),
            (Call::ModifyQp, "bringing up a queue pair"),
            (Call::RegMr, "registering the memory of a client"),
            (Call::PostRecv, "giving the device receive buffers"),
        ] {
            here.fail_next(call, libc::EIO);
            let error = connect(&mine, 8).err().unwrap();
            let text = error.to_string();
            assert!(
                matches!(error, AttachError::System { .. }) && text.contains(what),
                "{call:?}: {text}"
            );
            assert!(text.contains("os error 5"), "{call:?}: {text}");
            until_clean(here);
            echo(&mut server, &mut honest, 1);
        }
        // What the server cannot make is told to the client.
        for (call, what) in [
            (
                Call::CreateCq,
                "making the completion queue of a connection",
            ),
            (Call::CreateQp, "making a queue pair of"),
            (Call::ModifyQp, "bringing up a queue pair"),
            (Call::RegMr, "registering"),
        ] {
            there.fail_next(call, libc::EIO);
            let error = connect(&mine, 8).err().unwrap();
            let AttachError::Refused { why, .. } = &error else {
                panic!("{call:?}: {error:?}");
            };
            assert!(
                why.contains(what) && why.contains("os error 5"),
                "{call:?}: {why}"
            );
            echo(&mut server, &mut honest, 2);
        }
        // None of it has cost a seat.
        let mut late: Vec<_> = (0..3).map(|_| connect(&mine, 8).unwrap()).collect();
        settle(&mut server, 4);
        for client in &mut late {
            echo(&mut server, client, 3);
        }
        drop((late, honest, server));
        until_clean(here);
        until_clean(there);
    });
}

#[test]
fn memory_that_may_not_be_locked_names_the_limit() {
    guarded(|| {
        let (name, there) = device();
        let (here_name, here) = device();
        let (address, mut server) = honest_server(&name, 4);
        let mine = over(&address, &here_name);
        here.fail_next(Call::RegMr, libc::ENOMEM);
        let error = connect(&mine, 8).err().unwrap().to_string();
        let begin = "registering the memory of a client: registering 32256 bytes of memory: ";
        assert!(
            error.starts_with(begin) && error.contains("RLIMIT_MEMLOCK"),
            "{error}"
        );
        there.fail_next(Call::RegMr, libc::ENOMEM);
        let error = connect(&mine, 8).err().unwrap().to_string();
        let begin = format!("the server of `{mine}` refused: registering ");
        assert!(
            error.starts_with(&begin) && error.contains("RLIMIT_MEMLOCK"),
            "{error}"
        );
        let mut client = connect(&mine, 8).unwrap();
        settle(&mut server, 1);
        echo(&mut server, &mut client, 1);
    });
}

#[test]
fn what_cannot_be_made_for_a_server_is_said() {
    guarded(|| {
        let (name, device) = device();
        for (call, what) in [
            (Call::OpenDevice, "opening the RDMA device"),
            (Call::CreateCompChannel, "making a completion channel"),
            (Call::CreateCq, "making a completion queue of"),
            (Call::CreateSrq, "making a shared receive queue of"),
        ] {
            device.fail_next(call, libc::EIO);
            let error = bind(&name, &ServerConfig::default())
                .err()
                .unwrap()
                .to_string();
            assert!(
                error.contains(what) && error.contains("os error 5"),
                "{call:?}: {error}"
            );
            until_clean(device);
        }
    });
}

#[test]
fn clients_beyond_the_shared_receive_queue_are_told() {
    guarded(|| {
        let (name, _) = device_with(Traits {
            max_srq_wr: 100,
            ..Traits::default()
        });
        let (address, mut server) = honest_server(&name, 1024);
        // 16 to spare, and 8 + 3 for each.
        let mut clients: Vec<_> = (0..7).map(|_| connect(&address, 8).unwrap()).collect();
        let error = connect(&address, 8).err().unwrap();
        let AttachError::Refused { why, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(
            why,
            "the device's shared receive queue holds 100 buffers, and its clients have 77 of them"
        );
        settle(&mut server, 7);
        for client in &mut clients {
            echo(&mut server, client, 1);
        }
        clients.pop();
        settle(&mut server, 6);
        let mut next = None;
        until("there is room again", || {
            serve(&mut server);
            next = connect(&address, 8).ok();
            next.is_some()
        });
        echo(&mut server, &mut next.unwrap(), 2);
    });
}

/// What connecting to an address with these options says.
fn said(options: &str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("{}?{options}", listener.local_addr().unwrap());
    connect(&address, 4).err().unwrap().to_string()
}

#[test]
fn addresses_that_lead_nowhere_are_named() {
    guarded(|| {
        let (up, _) = device();
        let (down, _) = device_with(Traits {
            port_up: false,
            ..Traits::default()
        });
        let elsewhere = sim_verbs::GidEntry::of_ipv4([10, 9, 8, 7].into());
        let (other, _) = device_with(Traits {
            gids: elsewhere.map(Some).into(),
            ..Traits::default()
        });
        let (bare, _) = device_with(Traits {
            gids: vec![None],
            ..Traits::default()
        });
        let begin = "finding the RDMA port of the address 127.0.0.1: ";
        let unknown = said("device=mlx5_77");
        let known = "there is no RDMA device `mlx5_77`; there are: sim0, ";
        assert!(
            unknown.starts_with(known) && unknown.contains(&up),
            "{unknown}"
        );
        assert_eq!(
            said(&format!("device={down}")),
            format!(
                "{begin}port 1 of `{down}` is not active (`ibv_devinfo -d {down}` tells its state, `rdma link` its network interface)"
            )
        );
        assert_eq!(
            said(&format!("device={other}")),
            format!("{begin}port 1 of `{other}` has the RoCE v2 addresses 10.9.8.7")
        );
        assert_eq!(
            said(&format!("device={bare}")),
            format!("{begin}port 1 of `{bare}` has the RoCE v2 addresses none")
        );
        assert_eq!(
            said(&format!("device={up}&port=9")),
            format!("{begin}`{up}` has 1 port(s), and no port 9")
        );
        for gid in [0, 2, 255] {
            let text = said(&format!("device={up}&gid={gid}"));
            let expected = format!("{begin}port 1 of `{up}` has no RoCE v2 GID at that index");
            assert!(text.starts_with(&expected), "{text}");
        }
        // With the GID named, the address of the socket does not count.
        let (address, mut server) = honest_server(&other_server(&other), 2);
        let mut client = connect(&address, 4).unwrap();
        settle(&mut server, 1);
        echo(&mut server, &mut client, 1);
        let error = bind(&down, &ServerConfig::default())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("is not active"), "{error}");
        let error = bind("mlx5_77", &ServerConfig::default())
            .err()
            .unwrap()
            .to_string();
        assert!(error.starts_with(known), "{error}");
        // An address for documentation, which nobody has (RFC 5737).
        let error = runtime_rdma::Server::<Service>::bind("192.0.2.1:0", &ServerConfig::default());
        let error = error.err().unwrap().to_string();
        assert!(
            error.contains("`192.0.2.1:0` is none of this host"),
            "{error}"
        );
    });
}

/// A device by name, with the GID by which it is reached.
fn other_server(name: &str) -> String {
    format!("{name}&gid=1")
}

#[test]
fn a_name_that_nobody_serves_or_somebody_does_is_said() {
    guarded(|| {
        let (name, _) = device();
        let free = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let address = format!("{free}?device={name}");
        let expected = AttachError::NotFound {
            name: address.clone(),
        };
        assert_eq!(connect(&address, 4).err(), Some(expected));
        let (taken, _server) = honest_server(&name, 2);
        let again = runtime_rdma::Server::<Service>::bind(&taken, &ServerConfig::default());
        assert_eq!(again.err(), Some(AttachError::InUse { name: taken }));
    });
}

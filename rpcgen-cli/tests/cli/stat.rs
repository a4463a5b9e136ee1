//! `rpcgen stat` of a server that runs in this process.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use conformance::Probe;
use conformance::probe::probe::{ClientOver, ServerOver, Service};
use runtime_core::Audience;
use serde_json::Value;

use super::{Folder, Run};

type Client = ClientOver<runtime_shm::Client<Service>, u64>;
type Server = ServerOver<runtime_shm::Server<Service>>;

/// A name that no other test, and no other run of this one, has.
fn name(test: &str) -> String {
    format!("rpcgen-stat-{test}-{}", std::process::id())
}

fn stat(name: &str, more: &[&str]) -> Run {
    Folder::new().run(&[&["stat", name], more].concat())
}

fn json(name: &str) -> Value {
    let run = stat(name, &["--format", "json"]).exits(0).silent();
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn a_served_name_tells_its_clients_and_counters() {
    let name = name("served");
    let mut server = Server::bind(&name).unwrap();
    let stopper = server.transport().stopper();
    let serving = thread::spawn(move || server.serve(&mut Probe::default()));
    let mut client = Client::connect(&name).unwrap();
    for value in 0..3 {
        assert_eq!(client.blocking().echo(value), Ok(value));
    }
    let text = stat(&name, &[]).exits(0).silent().stdout;
    let process = std::process::id();
    assert!(
        text.starts_with(&format!(
            "rpcidl.conformance.IProbe in process {process}, ABI "
        )),
        "{text}"
    );
    assert!(text.contains("1 of 1024 clients"), "{text}");
    let json = json(&name);
    assert_eq!(json["clients"][0]["process"], process);
    assert_eq!(json["clients"][0]["in_flight"], 0);
    assert_eq!(json["clients"][0]["window"], 32);
    let methods = json["counts"]["methods"].as_array().unwrap();
    let echo = methods
        .iter()
        .find(|method| method["name"] == "echo")
        .unwrap();
    assert_eq!((&echo["calls"], &echo["replies"]), (&3.into(), &3.into()));
    assert_eq!(
        (&echo["bytes_in"], &echo["bytes_out"], &echo["kind"]),
        (&24.into(), &24.into(), &"call".into())
    );
    stopper.stop();
    serving.join().unwrap();
}

#[test]
fn bytes_are_shown_in_the_direction_that_they_went() {
    let name = name("directions");
    let mut server = Server::bind(&name).unwrap();
    let mut client = Client::connect(&name).unwrap();
    client.note(7).unwrap();
    while server.poll(&mut Probe::default(), 8).unwrap() == 0 {}
    for count in 0..3 {
        assert_eq!(server.ticked(Audience::All, count), Ok(1));
    }
    let stopper = server.transport().stopper();
    let serving = thread::spawn(move || server.serve(&mut Probe::default()));
    let text = stat(&name, &[]).exits(0).silent().stdout;
    let row = |method: &str| {
        let row = text.lines().find(|line| line.contains(method));
        let cells = row.unwrap_or_default().split_whitespace();
        cells.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        row("method"),
        "method calls replies failures bytes in bytes out"
    );
    assert_eq!(row("note"), "note (oneway) 1 - - 8 -");
    assert_eq!(row("ticked"), "ticked (event) 3 - - - 24");
    let json = json(&name);
    let methods = json["counts"]["methods"].as_array().unwrap();
    let ticked = methods.iter().find(|method| method["name"] == "ticked");
    assert_eq!(
        ticked.unwrap(),
        &serde_json::json!({
            "name": "ticked", "kind": "event", "calls": 3, "replies": null, "failures": null, "bytes_in": null, "bytes_out": 24,
        })
    );
    drop(client);
    stopper.stop();
    serving.join().unwrap();
}

#[test]
fn a_server_that_does_not_look_tells_what_is_in_flight() {
    let name = name("hung");
    let server = Server::bind(&name).unwrap();
    let mut client = Client::connect(&name).unwrap();
    for value in 0..5 {
        client.echo(value, value).unwrap();
    }
    let json = json(&name);
    assert_eq!(json["clients"][0]["in_flight"], 5);
    assert_eq!(json["counts"], Value::Null);
    let text = stat(&name, &[]).exits(0).stdout;
    assert!(text.contains("has not answered"), "{text}");
    drop(server);
}

#[test]
fn a_server_that_never_finds_nothing_answers_all_the_same() {
    let name = name("busy");
    let mut server = Server::bind(&name).unwrap();
    let mut client = Client::connect(&name).unwrap();
    let (asked, answered) = channel();
    let asking = thread::spawn(move || asked.send(json(&name)).unwrap());
    let mut made = 0;
    let json = loop {
        while client.echo(made, made).is_ok() {
            made += 1;
        }
        server.poll(&mut Probe::default(), 8).unwrap();
        let _ = client.poll(|_, _| {}).unwrap();
        if let Ok(json) = answered.try_recv() {
            break json;
        }
    };
    asking.join().unwrap();
    let echo = &json["counts"]["methods"][0];
    assert!(echo["calls"].as_u64().unwrap() <= made, "{json}");
    drop(client);
    assert!(
        server.wait(Duration::ZERO).unwrap_or(true),
        "its end is seen"
    );
}

#[test]
fn an_address_between_nodes_is_told_what_is_looked_at() {
    stat("127.0.0.1:7700", &[])
        .exits(2)
        .says("stat looks at shared memory only");
}

#[test]
fn a_name_that_nobody_serves_is_an_error() {
    let name = name("nobody");
    stat(&name, &[])
        .exits(2)
        .says(&format!("nobody serves `{name}`; start its server first"));
}

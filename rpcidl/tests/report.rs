//! The layout report.
#![allow(clippy::unwrap_used, reason = "a test may end where it cannot go on")]

mod common;

use common::model;
use rpcidl::report::{self, Shape, lane, shape};

const TEXT: &str = "package a@1.0;
alias Key = string<62>;
enum Tier : u8 { HOT, COLD }
struct Mixed { u8 a; u64 b; u8 c; u32 d; }
union Pick : u8 { 0: void none; 1: u32 number; }
interface Store {
    u32 get(in u32 key);
    void edit(inout u8[100] data);
    Key name(in u64 id, in u8 kind);
    oneway void tell(in Pick pick);
    event void told(in Tier tier);
}
@Inproc(depth = 4) @Shm(slots = 8, slot = 200)
interface Small { u8 f(in u8 a); }
";

#[test]
fn slots_follow_from_the_sizes() {
    let model = model(TEXT);
    let shapes: Vec<Shape> = model.interfaces[0].methods.iter().map(shape).collect();
    assert_eq!(
        shapes,
        [
            Shape::OneLine,
            Shape::InPlace,
            Shape::InARow,
            Shape::OneWay,
            Shape::OneWay
        ]
    );
    let store = lane(&model.interfaces[0]);
    assert_eq!(
        (store.request, store.response, store.slot()),
        (192, 128, 320)
    );
    assert_eq!(
        (store.inproc_bytes(), store.shm_bytes()),
        (33 * 320 + 32 * 64, 4 * 4096)
    );
    // 100 bytes are edited in place, so requests and responses take two lines alike.
    let buffers = (store.rdma.request, store.rdma.response, store.rdma.event);
    assert_eq!(buffers, (128, 128, 64));
    assert_eq!(
        (store.rdma_client_bytes(), store.rdma_server_bytes()),
        (32 * 128 + 81 * 128, 35 * 128 + 32 * 128 + 32 * 64)
    );
    let small = lane(&model.interfaces[1]);
    assert_eq!((small.request, small.response), (64, 0));
    assert_eq!(
        (small.inproc_bytes(), small.shm_slot(), small.shm_bytes()),
        (5 * 64, 256, 4096)
    );
}

#[test]
fn a_reply_of_up_to_a_kibibyte_has_room_over_its_request() {
    let model = model(
        "package a@1.0; interface I { u8[1024] f(in u8 a); } interface J { u8[1025] g(in u8 a); }",
    );
    let [with, without] = &model.interfaces[..] else {
        panic!("there are two interfaces");
    };
    assert_eq!(shape(&with.methods[0]), Shape::InARow);
    assert_eq!((lane(with).request, lane(with).response), (1088, 1088));
    assert_eq!(shape(&without.methods[0]), Shape::Split);
    assert_eq!((lane(without).request, lane(without).response), (64, 1152));
}

#[test]
fn isolated_sides_have_slots_and_pages_of_their_own() {
    let model = model(
        "package a; @Shm(isolated) interface I { u8 f(in u8 a); void edit(inout u8[100] data); event void e(in u8 a); }",
    );
    let lane = lane(&model.interfaces[0]);
    assert_eq!((lane.request, lane.response), (192, 0));
    assert_eq!((lane.shm_request, lane.shm_response), (192, 192));
    // The control block, the requests, the responses with the events.
    let segments = [512, 33 * 192, 33 * 192 + 32 * 64_u64];
    let pages: u64 = segments.iter().map(|bytes| bytes.div_ceil(4096)).sum();
    assert_eq!(lane.shm_bytes(), pages * 4096);
    let text = report::text(&model, 100);
    let line = "    shm     window 32: isolated, 512 + 33 x 384 + 32 x 64 for events, in pages = 24576 bytes";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_method_may_ask_for_more_than_its_interface() {
    let model = model(
        "package a; @Inproc(depth = 4) interface I { @Inproc(depth = 16) void f(); @Shm(slots = 2) void g(in u8[57] a); }",
    );
    let lane = lane(&model.interfaces[0]);
    assert_eq!((lane.inproc_window, lane.shm_window), (16, 2));
    assert_eq!((lane.request, lane.response, lane.event), (128, 64, 0));
    let model = common::model(
        "package a; @Rdma(recv_depth = 4) interface I { @Rdma(recv_depth = 2) u8[70] f(in u8[140] a); @Shm(slots = 64) void g(); }",
    );
    let lane = report::lane(&model.interfaces[0]);
    assert_eq!((lane.rdma_window, lane.shm_window), (4, 64));
    // Without a word in them, and each as large as it must be.
    assert_eq!(
        (lane.rdma.request, lane.rdma.response, lane.rdma.event),
        (192, 128, 0)
    );
    assert_eq!(lane.rdma_bytes(), 4 * 192 + 21 * 128 + 7 * 192 + 4 * 128);
    let events = common::model("package a; interface I { event void e(in u64[8] a); }");
    let lane = report::lane(&events.interfaces[0]);
    assert_eq!((lane.request, lane.response, lane.event), (64, 0, 128));
}

#[test]
fn the_text_shows_padding_and_cache_lines() {
    let model = model(TEXT);
    let text = report::text(&model, 100);
    for part in [
        "package a@1.0  (test.idl)",
        "enum Tier : u8  2 members",
        "struct Mixed  24 bytes, align 8, 10 of padding (41.7 %)",
        "  ·      1      7  padding  (padding)",
        "union Pick  8 bytes, align 4, 3 of padding (37.5 %)",
        "    tag 1          4  u32 number  (0 unused)",
        "interface Store  abi ",
        "        2  call    edit      100       100  in place",
        "    inproc  window 32: 33 x 320 + 32 x 64 for events = 12608 bytes per connection",
        "    rdma    window 32: client 14464 + server 10624 = 25088 bytes per connection",
        "request Store.get  4 bytes, align 4",
        "response Store.name  64 bytes, align 2",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

#[test]
fn the_text_marks_where_cache_lines_end() {
    let model = model("package a; struct S { u8[60] a; u32 b; u8[62] c; u32 d; u8[300] e; }");
    let text = report::text(&model, 80);
    let expected = "\
package a  (test.idl)

struct S  432 bytes, align 4, 7 cache lines, 2 of padding (0.5 %)
    offset   size  type     name
         0     60  u8[60]   a
        60      4  u32      b
        64 -------------------------------------------------------------
        64     62  u8[62]   c
  ·    126      2  padding  (padding)
       128 -------------------------------------------------------------
       128      4  u32      d
       132    300  u8[300]  e  lines 2 to 6
       432

";
    assert_eq!(text, expected);
}

#[test]
fn a_better_order_is_proposed_and_nothing_changed() {
    let model = model(TEXT);
    let expected = "struct a.Mixed: 16 instead of 24 bytes, saves 8\n    u64 b;\n    u32 d;\n    u8 a;\n    u8 c;\n";
    assert_eq!(report::suggest_order(&model), expected);
    let good = common::model("package a; struct S { u64 b; u32 d; u8 a; reserved u8[3]; }");
    assert_eq!(report::suggest_order(&good), "");
}

#[cfg(feature = "json")]
mod json {
    use super::*;
    use serde_json::{Value, json};

    fn parsed(text: &str) -> Value {
        serde_json::from_str(&report::json(&model(text))).unwrap()
    }

    #[test]
    fn one_package_is_one_object() {
        let report = parsed(TEXT);
        assert_eq!(report["package"], "a");
        let mixed = &report["types"][1];
        assert_eq!(
            (&mixed["name"], &mixed["kind"]),
            (&json!("Mixed"), &json!("struct"))
        );
        assert_eq!((&mixed["size"], &mixed["align"]), (&json!(24), &json!(8)));
        assert_eq!(
            mixed["fields"][1],
            json!({ "name": "_pad0", "offset": 1, "size": 7, "padding": true, "reserved": false, "type": "padding" })
        );
        assert_eq!(report["types"][2]["arms"][1]["tag"], 1);
        let store = &report["interfaces"][0];
        assert_eq!(store["abi_hash"].as_str().unwrap().len(), 32);
        let get = &store["methods"][0];
        assert_eq!(
            (&get["name"], &get["id"], &get["kind"]),
            (&json!("get"), &json!(1), &json!("call"))
        );
        assert_eq!(get["request"]["name"], "Store.get.request");
        assert_eq!(get["request"]["kind"], "request");
        assert_eq!(get["response"]["fields"][0]["name"], "result");
        assert_eq!(store["methods"][3]["response"], Value::Null);
        assert_eq!(store["methods"][4]["kind"], "event");
        assert_eq!(
            store["memory_per_connection"],
            json!({ "inproc": 12608, "shm": 16384, "rdma": 25088 })
        );
    }

    #[test]
    fn a_call_without_an_answer_has_an_empty_response() {
        let report = parsed("package a; interface I { void f(); }");
        let response = &report["interfaces"][0]["methods"][0]["response"];
        assert_eq!(
            (&response["size"], &response["fields"]),
            (&json!(0), &json!([]))
        );
    }

    #[test]
    fn several_inputs_are_an_array() {
        let inputs = [
            rpcidl::Input::new("a.idl", "package a; struct S { u8 x; }"),
            rpcidl::Input::new("b.idl", "package b; struct S { u8 x; }"),
        ];
        let model = rpcidl::compile(&inputs, &[], &rpcidl::MemoryLoader::new())
            .model
            .unwrap();
        let report: Value = serde_json::from_str(&report::json(&model)).unwrap();
        assert_eq!(
            (&report[0]["package"], &report[1]["package"]),
            (&json!("a"), &json!("b"))
        );
    }
}

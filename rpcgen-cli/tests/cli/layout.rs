//! `rpcgen layout` and `rpcgen ast`.

use serde_json::Value;

use crate::{Folder, KV, LONE};

#[test]
fn text_shows_fields_padding_and_costs() {
    let folder = Folder::new();
    folder.write("kv.idl", KV);
    let text = folder.run(&["layout", "kv.idl"]).exits(0).silent().stdout;
    for part in [
        "acme.kv@1.2",
        "Record",
        "padding",
        "IKvStore",
        "get",
        "touch",
        "per connection",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn json_has_the_promised_form() {
    let folder = Folder::new();
    folder.write("kv.idl", KV);
    let text = folder
        .run(&["layout", "--format", "json", "kv.idl"])
        .exits(0)
        .silent()
        .stdout;
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["package"], "acme.kv");
    let types = json["types"].as_array().unwrap();
    let record = types
        .iter()
        .find(|entry| entry["name"] == "Record")
        .unwrap();
    assert_eq!(
        (&record["kind"], &record["size"], &record["align"]),
        (&"struct".into(), &24.into(), &8.into())
    );
    let fields: Vec<_> = record["fields"].as_array().unwrap().iter().collect();
    let places: Vec<_> = fields
        .iter()
        .map(|field| {
            (
                field["offset"].as_u64().unwrap(),
                field["size"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(places, [(0, 1), (1, 7), (8, 8), (16, 1), (17, 7)]);
    let padding: Vec<_> = fields
        .iter()
        .map(|field| field["padding"].as_bool().unwrap())
        .collect();
    assert_eq!(padding, [false, true, false, false, true]);
    let interface = &json["interfaces"][0];
    assert_eq!(interface["name"], "IKvStore");
    assert_eq!(interface["abi_hash"].as_str().unwrap().len(), 32);
    let method = &interface["methods"][0];
    assert_eq!(
        (&method["name"], &method["id"], &method["kind"]),
        (&"get".into(), &1.into(), &"call".into())
    );
    assert_eq!(method["request"]["size"], 8);
    assert_eq!(method["response"]["size"], 24);
}

#[test]
fn suggests_an_order_that_saves_padding() {
    let folder = Folder::new();
    folder.write("kv.idl", KV).write("lone.idl", LONE);
    let text = folder
        .run(&["layout", "--suggest-order", "kv.idl"])
        .exits(0)
        .silent()
        .stdout;
    assert!(
        text.contains("Record") && text.contains("16 instead of 24"),
        "{text}"
    );
    let text = folder
        .run(&["layout", "--suggest-order", "lone.idl"])
        .exits(0)
        .stdout;
    assert!(text.contains("no struct"), "{text}");
    let run = folder.run(&["layout", "--suggest-order", "--format", "json", "kv.idl"]);
    run.exits(2).says("`--suggest-order` prints text only");
}

#[test]
fn the_tree_is_json() {
    let folder = Folder::new();
    folder.write("kv.idl", KV).write("lone.idl", LONE);
    let text = folder
        .run(&["ast", "--format", "json", "kv.idl"])
        .exits(0)
        .silent()
        .stdout;
    let json: Value = serde_json::from_str(&text).unwrap();
    assert!(json.to_string().contains("IKvStore"), "{json}");
    let both = folder
        .run(&["ast", "kv.idl", "lone.idl"])
        .exits(0)
        .silent()
        .stdout;
    serde_json::from_str::<Value>(&both).unwrap();
    folder
        .run(&["ast", "--format", "xml", "kv.idl"])
        .exits(2)
        .says("json");
    folder
        .write("bad.idl", "struct {")
        .run(&["ast", "bad.idl"])
        .exits(1);
}

//! The report for tools.

use serde_json::{Map, Value, json};

use crate::fingerprint::hex;
use crate::ir::{Interface, Method, MethodKind, Model, Package, Struct, TypeDef, TypeDefKind};

use super::{CACHE_LINE, Row, Shape, field_rows, kind, lane, rows, shape, type_name};

/// The layout of everything that the inputs declare: one object for one package, an array for several.
fn report(model: &Model) -> Value {
    let mut packages: Vec<Value> = model
        .packages
        .iter()
        .filter(|package| package.is_input)
        .map(|p| package(model, p))
        .collect();
    match packages.len() {
        1 => packages.remove(0),
        _ => Value::Array(packages),
    }
}

/// The layout report as text.
pub fn json(model: &Model) -> String {
    format!("{:#}\n", report(model))
}

fn package(model: &Model, package: &Package) -> Value {
    let types: Vec<Value> = package
        .types
        .iter()
        .map(|&id| declared(model, model.def(id)))
        .collect();
    let interfaces: Vec<Value> = package
        .interfaces
        .iter()
        .map(|&id| interface(model, package, model.interface(id)))
        .collect();
    let mut object = Map::new();
    object.insert("package".to_owned(), json!(package.name));
    if let Some(version) = package.version {
        object.insert(
            "version".to_owned(),
            json!(format!("{}.{}", version.major, version.minor)),
        );
    }
    object.insert("source".to_owned(), json!(package.source_name));
    object.insert("cache_line".to_owned(), json!(CACHE_LINE));
    object.insert("types".to_owned(), Value::Array(types));
    object.insert("interfaces".to_owned(), Value::Array(interfaces));
    Value::Object(object)
}

fn declared(model: &Model, def: &TypeDef) -> Value {
    let mut entry = entry(&def.name, kind(def), def.size, def.align, &rows(model, def));
    match &def.kind {
        TypeDefKind::Struct(_) => {}
        TypeDefKind::Union(node) => {
            let arms: Vec<Value> = node
                .arms
                .iter()
                .map(|arm| {
                    let ty = arm.ty.as_ref();
                    json!({
                        "name": arm.name,
                        "tag": integer(arm.tag),
                        "type": ty.map_or("void".to_owned(), |ty| type_name(model, ty)),
                        "offset": node.storage_offset,
                        "size": ty.map_or(0, |ty| model.size_of(ty)),
                    })
                })
                .collect();
            entry.insert("closed".to_owned(), json!(node.closed));
            entry.insert("arms".to_owned(), Value::Array(arms));
        }
        TypeDefKind::Enum(node) => {
            let members: Vec<Value> = node
                .members
                .iter()
                .map(|member| json!({ "name": member.name, "value": integer(member.value) }))
                .collect();
            entry.insert("repr".to_owned(), json!(node.repr.keyword()));
            entry.insert("closed".to_owned(), json!(node.closed));
            entry.insert("members".to_owned(), Value::Array(members));
        }
    }
    Value::Object(entry)
}

fn entry(name: &str, kind: &str, size: u32, align: u32, rows: &[Row]) -> Map<String, Value> {
    let fields: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "name": row.name,
                "offset": row.offset,
                "size": row.size,
                "padding": row.padding,
                "reserved": row.reserved,
                "type": row.ty,
            })
        })
        .collect();
    let mut object = Map::new();
    object.insert("name".to_owned(), json!(name));
    object.insert("kind".to_owned(), json!(kind));
    object.insert("size".to_owned(), json!(size));
    object.insert("align".to_owned(), json!(align));
    object.insert("fields".to_owned(), Value::Array(fields));
    object
}

/// Numbers that every reader of JSON takes whole; greater ones as text.
fn integer(value: i128) -> Value {
    match i64::try_from(value) {
        Ok(value) => json!(value),
        Err(_) => {
            u64::try_from(value).map_or_else(|_| json!(value.to_string()), |value| json!(value))
        }
    }
}

fn interface(model: &Model, package: &Package, interface: &Interface) -> Value {
    let mut methods: Vec<&Method> = interface.methods.iter().collect();
    methods.sort_by_key(|method| method.id);
    let methods: Vec<Value> = methods
        .iter()
        .map(|method| self::method(model, interface, method))
        .collect();
    let lane = lane(interface);
    json!({
        "name": interface.name,
        "package": package.name,
        "abi_hash": hex(&interface.abi_hash),
        "base": interface.base.map(|base| model.interface(base).name.clone()),
        "slot": { "request": lane.request, "response": lane.response, "size": lane.slot(), "event": lane.event },
        "memory_per_connection": {
            "inproc": lane.inproc_bytes(),
            "shm": lane.shm_bytes(),
            "rdma": lane.rdma_bytes(),
        },
        "methods": methods,
    })
}

fn method(model: &Model, interface: &Interface, method: &Method) -> Value {
    let word = match method.kind {
        MethodKind::Call => "call",
        MethodKind::Oneway => "oneway",
        MethodKind::Event => "event",
    };
    let slot = match shape(method) {
        Shape::OneLine => "one line",
        Shape::InPlace => "in place",
        Shape::InARow => "split, overlaid in a row",
        Shape::Split => "split",
        Shape::OneWay => "one way",
    };
    let message = |what: &str, message: &Struct| {
        let name = format!("{}.{}.{what}", interface.name, method.name);
        Value::Object(entry(
            &name,
            what,
            message.size,
            message.align,
            &field_rows(model, &message.fields),
        ))
    };
    let response = if method.kind == MethodKind::Call {
        message("response", &method.response)
    } else {
        Value::Null
    };
    json!({
        "name": method.name,
        "id": method.id,
        "kind": word,
        "declared_in": method.declared_in,
        "throws": method.throws.map(|id| model.def(id).name.clone()),
        "in_place": method.in_place,
        "slot": slot,
        "request": message("request", &method.request),
        "response": response,
    })
}

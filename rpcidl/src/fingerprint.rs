//! The fingerprint of an interface: 128 bits over a canonical text of everything that both ends must agree on.
//!
//! Each line of the text is a canonical part, a tab, and the readable name of what the line describes. Only the
//! canonical parts are hashed, so names, comments, defaults and tuning may change freely; the names are there so
//! that two texts can be compared by people.
//!
//! A type is written out where it is first met and named by its number afterwards. Types of the same shape count
//! as one, so neither the names nor the order of declarations matter.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::diag::{Code, Diagnostic};
use crate::ir::{
    BufferAccess, Direction, Enum, EnumKind, Field, FieldKind, Interface, Method, MethodKind,
    Model, Struct, Type, TypeDef, TypeDefKind, Union,
};
use crate::limits;

/// First line of every text; changes when the form of the text changes.
const HEADER: &str = "rpcidl abi 1";

/// Gives every interface of the model its text and its hash.
///
/// Returns the error for interfaces that have too much to describe.
pub(crate) fn fingerprint(model: &mut Model) -> Option<Diagnostic> {
    let shapes = shapes(model);
    let mut texts = Vec::with_capacity(model.interfaces.len());
    let mut total = 0;
    for interface in &model.interfaces {
        let text = text(model, &shapes, interface);
        total += text.len();
        if total > limits::ABI_TEXT_BYTES {
            let error = Diagnostic::error(
                Code::E0410,
                interface.span,
                format!(
                    "the layouts of all interfaces take more than {} bytes to describe",
                    limits::ABI_TEXT_BYTES
                ),
            )
            .help("split the package, or let methods share structs");
            return Some(error);
        }
        texts.push(text);
    }
    for (interface, text) in model.interfaces.iter_mut().zip(texts) {
        interface.abi_hash = hash(&text);
        interface.abi_text = text;
    }
    None
}

/// The first 128 bits of SHA-256 over the canonical parts of a text.
pub fn hash(text: &str) -> [u8; 16] {
    let mut digest = Sha256::new();
    for line in text.lines() {
        digest.update(canonical(line).as_bytes());
        digest.update(b"\n");
    }
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(digest.finalize()) {
        *to = from;
    }
    first
}

/// A hash as 32 hexadecimal digits.
pub fn hex(hash: &[u8; 16]) -> String {
    hash.iter()
        .fold(String::with_capacity(32), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Says where two texts first differ in what both ends must agree on; `None` if they agree.
pub fn first_difference(ours: &str, theirs: &str) -> Option<String> {
    let mut theirs_lines = theirs.lines();
    for our_line in ours.lines() {
        let Some(their_line) = theirs_lines.next() else {
            return Some(format!("{} is missing there", described(our_line)));
        };
        if canonical(our_line) == canonical(their_line) {
            continue;
        }
        let (our_name, their_name) = (readable(our_line), readable(their_line));
        let (here, there) = (canonical(our_line).trim(), canonical(their_line).trim());
        return Some(if our_name == their_name {
            format!("`{our_name}` is `{here}` here and `{there}` there")
        } else {
            format!(
                "`{our_name}` is `{here}` here, where there is `{their_name}` as `{there}` there"
            )
        });
    }
    theirs_lines
        .next()
        .map(|line| format!("{} is only there", described(line)))
}

fn described(line: &str) -> String {
    format!("`{}` as `{}`", readable(line), canonical(line).trim())
}

fn canonical(line: &str) -> &str {
    line.split_once('\t').map_or(line, |(part, _)| part)
}

fn readable(line: &str) -> &str {
    line.split_once('\t').map_or("", |(_, name)| name)
}

/// The number of each type's shape: equal for types that are laid out and validated alike.
fn shapes(model: &Model) -> Vec<usize> {
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut shapes: Vec<usize> = Vec::with_capacity(model.types.len());
    for def in &model.types {
        let mut key = String::new();
        let mut writer = Writer {
            model,
            shapes: &shapes,
            numbers: None,
            text: &mut key,
        };
        writer.head(def);
        writer.name(&[]);
        writer.body(def, 0);
        let next = known.len();
        // The names after the tabs are no part of the shape.
        let mut shape = String::with_capacity(key.len());
        for line in key.lines() {
            shape.push_str(canonical(line));
            shape.push('\n');
        }
        shapes.push(*known.entry(shape).or_insert(next));
    }
    shapes
}

fn text(model: &Model, shapes: &[usize], interface: &Interface) -> String {
    let mut text = String::new();
    let package = &model.package(interface.package).name;
    let mut writer = Writer {
        model,
        shapes,
        numbers: Some(BTreeMap::new()),
        text: &mut text,
    };
    writer.text.push_str(HEADER);
    writer.name(&[package, &interface.name]);
    let mut methods: Vec<&Method> = interface.methods.iter().collect();
    methods.sort_by_key(|method| method.id);
    for method in methods {
        writer.method(method);
    }
    text
}

struct Writer<'a> {
    model: &'a Model,
    /// The shape of each type before the one being written.
    shapes: &'a [usize],
    /// The number of each shape in the text so far; `None` names types by their shape and never writes them out.
    numbers: Option<BTreeMap<usize, usize>>,
    text: &'a mut String,
}

impl Writer<'_> {
    /// Writes a part of a line. Writing to a string cannot fail.
    fn put(&mut self, part: std::fmt::Arguments<'_>) {
        let _ = self.text.write_fmt(part);
    }

    fn indent(&mut self, depth: usize) {
        for _ in 0..depth {
            self.text.push_str("  ");
        }
    }

    /// Ends the canonical part of a line and adds the readable one.
    fn name(&mut self, path: &[&str]) {
        self.text.push('\t');
        for (index, part) in path.iter().enumerate() {
            if index > 0 {
                self.text.push('.');
            }
            self.text.push_str(part);
        }
        self.text.push('\n');
    }

    fn method(&mut self, method: &Method) {
        let kind = match method.kind {
            MethodKind::Call => "call",
            MethodKind::Oneway => "oneway",
            MethodKind::Event => "event",
        };
        self.put(format_args!("{} {kind}", method.id));
        if let Some(TypeDefKind::Enum(error)) = method.throws.map(|id| &self.model.def(id).kind) {
            self.put(format_args!(" throws {}", error.repr.keyword()));
        }
        self.name(&[&method.name]);
        self.message("request", method, &method.request);
        if method.kind == MethodKind::Call {
            self.message("response", method, &method.response);
        }
    }

    fn message(&mut self, word: &str, method: &Method, message: &Struct) {
        self.indent(1);
        self.put(format_args!("{word} {} {}", message.size, message.align));
        self.name(&[&method.name, word]);
        for field in &message.fields {
            let FieldKind::Value { ty, .. } = &field.kind else {
                continue;
            };
            let param = method.params.iter().find(|param| param.name == field.name);
            let direction = match param.map(|param| param.direction) {
                // A parameter that is only `in` may be called `result` too; it is no part of the response.
                Some(Direction::In) if word == "request" => "in",
                Some(Direction::Out) => "out",
                Some(Direction::InOut) => "inout",
                Some(Direction::In) | None => "result",
            };
            self.indent(2);
            self.text.push_str(direction);
            self.text.push(' ');
            self.value(2, field, ty, &[&method.name, word, &field.name]);
        }
    }

    /// The rest of a field's line, and its type if that is new.
    fn value(&mut self, depth: usize, field: &Field, ty: &Type, path: &[&str]) {
        self.put(format_args!("{} {} ", field.offset, field.size));
        self.form(ty);
        self.name(path);
        self.first_met(ty, depth + 1);
    }

    /// Writes out the declared type inside `ty` if it was not met before.
    fn first_met(&mut self, ty: &Type, depth: usize) {
        match self.model.strip(ty) {
            Type::Def(id) => {
                let def = self.model.def(*id);
                if is_open_enumeration(def) {
                    return;
                }
                let shape = self.shapes.get(id.0 as usize).copied().unwrap_or(0);
                let Some(numbers) = &mut self.numbers else {
                    return;
                };
                let next = numbers.len();
                if let Entry::Vacant(entry) = numbers.entry(shape) {
                    entry.insert(next);
                    self.body(def, depth);
                }
            }
            Type::Vec { elem, .. } | Type::Array { elem, .. } | Type::Optional(elem) => {
                self.first_met(elem, depth);
            }
            _ => {}
        }
    }

    /// A type within a line.
    fn form(&mut self, ty: &Type) {
        match self.model.strip(ty) {
            Type::Scalar(scalar) => self.text.push_str(scalar.keyword()),
            Type::String { bound } => self.put(format_args!("string {bound}")),
            Type::Bytes { bound } => self.put(format_args!("bytes {bound}")),
            Type::Vec { elem, bound } => {
                self.put(format_args!("vec {bound} of "));
                self.form(elem);
            }
            Type::Array { elem, len } => {
                self.put(format_args!("array {len} of "));
                self.form(elem);
            }
            Type::Optional(inner) => {
                self.text.push_str("optional ");
                self.form(inner);
            }
            Type::Buffer(BufferAccess::Read) => self.text.push_str("buffer read"),
            Type::Buffer(BufferAccess::Write) => self.text.push_str("buffer write"),
            // Stripped above.
            Type::Alias(_) => {}
            Type::Def(id) => {
                let def = self.model.def(*id);
                if !is_open_enumeration(def) {
                    let shape = self.shapes.get(id.0 as usize).copied().unwrap_or(0);
                    let number = match &self.numbers {
                        // What is about to be written out gets the next number.
                        Some(numbers) => numbers.get(&shape).copied().unwrap_or(numbers.len()),
                        None => shape,
                    };
                    self.put(format_args!("#{number} "));
                }
                self.head(def);
            }
        }
    }

    /// What a declared type is, in a few words.
    fn head(&mut self, def: &TypeDef) {
        match &def.kind {
            TypeDefKind::Struct(_) => self.put(format_args!("struct {} {}", def.size, def.align)),
            TypeDefKind::Union(node) => {
                let open = if node.closed { "closed" } else { "open" };
                self.put(format_args!(
                    "{open} union {} {} {}",
                    node.tag.keyword(),
                    def.size,
                    def.align
                ));
            }
            TypeDefKind::Enum(node) => {
                let open = if node.closed { "closed" } else { "open" };
                let word = match node.kind {
                    EnumKind::Enum => "enum",
                    EnumKind::Flags => "flags",
                    EnumKind::Error => "error",
                };
                self.put(format_args!("{open} {word} {}", node.repr.keyword()));
            }
        }
    }

    /// The parts of a declared type, a line each.
    fn body(&mut self, def: &TypeDef, depth: usize) {
        match &def.kind {
            TypeDefKind::Struct(node) => {
                for field in &node.fields {
                    match &field.kind {
                        FieldKind::Value { ty, .. } => {
                            self.indent(depth);
                            self.value(depth, field, ty, &[&def.name, &field.name]);
                        }
                        FieldKind::Reserved => {
                            self.indent(depth);
                            self.put(format_args!("{} {} reserved", field.offset, field.size));
                            self.name(&[&def.name, &field.name]);
                        }
                        // Pads follow from the offsets.
                        FieldKind::Pad => {}
                    }
                }
            }
            TypeDefKind::Union(node) => self.arms(def, node, depth),
            TypeDefKind::Enum(node) => {
                self.indent(depth);
                self.values(node);
                self.name(&[&def.name]);
            }
        }
    }

    fn arms(&mut self, def: &TypeDef, node: &Union, depth: usize) {
        let mut arms: Vec<_> = node.arms.iter().collect();
        arms.sort_by_key(|arm| arm.tag);
        for arm in arms {
            self.indent(depth);
            self.put(format_args!("tag {} ", arm.tag));
            match &arm.ty {
                None => {
                    self.text.push_str("void");
                    self.name(&[&def.name, &arm.name]);
                }
                Some(ty) => {
                    self.put(format_args!(
                        "at {} {} ",
                        node.storage_offset,
                        self.model.size_of(ty)
                    ));
                    self.form(ty);
                    self.name(&[&def.name, &arm.name]);
                    self.first_met(ty, depth + 1);
                }
            }
        }
    }

    /// The values that a closed enumeration lets through.
    fn values(&mut self, node: &Enum) {
        if !node.closed {
            self.text.push_str("any");
        } else if node.kind == EnumKind::Flags {
            let bits = node
                .members
                .iter()
                .fold(0, |bits, member| bits | member.value);
            self.put(format_args!("bits 0x{bits:x}"));
        } else {
            let mut values: Vec<i128> = node.members.iter().map(|member| member.value).collect();
            values.sort_unstable();
            values.dedup();
            self.text.push_str("values");
            for value in values {
                self.put(format_args!(" {value}"));
            }
        }
    }
}

/// Nothing but its carrier matters for these, because any value is let through.
fn is_open_enumeration(def: &TypeDef) -> bool {
    matches!(&def.kind, TypeDefKind::Enum(node) if !node.closed)
}

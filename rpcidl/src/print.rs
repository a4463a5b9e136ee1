//! Prints a tree as a definition: for trees that were not read from one, such as those of Rust traits.
//!
//! The formatter keeps comments and works on a text; this needs nothing but the tree.

mod exprs;

use std::fmt::Write as _;

use crate::ast::{
    AnnotationValue, Attrs, Direction, Enum, EnumKind, File, Interface, InterfaceMember, Item,
    Method, Path, ReservedNumbers, Struct, StructMember, Type, TypeKind, Union,
};

/// A whole file.
pub fn file(file: &File) -> String {
    let mut p = Printer::default();
    for doc in &file.docs {
        p.doc("//!", &doc.text);
    }
    if let Some(package) = &file.package {
        let mut line = format!("package {}", dotted(&package.path));
        if let Some((major, minor)) = &package.version {
            let number = |int: &crate::ast::Int| {
                int.value
                    .map_or_else(String::new, |value| value.to_string())
            };
            let _ = write!(line, "@{}.{}", number(major), number(minor));
        }
        p.line(&format!("{line};"));
    }
    if !file.imports.is_empty() {
        p.blank();
    }
    for import in &file.imports {
        let rename = import
            .rename
            .as_ref()
            .map_or_else(String::new, |name| format!(" as {}", name.text));
        p.line(&format!("import {}{rename};", dotted(&import.path)));
    }
    for item in &file.items {
        p.blank();
        p.item(item);
    }
    p.out
}

/// One declaration.
pub fn item(item: &Item) -> String {
    let mut p = Printer::default();
    p.item(item);
    p.out
}

/// A type, as it is written in a definition.
pub fn ty(ty: &Type) -> String {
    match &ty.kind {
        // The brackets of an array of arrays stand from the outer to the inner one.
        TypeKind::Array(..) => {
            let mut inner = ty;
            let mut lengths = String::new();
            while let TypeKind::Array(elem, len) = &inner.kind {
                let _ = write!(lengths, "[{}]", exprs::expr(len));
                inner = elem;
            }
            self::ty(inner) + &lengths
        }
        TypeKind::Void => "void".to_owned(),
        TypeKind::Named(path) => dotted(path),
        TypeKind::String(bound) => format!("string{}", bounded(bound.as_deref())),
        TypeKind::Bytes(bound) => format!("bytes{}", bounded(bound.as_deref())),
        TypeKind::Vec(elem, bound) => {
            let elem = elem.as_deref().map_or_else(String::new, self::ty);
            let bound = bound
                .as_deref()
                .map_or_else(String::new, |bound| format!(", {}", exprs::bound(bound)));
            format!("vec<{elem}{bound}>")
        }
        TypeKind::Optional(inner) => format!("{}?", self::ty(inner)),
        TypeKind::Buffer(access) => match access {
            Some(access) => format!("buffer<{}>", access.text),
            None => "buffer".to_owned(),
        },
        TypeKind::Invalid => "/* unreadable */".to_owned(),
    }
}

fn bounded(bound: Option<&crate::ast::Expr>) -> String {
    bound.map_or_else(String::new, |bound| format!("<{}>", exprs::bound(bound)))
}

/// A path with its dots.
fn dotted(path: &Path) -> String {
    path.segments
        .iter()
        .map(|name| name.text.as_str())
        .collect::<Vec<_>>()
        .join(".")
}

#[derive(Default)]
struct Printer {
    out: String,
    depth: usize,
}

impl Printer {
    fn line(&mut self, text: &str) {
        if !text.is_empty() {
            for _ in 0..self.depth {
                self.out.push_str("    ");
            }
            self.out.push_str(text);
        }
        self.out.push('\n');
    }

    /// An empty line, unless one would open the file or a block.
    fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") && !self.out.ends_with("{\n") {
            self.out.push('\n');
        }
    }

    fn doc(&mut self, marker: &str, text: &str) {
        let space = if text.is_empty() { "" } else { " " };
        self.line(&format!("{marker}{space}{text}"));
    }

    fn open(&mut self, head: &str) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    fn attrs(&mut self, attrs: &Attrs) {
        for doc in &attrs.docs {
            self.doc("///", &doc.text);
        }
        for annotation in annotations(attrs) {
            self.line(&annotation);
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Const(it) => {
                self.attrs(&it.attrs);
                self.line(&format!(
                    "const {} {} = {};",
                    ty(&it.ty),
                    it.name.text,
                    exprs::expr(&it.value)
                ));
            }
            Item::Alias(it) => {
                self.attrs(&it.attrs);
                self.line(&format!("alias {} = {};", it.name.text, ty(&it.ty)));
            }
            Item::Enum(it) => self.enumeration(it),
            Item::Struct(it) => self.structure(it),
            Item::Union(it) => self.union(it),
            Item::Interface(it) => self.interface(it),
            Item::Invalid(_) => {}
        }
    }

    fn enumeration(&mut self, it: &Enum) {
        self.attrs(&it.attrs);
        let closed = if it.closed.is_some() { "closed " } else { "" };
        let word = match it.kind {
            EnumKind::Enum => "enum",
            EnumKind::Flags => "flags",
            EnumKind::Error => "error",
        };
        let repr = it
            .repr
            .as_ref()
            .map_or_else(String::new, |repr| format!(" : {}", ty(repr)));
        self.open(&format!("{closed}{word} {}{repr}", it.name.text));
        for member in &it.members {
            self.attrs(&member.attrs);
            let value = member
                .value
                .as_ref()
                .map_or_else(String::new, |value| format!(" = {}", exprs::expr(value)));
            self.line(&format!("{}{value},", member.name.text));
        }
        for numbers in &it.reserved {
            self.line(&format!("{},", reserved(numbers)));
        }
        self.close();
    }

    fn structure(&mut self, it: &Struct) {
        self.attrs(&it.attrs);
        self.open(&format!("struct {}", it.name.text));
        for member in &it.members {
            match member {
                StructMember::Field(field) => {
                    self.attrs(&field.attrs);
                    let default = field
                        .default
                        .as_ref()
                        .map_or_else(String::new, |value| format!(" = {}", exprs::expr(value)));
                    self.line(&format!("{} {}{default};", ty(&field.ty), field.name.text));
                }
                StructMember::Reserved { ty, .. } => {
                    self.line(&format!("reserved {};", self::ty(ty)));
                }
                StructMember::Item(item) => self.item(item),
                StructMember::Invalid(_) => {}
            }
        }
        self.close();
    }

    fn union(&mut self, it: &Union) {
        self.attrs(&it.attrs);
        let closed = if it.closed.is_some() { "closed " } else { "" };
        let tag = it
            .tag
            .as_ref()
            .map_or_else(String::new, |tag| format!(" : {}", ty(tag)));
        self.open(&format!("{closed}union {}{tag}", it.name.text));
        for arm in &it.arms {
            self.attrs(&arm.attrs);
            self.line(&format!(
                "{}: {} {};",
                exprs::expr(&arm.tag),
                ty(&arm.ty),
                arm.name.text
            ));
        }
        for numbers in &it.reserved {
            self.line(&format!("{};", reserved(numbers)));
        }
        self.close();
    }

    fn interface(&mut self, it: &Interface) {
        self.attrs(&it.attrs);
        let oneway = if it.oneway.is_some() { "oneway " } else { "" };
        let base = it
            .base
            .as_ref()
            .map_or_else(String::new, |base| format!(" extends {}", dotted(base)));
        self.open(&format!("{oneway}interface {}{base}", it.name.text));
        for member in &it.members {
            match member {
                InterfaceMember::Method(method) => self.method(method),
                InterfaceMember::Reserved(numbers) => self.line(&format!("{};", reserved(numbers))),
                InterfaceMember::Item(item) => self.item(item),
                InterfaceMember::Invalid(_) => {}
            }
        }
        self.close();
    }

    fn method(&mut self, it: &Method) {
        self.attrs(&it.attrs);
        let mut line = String::new();
        for (word, place) in [("oneway ", it.oneway), ("event ", it.event)] {
            if place.is_some() {
                line.push_str(word);
            }
        }
        let params: Vec<String> = it
            .params
            .iter()
            .map(|param| {
                let mut text: String = annotations(&param.attrs)
                    .map(|annotation| annotation + " ")
                    .collect();
                text.push_str(match param.direction {
                    Some((Direction::In, _)) => "in ",
                    Some((Direction::Out, _)) => "out ",
                    Some((Direction::InOut, _)) => "inout ",
                    None => "",
                });
                let _ = write!(text, "{} {}", ty(&param.ty), param.name.text);
                text
            })
            .collect();
        let _ = write!(
            line,
            "{} {}({})",
            ty(&it.result),
            it.name.text,
            params.join(", ")
        );
        if let Some(throws) = &it.throws {
            let _ = write!(line, " throws {}", dotted(throws));
        }
        if let Some(id) = &it.id {
            let _ = write!(line, " = {}", exprs::expr(id));
        }
        line.push(';');
        self.line(&line);
    }
}

fn reserved(numbers: &ReservedNumbers) -> String {
    let last = numbers
        .last
        .as_ref()
        .map_or_else(String::new, |last| format!("..{}", exprs::expr(last)));
    format!("reserved {}{last}", exprs::expr(&numbers.first))
}

fn annotations(attrs: &Attrs) -> impl Iterator<Item = String> {
    attrs.annotations.iter().map(|annotation| {
        let args: Vec<String> = annotation
            .args
            .iter()
            .map(|arg| {
                let value = match &arg.value {
                    // A version is no number: 1.10 is not 1.1.
                    AnnotationValue::Expr(value) if annotation.name.text == "Since" => {
                        exprs::version(value)
                    }
                    AnnotationValue::Expr(value) => exprs::expr(value),
                    AnnotationValue::Set(names, _) => {
                        let names: Vec<&str> =
                            names.iter().map(|name| name.text.as_str()).collect();
                        format!("{{{}}}", names.join(", "))
                    }
                };
                arg.key
                    .as_ref()
                    .map_or_else(String::new, |key| format!("{} = ", key.text))
                    + &value
            })
            .collect();
        let args = if args.is_empty() {
            String::new()
        } else {
            format!("({})", args.join(", "))
        };
        format!("@{}{args}", annotation.name.text)
    })
}

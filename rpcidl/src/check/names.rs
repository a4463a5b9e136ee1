//! Names within one scope: twice the same, or the same once they are written the Rust way.

use std::collections::BTreeMap;

use heck::{ToShoutySnakeCase, ToSnakeCase, ToUpperCamelCase};

use super::Checker;
use crate::ast;
use crate::diag::{Code, Diagnostic};
use crate::resolve::{Node, duplicate, scalar};
use crate::source::Span;

/// How a name is written in Rust.
pub(super) type Case = fn(&str) -> String;

/// Functions, fields and parameters.
pub(super) fn snake(name: &str) -> String {
    // Most names are written this way already, and there are many of them.
    let bytes = name.as_bytes();
    let is_snake = bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_')
        && !name.contains("__")
        && !name.ends_with('_');
    let name = if is_snake {
        name.to_owned()
    } else {
        name.to_snake_case()
    };
    // These cannot be raw identifiers, so the generated name has a tail.
    match name.as_str() {
        "self" | "super" | "crate" => format!("{name}_"),
        _ => name,
    }
}

/// Types and variants.
pub(super) fn camel(name: &str) -> String {
    name.to_upper_camel_case()
}

/// Constants.
pub(super) fn shouty(name: &str) -> String {
    name.to_shouty_snake_case()
}

/// The names of one scope so far.
pub(super) struct Names<'a> {
    case: Case,
    exact: BTreeMap<&'a str, Span>,
    written: BTreeMap<String, (&'a str, Span)>,
}

impl<'a> Names<'a> {
    /// An empty scope whose names are written like `case`.
    pub(super) fn new(case: Case) -> Self {
        Self {
            case,
            exact: BTreeMap::new(),
            written: BTreeMap::new(),
        }
    }

    /// Adds a name; a clash is returned as an error.
    pub(super) fn add(&mut self, name: &'a ast::Name) -> Option<Diagnostic> {
        if let Some(&first) = self.exact.get(name.text.as_str()) {
            return Some(duplicate(&name.text, name.span, first));
        }
        self.exact.insert(&name.text, name.span);
        if let Some(error) = made_up(name) {
            return Some(error);
        }
        self.add_written((self.case)(&name.text), &name.text, name.span)
    }

    fn add_written(&mut self, written: String, name: &'a str, span: Span) -> Option<Diagnostic> {
        match self.written.get(&written) {
            Some((first, place)) => Some(
                Diagnostic::error(
                    Code::E0204,
                    span,
                    format!("`{name}` and `{first}` have one name in Rust, `{written}`"),
                )
                .also(*place, format!("`{first}` is declared here"))
                .help("rename one of them"),
            ),
            None => {
                self.written.insert(written, (name, span));
                None
            }
        }
    }
}

/// Names that the compiler makes up itself, and names that Rust cannot say.
fn made_up(name: &ast::Name) -> Option<Diagnostic> {
    let text = name.text.as_str();
    let numbered = |prefix: &str| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    if numbered("_pad") || numbered("_reserved") {
        return Some(
            Diagnostic::error(
                Code::E0205,
                name.span,
                format!("`{text}` is a name that the compiler makes up"),
            )
            .help(
                "choose another name; padding is added unasked, and `reserved u8[N];` keeps room",
            ),
        );
    }
    if text.bytes().all(|b| b == b'_') {
        return Some(
            Diagnostic::error(
                Code::E0205,
                name.span,
                format!("`{text}` says nothing and is no name in Rust"),
            )
            .help("choose a name with a letter"),
        );
    }
    None
}

impl Checker<'_, '_> {
    /// Checks the names of declarations.
    pub(super) fn names(&mut self) {
        // Nested types are written with their owner's name before theirs, so all types of a file share one scope.
        let mut types: Vec<Names<'_>> =
            self.table.files.iter().map(|_| Names::new(camel)).collect();
        let mut consts: BTreeMap<(usize, Option<crate::resolve::DeclId>), Names<'_>> =
            BTreeMap::new();
        let mut found = Vec::new();
        for id in self.table.ids() {
            let decl = self.table.decl(id);
            let name = decl.node.name();
            if let Some(error) = made_up(name) {
                found.push(error);
                continue;
            }
            // Twice the same name was reported when the scopes were built.
            let scope = match decl.owner {
                Some(owner) => &self.table.decl(owner).nested,
                None => &self.table.file(decl.file).items,
            };
            if scope.get(name.text.as_str()) != Some(&id) {
                continue;
            }
            if let Node::Const(_) = decl.node {
                let names = consts
                    .entry((decl.file, decl.owner))
                    .or_insert_with(|| Names::new(shouty));
                found.extend(names.add_written(shouty(&name.text), &name.text, name.span));
                continue;
            }
            if scalar(&name.text).is_some() || name.text == "void" {
                found.push(
                    Diagnostic::error(
                        Code::E0205,
                        name.span,
                        format!(
                            "`{}` is a type of the language and cannot be declared",
                            name.text
                        ),
                    )
                    .help("choose another name"),
                );
                continue;
            }
            if let Some(names) = types.get_mut(decl.file) {
                found.extend(names.add_written(camel(&decl.path), &decl.path, name.span));
            }
        }
        self.findings.extend(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_to_snake_case_leads_to_the_same() {
        for name in [
            "a", "a_b", "a1_2b", "a__b", "a_", "_a", "aB", "AB", "a1B", "_", "a_1",
        ] {
            assert_eq!(snake(name), name.to_snake_case(), "{name}");
        }
        assert_eq!(
            (snake("self"), snake("Self")),
            ("self_".to_owned(), "self_".to_owned())
        );
    }
}

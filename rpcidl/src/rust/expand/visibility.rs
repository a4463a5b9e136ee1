//! Gives generated items the visibility of the item that they are generated for.

use super::tokens::{inside, is_word, range, tokens};
use crate::rust::out::{Out, Patch};
use crate::source::Span;
use proc_macro2::{Delimiter, TokenTree};

/// Narrows every `pub` in a generated text. Rust refuses a private type in the interface of a public one, even in a private
/// module, so what is generated for a private item must say that it is private.
pub(super) fn narrow(patch: &mut Patch, text: &str, input: &str, vis: Option<Span>) {
    let written = vis.and_then(|vis| input.get(vis.range()));
    if written == Some("pub") {
        return;
    }
    walk(patch, &tokens(text), 0, written, input, vis);
}

fn walk(
    patch: &mut Patch,
    tokens: &[TokenTree],
    depth: usize,
    written: Option<&str>,
    input: &str,
    vis: Option<Span>,
) {
    let mut is_module = false;
    for (index, token) in tokens.iter().enumerate() {
        if is_word(Some(token), "pub") {
            let mut out = Out::default();
            match (depth, vis) {
                (0, Some(vis)) => out.copy(input, vis),
                _ => out.push(&at_depth(written, depth)),
            }
            patch.replace(range(token), out);
        }
        if is_word(Some(token), "mod") {
            is_module = true;
        }
        let delimiters = [Delimiter::Brace, Delimiter::Parenthesis, Delimiter::Bracket];
        let group = delimiters
            .into_iter()
            .find_map(|delimiter| inside(tokens.get(index), delimiter));
        if let Some(group) = group {
            walk(
                patch,
                &group,
                depth + usize::from(is_module),
                written,
                input,
                vis,
            );
            is_module = false;
        }
    }
}

/// A visibility as it is written some modules further in.
fn at_depth(written: Option<&str>, depth: usize) -> String {
    let written: String = written
        .unwrap_or("")
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    let supers = |count: usize| vec!["super"; count].join("::");
    let inner = written
        .strip_prefix("pub(")
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or("");
    match inner {
        "" | "self" if depth == 0 => String::new(),
        "" | "self" | "inself" if depth == 1 => "pub(super)".to_owned(),
        "" | "self" | "inself" => format!("pub(in {})", supers(depth)),
        "super" | "insuper" => format!("pub(in {})", supers(depth + 1)),
        "crate" | "incrate" => "pub(crate)".to_owned(),
        path => match path.strip_prefix("in") {
            Some(path) if path.starts_with("super::") => {
                format!("pub(in {}::{path})", supers(depth))
            }
            Some(path) => format!("pub(in {path})"),
            None => "pub".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::at_depth;

    #[test]
    fn further_in() {
        for (written, depth, inside) in [
            (None, 0, ""),
            (None, 1, "pub(super)"),
            (None, 2, "pub(in super::super)"),
            (Some("pub(crate)"), 2, "pub(crate)"),
            (Some("pub (super)"), 1, "pub(in super::super)"),
            (Some("pub(in crate::a)"), 1, "pub(in crate::a)"),
            (
                Some("pub(in super::super)"),
                2,
                "pub(in super::super::super::super)",
            ),
        ] {
            assert_eq!(at_depth(written, depth), inside, "{written:?} {depth}");
        }
    }
}

//! Fits the generated code of a message to the struct or enum that it takes the place of.

use proc_macro2::{Delimiter, TokenTree};

use super::Generate;
use super::tokens::{inside, is_sign, is_word, name, range, tokens};
use crate::emit::RustNames;
use crate::rust::attrs::Kept;
use crate::rust::enums::VariantShape;
use crate::rust::lower::bare;
use crate::rust::messages::FieldShape;
use crate::rust::out::{Out, Patch};

impl Generate<'_> {
    pub(super) fn structure(&self, emitted: &str, fields: &[FieldShape]) -> Out {
        let mut patch = Patch::default();
        let tokens = tokens(emitted);
        if let Some(at) = self.head(&mut patch, emitted, &tokens)
            && let Some(body) = inside(tokens.get(at), Delimiter::Brace)
        {
            self.fields(&mut patch, emitted, &body, fields);
        }
        patch.apply(emitted)
    }

    pub(super) fn enumeration(&self, emitted: &str, variants: &[VariantShape]) -> Out {
        let mut patch = Patch::default();
        let tokens = tokens(emitted);
        self.head(&mut patch, emitted, &tokens);
        let mut hidden = String::new();
        for variant in variants {
            let generated = RustNames::of_member(&bare(&variant.name));
            if generated != variant.name {
                let line = format!(
                    "#[doc(hidden)] #[allow(missing_docs)] pub const {generated}: Self = Self::{};",
                    variant.name
                );
                hidden.push_str(&line);
            }
        }
        for (index, token) in tokens.iter().enumerate() {
            let Some(body) = inside(Some(token), Delimiter::Brace) else {
                continue;
            };
            // The constants, then the macro that lists them in braces of its own.
            let before = index.checked_sub(2).and_then(|at| tokens.get(at));
            if is_word(before, "impl") {
                if !hidden.is_empty() {
                    insert(
                        &mut patch,
                        before.map_or(0, |token| range(token).start),
                        "#[allow(non_upper_case_globals)] ",
                    );
                }
                rename(&mut patch, &body, variants, true);
            } else if is_sign(index.checked_sub(1).and_then(|at| tokens.get(at)), '!') {
                for token in &body {
                    if let Some(list) = inside(Some(token), Delimiter::Brace) {
                        rename(&mut patch, &list, variants, false);
                    }
                }
            }
        }
        let mut out = patch.apply(emitted);
        if !hidden.is_empty() {
            // Other generated code names members in capitals.
            let name = &self.lowered.name.text;
            out.push(&format!(
                "#[doc(hidden)] #[allow(deprecated)] impl {} {{ {hidden} }}",
                crate::rust::lower::escaped(name)
            ));
        }
        out
    }

    /// Visibility, name and attributes of `pub struct Name`, and the index of what follows the name.
    fn head(&self, patch: &mut Patch, emitted: &str, tokens: &[TokenTree]) -> Option<usize> {
        let at = tokens
            .iter()
            .position(|token| is_word(Some(token), "struct"))?;
        let word = tokens.get(at)?;
        let before = at
            .checked_sub(1)
            .and_then(|at| tokens.get(at))
            .filter(|token| is_word(Some(token), "pub"));
        let start = before.map_or(range(word).start, |token| range(token).start);
        let mut out = self.kept(&self.lowered.kept);
        if let Some(vis) = self.lowered.vis {
            out.copy(self.text, vis);
            out.push(" ");
        }
        patch.replace(start..range(word).start, out);
        let name = tokens.get(at + 1)?;
        patch.mark(emitted, range(name), self.lowered.name.span);
        Some(at + 2)
    }

    /// Attributes that are handed on.
    pub(super) fn kept(&self, kept: &[Kept]) -> Out {
        let mut out = Out::default();
        for kept in kept {
            match kept {
                Kept::Whole(span) => out.copy(self.text, *span),
                Kept::Derive(span) => {
                    out.push("#[derive(");
                    out.copy(self.text, *span);
                    out.push(")]");
                }
            }
            out.push("\n");
        }
        out
    }

    /// Each field is printed as attributes, `pub name: Type,`.
    fn fields(&self, patch: &mut Patch, emitted: &str, body: &[TokenTree], fields: &[FieldShape]) {
        let mut at = 0;
        while at < body.len() {
            let (word, ident, colon) = (body.get(at), name(body.get(at + 1)), body.get(at + 2));
            let is_field = is_word(word, "pub") && is_sign(colon, ':');
            let (Some(word), Some(ident), true) = (word, ident, is_field) else {
                at += 1;
                continue;
            };
            let first = at + 3;
            let last = end_of_type(body, first);
            at = last;
            // Padding is nobody's field.
            let Some(shape) = fields.iter().find(|shape| *ident == shape.name) else {
                continue;
            };
            let mut out = self.kept(&shape.kept);
            if let Some(vis) = shape.vis {
                out.copy(self.text, vis);
                out.push(" ");
            }
            patch.replace(range(word).start..ident.span().byte_range().start, out);
            patch.mark(emitted, ident.span().byte_range(), shape.place);
            if let (Some(ty), Some(first), Some(last)) = (
                shape.ty,
                body.get(first),
                last.checked_sub(1).and_then(|at| body.get(at)),
            ) {
                let mut out = Out::default();
                out.copy(self.text, ty);
                patch.replace(range(first).start..range(last).end, out);
            }
        }
    }
}

/// The index of the comma after a type.
fn end_of_type(body: &[TokenTree], first: usize) -> usize {
    let mut depth = 0usize;
    for (index, token) in body.iter().enumerate().skip(first) {
        match token {
            TokenTree::Punct(sign) if sign.as_char() == '<' => depth += 1,
            TokenTree::Punct(sign) if sign.as_char() == '>' => depth = depth.saturating_sub(1),
            TokenTree::Punct(sign) if sign.as_char() == ',' && depth == 0 => return index,
            _ => {}
        }
    }
    body.len()
}

/// Gives members the names that were written; `declared` if these are the constants themselves.
fn rename(patch: &mut Patch, body: &[TokenTree], variants: &[VariantShape], declared: bool) {
    for (index, token) in body.iter().enumerate() {
        let Some(ident) = name(Some(token)) else {
            continue;
        };
        if declared && !is_word(index.checked_sub(1).and_then(|at| body.get(at)), "const") {
            continue;
        }
        let Some(variant) = variants
            .iter()
            .find(|it| *ident == RustNames::of_member(&bare(&it.name)))
        else {
            continue;
        };
        if declared {
            let mut out = Out::default();
            out.push_for(&variant.name, variant.place);
            patch.replace(range(token), out);
        } else if *ident != variant.name {
            let mut out = Out::default();
            out.push(&variant.name);
            patch.replace(range(token), out);
        }
    }
}

fn insert(patch: &mut Patch, at: usize, text: &str) {
    let mut out = Out::default();
    out.push(text);
    patch.replace(at..at, out);
}

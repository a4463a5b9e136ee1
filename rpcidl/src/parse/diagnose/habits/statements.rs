//! Declarations, imports, annotations and values in other forms.

use super::super::{Context, Rule};
use super::View;
use crate::diag::{Code, Diagnostic};
use crate::parse::scan::TokenKind;
use crate::parse::words;
use crate::source::Span;

/// `Foo::BAR`
pub(super) fn double_colon(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let first = if piece.is(view.at, ":") {
        view.at
    } else {
        view.at.checked_sub(1)?
    };
    let (a, b) = (piece.span(first), piece.span(first + 1));
    if !piece.is(first, ":") || !piece.is(first + 1, ":") || a.end != b.start {
        return None;
    }
    if piece.is(first.wrapping_sub(1), "std") && piece.is_word(first + 2) {
        return Some(standard_type(view, first - 1));
    }
    let span = a.to(b);
    Some(
        Diagnostic::error(Code::E0101, span, "names are joined by `.`")
            .label("not `::`")
            .fix("write `.`", span, "."),
    )
}

/// `std::string`, which begins at that token.
fn standard_type(view: &View<'_, '_>, at: usize) -> Diagnostic {
    let piece = view.piece;
    let name = piece.str(at + 3);
    let error = Diagnostic::error(
        Code::E0206,
        piece.span(at).to(piece.span(at + 3)),
        format!("`std::{name}` is C++'s name for a type"),
    );
    error.help(match name {
        "string" | "string_view" => "write `string<64>` with the bound that fits",
        "vector" | "span" | "list" | "deque" => {
            "write `vec<T, N>` with the greatest number of elements as `N`"
        }
        "array" => "write `T[N]`",
        "optional" => "write `T?`",
        "variant" => "declare a `union`",
        "bitset" => "declare a `flags` type",
        "map" | "unordered_map" => "write a `vec` of a struct with a key and a value",
        "byte" | "uint8_t" => "write `u8`",
        _ => "write a type of this language, such as `u32`",
    })
}

/// `struct Foo;`
pub(super) fn no_body(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let heads = [
        Rule::strict_struct,
        Rule::strict_enum,
        Rule::strict_union,
        Rule::strict_interface,
    ];
    if !heads.contains(&view.stop.rule) || !view.stop.expected.has(Rule::open_brace) {
        return None;
    }
    let ends = view.at >= piece.tokens.len() || matches!(piece.str(view.at), ";");
    if !ends {
        return None;
    }
    let last = piece.span(view.at.saturating_sub(1));
    Some(
        Diagnostic::error(Code::E0118, piece.span(piece.first).to(last), "this declaration has no body")
            .label("expected `{` after this")
            .help("write what it holds; there are no forward declarations, and the order in a file is free"),
    )
}

/// `alias u32 Id;`
pub(super) fn alias_order(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let first = piece.first + 1;
    if view.stop.rule != Rule::strict_alias {
        return None;
    }
    let end = piece
        .tokens
        .iter()
        .rposition(|token| token.kind == TokenKind::Word)?;
    let builtin = words::is_builtin_type(piece.str(first))
        || piece.is(piece.tokens.len().wrapping_sub(1), ";");
    let is_other = |at| matches!(piece.str(at), "=" | "(" | "{");
    if end <= first || !builtin || (first..piece.tokens.len()).any(is_other) {
        return None;
    }
    let (ty, name) = (piece.between(first, end), piece.str(end));
    let span = piece.span(first).to(piece.span(end));
    Some(
        Diagnostic::error(
            Code::E0101,
            span,
            "an alias is written as `alias Name = type;`",
        )
        .label("name and type are the wrong way round")
        .fix(
            format!("write `{name} = {ty}`"),
            span,
            format!("{name} = {}", piece.written(first, end)),
        ),
    )
}

/// `import "a/b.idl";` and `import a.b.*;`
pub(super) fn import_forms(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if view.stop.rule != Rule::strict_import {
        return None;
    }
    let span = piece.span(view.at);
    let error = |message: &str| Diagnostic::error(Code::E0101, span, message);
    match piece.str(view.at) {
        "*" | "{" => Some(
            error("names are imported one by one")
                .label("expected a name")
                .help("write one `import` for each name, such as `import acme.common.Uuid;`"),
        ),
        "@" => Some(
            error("an import names no version")
                .label("expected `as` or `;`")
                .help("write `import acme.common.Uuid;`; the file is found by its package"),
        ),
        text if text.starts_with('"') || text == "<" => Some(
            error("an import names a package and a name in it, not a file")
                .label("expected a name")
                .help("write `import acme.common.Uuid;`; the file is found by its package"),
        ),
        _ => None,
    }
}

/// `A = B ? 1 : 2`
pub(super) fn conditional(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if !piece.is(view.at, "?") || matches!(view.context, Context::Params) {
        return None;
    }
    let assigned = (0..view.at).any(|at| piece.is(at, "="));
    assigned.then(|| {
        Diagnostic::error(
            Code::E0101,
            piece.span(view.at),
            "there are no conditional expressions",
        )
        .label("expected the end of the expression")
        .help("compute the value by hand, or declare two constants")
    })
}

/// `acme . common`
pub(super) fn spaced_path(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let dot = if piece.is(view.at, ".") {
        view.at
    } else {
        view.at.checked_sub(1)?
    };
    let before = dot.checked_sub(1)?;
    if !piece.is(dot, ".") || !piece.is_word(before) || !piece.is_word(dot + 1) {
        return None;
    }
    let span = piece.span(before).to(piece.span(dot + 1));
    let has_blanks = piece.span(before).end != piece.span(dot).start
        || piece.span(dot).end != piece.span(dot + 1).start;
    if !has_blanks {
        let is_alias =
            view.stop.rule == Rule::strict_import && piece.is(before.wrapping_sub(1), "as");
        return is_alias.then(|| {
            Diagnostic::error(Code::E0101, span, "the name after `as` is one word")
                .label("expected a name without `.`")
                .help(format!("write `as {}`", piece.str(dot + 1)))
        });
    }
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(dot),
            "names are joined by `.` without blanks",
        )
        .label("blanks around this")
        .fix(
            "remove them",
            span,
            format!("{}.{}", piece.str(before), piece.str(dot + 1)),
        ),
    )
}

/// `@Deadline(us 50)`
pub(super) fn key_and_value(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let key = view.at.checked_sub(1)?;
    if view.context != Context::Annotation
        || !view.stop.expected.has(Rule::equals)
        || !piece.is_word(key)
        || !key
            .checked_sub(1)
            .is_some_and(|before| matches!(piece.str(before), "(" | ","))
    {
        return None;
    }
    let found = piece.tokens.get(view.at)?;
    // Before another word a `,` is as likely to be missing.
    let value = matches!(
        found.kind,
        TokenKind::Number(_) | TokenKind::Text(_) | TokenKind::Punct(b'{')
    );
    let end = piece.span(key).end as usize;
    let place = Span::new(piece.source, end, end);
    value.then(|| {
        Diagnostic::error(
            Code::E0101,
            piece.span(view.at),
            format!("no `=` between `{}` and its value", piece.str(key)),
        )
        .label("expected `=` before this")
        .fix("write `=`", place, " =")
    })
}

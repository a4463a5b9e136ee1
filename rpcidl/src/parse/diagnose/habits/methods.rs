//! Methods and parameters with what other languages let them have.

use super::super::{Context, Rule};
use super::View;
use crate::diag::{Code, Diagnostic};
use crate::parse::scan::TokenKind;
use crate::source::Span;

/// `void f() { … }`
pub(super) fn method_body(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if view.stop.rule != Rule::strict_method
        || !piece.is(view.at, "{")
        || !view.stop.expected.has(Rule::semi)
    {
        return None;
    }
    Some(
        Diagnostic::error(Code::E0101, piece.span(view.at), "methods have no body")
            .label("expected `;`")
            .help("end the method with `;`; the server implements it"),
    )
}

/// `get(in Key key) -> Record;`
pub(super) fn arrow(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let at = (view.at.saturating_sub(1)..piece.tokens.len()).find(|&at| {
        piece.is(at, "-") && piece.is(at + 1, ">") && piece.span(at).end == piece.span(at + 1).start
    })?;
    if view.context != Context::Interface {
        return None;
    }
    let span = piece.span(at).to(piece.span(at + 1));
    let help = if piece.is_word(at + 2) {
        format!("write `{}` before the name", piece.str(at + 2))
    } else {
        "write the first result type before the name, and other results as `out` parameters".into()
    };
    Some(
        Diagnostic::error(
            Code::E0101,
            span,
            "the result type stands before the name of the method",
        )
        .label("not after an arrow")
        .help(help),
    )
}

/// `void f() raises(E);`
pub(super) fn raises(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if view.stop.rule != Rule::strict_method
        || !matches!(piece.str(view.at), "raises" | "throw")
        || !piece.is(view.at.checked_sub(1)?, ")")
    {
        return None;
    }
    let open = usize::from(piece.is(view.at + 1, "("));
    let error = if piece.is_word(view.at + 1 + open) {
        piece.str(view.at + 1 + open)
    } else {
        "Error"
    };
    let word = piece.str(view.at);
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(view.at),
            format!("`{word}` is not a word of this language"),
        )
        .label("expected `throws`")
        .help(format!("write `throws {error}`, with one `error` type")),
    )
}

/// `get(Key key) generates (Record record);`
pub(super) fn generates(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    // Such a method has no result type, so the rule stops before its parentheses already.
    let at = (view.at..piece.tokens.len()).find(|&at| {
        matches!(piece.str(at), "generates" | "returns")
            && at
                .checked_sub(1)
                .is_some_and(|before| piece.is(before, ")"))
    })?;
    if view.stop.rule != Rule::strict_method {
        return None;
    }
    let word = piece.str(at);
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(at),
            format!("results are not written after `{word}`"),
        )
        .label("not a word of this language")
        .help(
            "write the first result before the name of the method, and others as `out` parameters",
        ),
    )
}

/// `throws A, B` and `throws A throws B`
pub(super) fn two_errors(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let thrown = (0..view.at).rev().take(8).any(|at| piece.is(at, "throws"));
    let another = piece.is(view.at, ",") || piece.is(view.at, "throws");
    if view.stop.rule != Rule::strict_method || !another || !thrown {
        return None;
    }
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(view.at),
            "a method throws one error type",
        )
        .label("expected `;`")
        .help("declare one `error` with the members of both"),
    )
}

/// `in u32 limit = 5`
pub(super) fn param_default(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if view.context != Context::Params || !piece.is(view.at, "=") {
        return None;
    }
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(view.at),
            "parameters have no defaults",
        )
        .label("expected `,` or `)`")
        .help("remove it, or pass a struct whose field has a default"),
    )
}

/// `Key in key`
pub(super) fn late_direction(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let at = view.at.checked_sub(1)?;
    if view.context != Context::Params
        || !matches!(piece.str(at), "in" | "out" | "inout")
        || !piece.is_word(view.at)
    {
        return None;
    }
    let span = piece.span(at);
    Some(
        Diagnostic::error(
            Code::E0101,
            span,
            format!("`{}` stands before the type", piece.str(at)),
        )
        .label("not after it")
        .help(format!(
            "write `{} {} {}`",
            piece.str(at),
            piece.between(piece.first, at),
            piece.str(view.at)
        )),
    )
}

/// `void f(Key key) const;`
pub(super) fn qualifier(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let word = piece.str(view.at);
    if view.stop.rule != Rule::strict_method
        || !matches!(word, "const" | "noexcept" | "override" | "final")
        || !piece.is(view.at.checked_sub(1)?, ")")
    {
        return None;
    }
    let before = piece.span(view.at - 1).end as usize;
    let span = piece.span(view.at);
    let edit = Span::new(piece.source, before, span.end as usize);
    Some(
        Diagnostic::error(Code::E0101, span, "a method has no qualifiers")
            .label("expected `throws`, `;` or `=`")
            .fix("remove it", edit, ""),
    )
}

/// `void f(void);` and `void f(in u32 a, ...);`
pub(super) fn no_param(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if view.context != Context::Params {
        return None;
    }
    let span = piece.span(piece.first);
    let error = |message: &str| Diagnostic::error(Code::E0101, span, message);
    match (piece.str(piece.first), piece.tokens.len() - piece.first) {
        ("void", 1) => Some(
            error("`void` among the parameters")
                .label("a method without parameters has nothing here")
                .fix("remove it", span, ""),
        ),
        (".", _) if piece.is(piece.first + 1, ".") => Some(
            error("there are no variable arguments")
                .label("expected a parameter, such as `in u32 count`")
                .help("pass a `vec<T, N>`"),
        ),
        _ => None,
    }
}

/// `void oneway f();`
pub(super) fn late_kind(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let at = piece.first + 1;
    let word = piece.str(at);
    if view.context != Context::Interface
        || !matches!(word, "oneway" | "event")
        || !piece.is_word(piece.first)
        || !piece.is_word(at + 1)
    {
        return None;
    }
    let ty = piece.str(piece.first);
    let span = piece.span(piece.first).to(piece.span(at));
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(at),
            format!("`{word}` stands before the result type"),
        )
        .label("not after it")
        .fix(format!("write `{word} {ty}`"), span, format!("{word} {ty}")),
    )
}

/// `in out u32 total`
pub(super) fn two_directions(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let (first, second) = (piece.str(piece.first), piece.str(piece.first + 1));
    if view.context != Context::Params || !matches!((first, second), ("in", "out") | ("out", "in"))
    {
        return None;
    }
    let span = piece.span(piece.first).to(piece.span(piece.first + 1));
    Some(
        Diagnostic::error(Code::E0101, span, "both ways are one word")
            .label("expected `inout`")
            .fix("write `inout`", span, "inout"),
    )
}

/// `u32, u32 f();` and `(u32 a, u32 b) f();`
pub(super) fn two_results(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let listed = view.stop.rule == Rule::strict_method
        && piece.is(view.at, ",")
        && view.at == piece.first + 1
        && piece
            .tokens
            .iter()
            .any(|token| token.kind == TokenKind::Punct(b'('));
    if view.context != Context::Interface || !(listed || piece.is(piece.first, "(")) {
        return None;
    }
    let at = if listed { view.at } else { piece.first };
    Some(
        Diagnostic::error(Code::E0101, piece.span(at), "a method has one result type")
            .label("not a list")
            .help("write the first result before the name of the method, and others as `out` parameters"),
    )
}

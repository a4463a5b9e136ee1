//! Slips that come from the habits of other languages, one function each.

use super::piece::Piece;
use super::{Context, Rule, Stop};
use crate::diag::{Code, Diagnostic};
use crate::parse::scan::TokenKind;
use crate::parse::words;
use crate::source::Span;

/// What a function is told: the piece, where it stands, where the strict rule stopped, and the token there.
struct View<'p, 't> {
    piece: &'p Piece<'t>,
    context: Context,
    stop: &'p Stop,
    /// Index of the token at which the strict rule stopped.
    at: usize,
}

/// The first slip that fits.
pub(super) fn find(piece: &Piece<'_>, context: Context, stop: Option<&Stop>) -> Option<Diagnostic> {
    let stop = stop?;
    let view = View {
        piece,
        context,
        stop,
        at: piece.index_at(stop.at),
    };
    let habits: [fn(&View<'_, '_>) -> Option<Diagnostic>; 21] = [
        double_colon,
        name_first,
        foreign_modifier,
        array_after_name,
        pointer,
        rust_array,
        angle_operator,
        several_names,
        method_body,
        arrow,
        generates,
        two_errors,
        param_default,
        late_direction,
        no_body,
        alias_order,
        import_forms,
        conditional,
        angle_semicolon,
        spaced_path,
        key_and_value,
    ];
    habits.iter().find_map(|habit| habit(&view))
}

/// `Foo::BAR`
fn double_colon(view: &View<'_, '_>) -> Option<Diagnostic> {
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
    let span = a.to(b);
    Some(
        Diagnostic::error(Code::E0101, span, "names are joined by `.`")
            .label("not `::`")
            .fix("write `.`", span, "."),
    )
}

/// `key: u32;` and `const KEY: u32 = 1;`
fn name_first(view: &View<'_, '_>) -> Option<Diagnostic> {
    if !matches!(
        view.context,
        Context::File | Context::Struct | Context::Params | Context::Interface
    ) {
        return None;
    }
    let piece = view.piece;
    let mut name = piece.first;
    if piece.is(name, "const")
        || (view.context == Context::Params && matches!(piece.str(name), "in" | "out" | "inout"))
    {
        name += 1;
    } else if matches!(view.context, Context::File | Context::Interface) {
        return None;
    }
    if !piece.is_word(name) || !piece.is(name + 1, ":") || !piece.is_word(name + 2) {
        return None;
    }
    let mut end = name + 3;
    while end < piece.tokens.len() && !matches!(piece.str(end), ";" | "," | "=" | ")" | "{") {
        end = if matches!(piece.str(end), "<" | "[") {
            piece.after_group(end)
        } else {
            end + 1
        };
    }
    let span = piece.span(name).to(piece.span(end - 1));
    let (ty, text) = (piece.between(name + 2, end), piece.str(name));
    Some(
        Diagnostic::error(Code::E0101, span, "the type stands before the name")
            .label("name and type are the wrong way round")
            .fix(
                format!("write `{ty} {text}`"),
                span,
                format!("{} {text}", piece.written(name + 2, end)),
            ),
    )
}

/// `public int x;`, `repeated Foo foos;`, `unsigned int x;`, `rpc get(…)`
fn foreign_modifier(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if !matches!(
        view.context,
        Context::Struct | Context::Interface | Context::Params
    ) {
        return None;
    }
    // Only where one word too many was read as type and name.
    let first = if view.context == Context::Params
        && matches!(piece.str(piece.first), "in" | "out" | "inout")
    {
        piece.first + 1
    } else {
        piece.first
    };
    let word = piece.str(first);
    let help = words::foreign_modifier(word)?;
    let words = (0..3).take_while(|at| piece.is_word(first + at)).count();
    let call = words == 2
        && piece.is(first + 2, "(")
        && matches!(word, "fn" | "func" | "function" | "def" | "rpc");
    let generic = words == 2 && piece.is(first + 2, "<");
    if words < 3 && !call && !generic {
        return None;
    }
    let span = piece.span(first);
    Some(
        Diagnostic::error(
            Code::E0101,
            span,
            format!("`{word}` is not a word of this language"),
        )
        .label("not needed here")
        .help(help),
    )
}

/// `u32 key[4];`
fn array_after_name(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let name = view.at.checked_sub(1)?;
    let typed = matches!(
        view.stop.rule,
        Rule::strict_field | Rule::strict_last | Rule::strict_method | Rule::strict_arm
    );
    if !typed || !piece.is(view.at, "[") || !piece.is_word(name) || name == 0 {
        return None;
    }
    let mut end = view.at;
    while piece.is(end, "[") {
        end = piece.after_group(end);
    }
    let suffix = piece.written(view.at, end);
    let span = piece.span(name).to(piece.span(end - 1));
    let text = piece.str(name);
    let blank = Span::new(
        piece.source,
        piece.span(name - 1).end as usize,
        span.end as usize,
    );
    Some(
        Diagnostic::error(
            Code::E0101,
            piece.span(view.at).to(piece.span(end - 1)),
            "the size of an array belongs to its type",
        )
        .label("not after the name")
        .fix(
            format!("write it before `{text}`"),
            blank,
            format!("{suffix} {text}"),
        ),
    )
}

/// `Foo* foo`, `Foo &foo`
fn pointer(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let sign = piece.str(view.at);
    if !matches!(sign, "*" | "&" | "&&")
        || !(view.stop.expected.has(Rule::name) || view.stop.expected.has(Rule::ty))
    {
        return None;
    }
    if view.stop.rule == Rule::strict_import {
        return None;
    }
    let span = piece.span(view.at);
    Some(
        Diagnostic::error(Code::E0101, span, "there are no pointers and no references")
            .label("remove this")
            .help("values travel inline"),
    )
}

/// `[u8; 4] key`
fn rust_array(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if !piece.is(view.at, "[") || !view.stop.expected.has(Rule::ty) {
        return None;
    }
    let span = piece.span(view.at);
    let element = if piece.is_word(view.at + 1) {
        piece.str(view.at + 1)
    } else {
        "T"
    };
    Some(
        Diagnostic::error(Code::E0105, span, "expected a type, found `[`")
            .label("the size of an array stands after its type")
            .help(format!(
                "write `{element}[N]` for an array or `vec<{element}, N>` for a list"
            )),
    )
}

/// `string<8 > 4>`: the first `>` has closed the type.
fn angle_operator(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let close = view.at.checked_sub(1)?;
    let found = piece.tokens.get(view.at)?;
    let expression = matches!(
        found.kind,
        TokenKind::Number(_) | TokenKind::Punct(b'>' | b'(' | b'=')
    );
    if !piece.is(close, ">") || !view.stop.expected.has(Rule::name) || !expression {
        return None;
    }
    let open = (0..close).rev().find(|&at| piece.is(at, "<"))?;
    let last = (view.at..piece.tokens.len().min(view.at + 16))
        .rev()
        .find(|&at| piece.is(at, ">"));
    let error = Diagnostic::error(Code::E0110, piece.span(close), "`>` between `<` and `>`")
        .label("ends the type");
    let help = "put the expression into parentheses";
    Some(match last {
        Some(last) => {
            let from = if piece.is(open.wrapping_sub(1), "vec") {
                (open..close)
                    .rev()
                    .find(|&at| piece.is(at, ","))
                    .unwrap_or(open)
            } else {
                open
            };
            let text = piece.written(from + 1, last);
            let span = piece.span(from + 1).to(piece.span(last - 1));
            error.fix(help, span, format!("({text})"))
        }
        None => error.help(help),
    })
}

/// `u32 a, b;`
fn several_names(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if view.stop.rule != Rule::strict_field
        || !piece.is(view.at, ",")
        || !view.stop.expected.has(Rule::semi)
    {
        return None;
    }
    let span = piece.span(view.at);
    let name = view.at.checked_sub(1)?;
    let ty = piece.between(piece.first, name);
    let next = if piece.is_word(view.at + 1) {
        piece.str(view.at + 1)
    } else {
        "name"
    };
    Some(
        Diagnostic::error(Code::E0101, span, "one statement declares one field")
            .label("expected `;`")
            .help(format!("write `{ty} {next};` as a statement of its own")),
    )
}

/// `void f() { … }`
fn method_body(view: &View<'_, '_>) -> Option<Diagnostic> {
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
fn arrow(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let at = (view.at.saturating_sub(1)..piece.tokens.len()).find(|&at| {
        piece.is(at, "-") && piece.is(at + 1, ">") && piece.span(at).end == piece.span(at + 1).start
    })?;
    if view.context != Context::Interface {
        return None;
    }
    let span = piece.span(at).to(piece.span(at + 1));
    let result = if piece.is_word(at + 2) {
        piece.str(at + 2)
    } else {
        "the result type"
    };
    Some(
        Diagnostic::error(
            Code::E0101,
            span,
            "the result type stands before the name of the method",
        )
        .label("not after an arrow")
        .help(format!("write `{result}` before the name")),
    )
}

/// `get(Key key) generates (Record record);`
fn generates(view: &View<'_, '_>) -> Option<Diagnostic> {
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

/// `throws A, B`
fn two_errors(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    let thrown = (0..view.at).rev().take(8).any(|at| piece.is(at, "throws"));
    if view.stop.rule != Rule::strict_method || !piece.is(view.at, ",") || !thrown {
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
fn param_default(view: &View<'_, '_>) -> Option<Diagnostic> {
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
fn late_direction(view: &View<'_, '_>) -> Option<Diagnostic> {
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

/// `struct Foo;`
fn no_body(view: &View<'_, '_>) -> Option<Diagnostic> {
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
fn alias_order(view: &View<'_, '_>) -> Option<Diagnostic> {
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
fn import_forms(view: &View<'_, '_>) -> Option<Diagnostic> {
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
        text if text.starts_with('"') || text == "<" => Some(
            error("an import names a package and a name in it, not a file")
                .label("expected a name")
                .help("write `import acme.common.Uuid;`; the file is found by its package"),
        ),
        _ => None,
    }
}

/// `A = B ? 1 : 2`
fn conditional(view: &View<'_, '_>) -> Option<Diagnostic> {
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

/// `vec<u8; 4>`
fn angle_semicolon(view: &View<'_, '_>) -> Option<Diagnostic> {
    let piece = view.piece;
    if !piece.is(view.at, ";") || !view.stop.expected.has(Rule::close_angle) {
        return None;
    }
    let closes = (view.at + 1..piece.tokens.len())
        .take(4)
        .any(|at| piece.is(at, ">"));
    let span = piece.span(view.at);
    closes.then(|| {
        Diagnostic::error(
            Code::E0101,
            span,
            "the arguments of a type are separated by `,`",
        )
        .label("expected `,`")
        .fix("write `,`", span, ",")
    })
}

/// `acme . common`
fn spaced_path(view: &View<'_, '_>) -> Option<Diagnostic> {
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
fn key_and_value(view: &View<'_, '_>) -> Option<Diagnostic> {
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

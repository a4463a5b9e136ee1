//! Says what is wrong with a piece of text that matched no rule.
//!
//! The strict rules of the grammar are run over the piece, to learn how far it was right and what could have
//! followed. Before that the slips that are known from other languages are looked for, because "expected `;`"
//! is no help to someone who wrote `u32 key[4];`.

mod expected;
mod habits;
mod piece;

use std::ops::Range;

use pest::Parser as _;
use pest::error::{ErrorVariant, InputLocation};

use super::grammar::{Grammar, Rule};
use super::scan::{Compact, Token, TokenKind};
use super::words;
use crate::diag::{Code, Diagnostic};
use crate::source::{SourceId, Span};
use expected::Expected;
use piece::Piece;

/// Where the piece stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// Among the declarations of a file.
    File,
    /// In a struct.
    Struct,
    /// In an enum, flags or error.
    Enum,
    /// In a union.
    Union,
    /// In an interface.
    Interface,
    /// Between the parentheses of a method.
    Params,
    /// An annotation with its arguments.
    Annotation,
}

impl Context {
    fn place(self) -> &'static str {
        match self {
            Self::File => "among the declarations of a file",
            Self::Struct => "in a struct",
            Self::Enum => "in an enumeration",
            Self::Union => "in a union",
            Self::Interface => "in an interface",
            Self::Params => "among the parameters",
            Self::Annotation => "in an annotation",
        }
    }

    fn wants(self) -> &'static str {
        match self {
            Self::File => "a declaration, such as `struct` or `interface`",
            Self::Struct => "a field, such as `u32 count;`",
            Self::Enum => "a member, such as `NAME = 1`",
            Self::Union => "an arm, such as `1: u32 count;`",
            Self::Interface => "a method, such as `void put(in u32 count);`",
            Self::Params => "a parameter, such as `in u32 count`",
            Self::Annotation => "an annotation, such as `@Idempotent`",
        }
    }
}

/// How far a strict rule went.
pub(super) struct Stop {
    rule: Rule,
    /// Where it stopped, in the whole text.
    at: usize,
    expected: Expected,
}

/// The finding about the piece at `range` of the compacted text, which stands in `context`.
pub(crate) fn diagnose(
    source: SourceId,
    text: &str,
    compact: &Compact,
    context: Context,
    range: Range<usize>,
) -> Diagnostic {
    let piece = Piece::new(source, text, compact, range);
    let found = foreign_statement(&piece, context)
        .or_else(|| misplaced(&piece, context))
        .or_else(|| unknown_declaration(&piece, context));
    if let Some(found) = found {
        return found;
    }
    let stop = candidates(&piece, context)
        .iter()
        .filter_map(|&rule| run(&piece, rule).err())
        // Of equals the first counts; it is the more likely one.
        .reduce(|best, stop| if stop.at > best.at { stop } else { best });
    if let Some(found) = habits::find(&piece, context, stop.as_ref()) {
        return found;
    }
    match stop {
        Some(stop) => explain(&piece, context, &stop),
        None => {
            let first = piece.span(piece.first.min(piece.tokens.len().saturating_sub(1)));
            Diagnostic::error(
                Code::E0101,
                first,
                format!("unexpected text {}", context.place()),
            )
            .label(format!("expected {}", context.wants()))
        }
    }
}

/// Runs a strict rule over the piece and the token after it.
fn run(piece: &Piece<'_>, rule: Rule) -> Result<(), Stop> {
    let slice = piece
        .compact
        .text
        .get(piece.with_next())
        .unwrap_or_default();
    match Grammar::parse(rule, slice) {
        Ok(_) => Ok(()),
        Err(error) => {
            let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = error.location;
            let expected = match &error.variant {
                ErrorVariant::ParsingError { positives, .. } => Expected::new(positives),
                ErrorVariant::CustomError { .. } => Expected::new(&[]),
            };
            Err(Stop {
                rule,
                at: piece.compact.place(piece.compact_range.start + at),
                expected,
            })
        }
    }
}

/// The strict rules that the piece may have been meant for.
fn candidates(piece: &Piece<'_>, context: Context) -> Vec<Rule> {
    let word = piece.str(piece.first);
    let mut rules = Vec::new();
    match context {
        Context::Params => return vec![Rule::strict_last],
        Context::Annotation => return vec![Rule::strict_args],
        Context::Enum => {
            return if word == "reserved" {
                vec![Rule::strict_numbers, Rule::strict_member]
            } else {
                vec![Rule::strict_member]
            };
        }
        Context::Union => {
            return if word == "reserved" {
                vec![Rule::strict_numbers, Rule::strict_arm]
            } else {
                vec![Rule::strict_arm]
            };
        }
        Context::File => match word {
            "edition" => rules.push(Rule::strict_edition),
            "package" => rules.push(Rule::strict_package),
            "import" => rules.push(Rule::strict_import),
            _ => {}
        },
        Context::Struct if word == "reserved" => rules.push(Rule::strict_room),
        Context::Interface if word == "reserved" => rules.push(Rule::strict_numbers),
        Context::Struct | Context::Interface => {}
    }
    match word {
        "const" => rules.push(Rule::strict_const),
        "alias" => rules.push(Rule::strict_alias),
        "struct" => rules.push(Rule::strict_struct),
        "enum" | "flags" | "error" => rules.push(Rule::strict_enum),
        "union" => rules.push(Rule::strict_union),
        "closed" => rules.extend([Rule::strict_enum, Rule::strict_union]),
        "interface" => rules.push(Rule::strict_interface),
        "oneway" if context == Context::File => rules.push(Rule::strict_interface),
        _ => {}
    }
    match context {
        Context::Struct => rules.push(Rule::strict_field),
        Context::Interface => rules.push(Rule::strict_method),
        _ if rules.is_empty() => rules.push(Rule::strict_item),
        _ => {}
    }
    rules
}

/// A statement that other languages have and this one does not.
fn foreign_statement(piece: &Piece<'_>, context: Context) -> Option<Diagnostic> {
    let (word, first) = (piece.str(piece.first), piece.first);
    let is_file = context == Context::File;
    let help = match word {
        "syntax" if is_file && piece.is(first + 1, "=") => {
            "remove it; a file begins with its package, such as `package acme.kv;`"
        }
        "option"
            if matches!(
                context,
                Context::File | Context::Struct | Context::Interface
            ) && piece.is_word(first + 1)
                && piece.is(first + 2, "=") =>
        {
            "remove it; what can be said of a declaration are annotations, such as `@Deadline(us = 50)`"
        }
        _ if is_file
            && !words::DECLARATIONS.contains(&word)
            && piece.is_word(first + 1)
            && matches!(piece.str(first + 2), "" | ";" | "." | "@") =>
        {
            // `Package acme.kv;` would be told from a field by nothing but its place.
            let meant = words::similar_declaration(word)
                .filter(|meant| matches!(*meant, "package" | "import") && *meant != word)?;
            let span = piece.span(first);
            let message = format!("unknown declaration `{word}`");
            return Some(
                Diagnostic::error(Code::E0112, span, message)
                    .label("not a word of this language")
                    .fix(format!("write `{meant}`"), span, meant),
            );
        }
        _ if is_file && piece.is_word(first) && is_behind_a_body(piece) => {
            let message = "a name stands before the `{` of its declaration";
            let error = Diagnostic::error(Code::E0101, piece.span(first), message);
            return Some(
                error
                    .label("not behind the `}`")
                    .help(format!("write it like `struct {word} {{ … }}`")),
            );
        }
        _ => return None,
    };
    let message = format!("there is no `{word}` statement");
    Some(
        Diagnostic::error(Code::E0101, piece.span(first), message)
            .label("not a word of this language")
            .help(help),
    )
}

/// `} Record;`
fn is_behind_a_body(piece: &Piece<'_>) -> bool {
    let start = piece.span(piece.first).start as usize;
    let before = piece.text.get(..start).unwrap_or_default();
    before.trim_end_matches([' ', '\t']).ends_with('}')
        && (piece.tokens.len() == 1 || piece.is(piece.first + 1, ";"))
}

/// A piece that would be right elsewhere.
fn misplaced(piece: &Piece<'_>, context: Context) -> Option<Diagnostic> {
    let is = |rule: Rule| run(piece, rule).is_ok();
    let word = piece.str(piece.first);
    let declares = words::DECLARATIONS.contains(&word);
    let (what, help) = match context {
        Context::File if !declares && is(Rule::strict_field) => ("a field", "put it into a struct"),
        Context::File if !declares && is(Rule::strict_method) => {
            ("a method", "put it into an interface")
        }
        Context::Struct if is(Rule::strict_method) => ("a method", "put it into an interface"),
        Context::Struct if is(Rule::strict_arm) => {
            ("a numbered arm", "declare a union, or remove the number")
        }
        Context::Interface if is(Rule::strict_field) => (
            "a field",
            "put it into a struct, or write a method that returns it",
        ),
        Context::Union if is(Rule::strict_method) => ("a method", "put it into an interface"),
        Context::Union | Context::Enum if declares && piece.is_word(piece.first + 1) => (
            "a declaration",
            "move it out; structs, interfaces and files may hold declarations",
        ),
        Context::Struct | Context::Interface
            if matches!(word, "package" | "import") && is_header(piece) =>
        {
            (
                "a statement of the file",
                "move it to the top of the file; is a `}` missing before it",
            )
        }
        _ => return None,
    };
    let code = Code::E0111;
    let span = piece.span(piece.first);
    Some(
        Diagnostic::error(
            code,
            span,
            format!("{what} cannot stand {}", context.place()),
        )
        .label(format!("expected {}", context.wants()))
        .help(help),
    )
}

fn is_header(piece: &Piece<'_>) -> bool {
    run(piece, Rule::strict_package).is_ok() || run(piece, Rule::strict_import).is_ok()
}

/// A declaration that begins with a word that is no keyword.
fn unknown_declaration(piece: &Piece<'_>, context: Context) -> Option<Diagnostic> {
    let word = piece.str(piece.first);
    if let Some(glued) = glued_declaration(piece, context) {
        return Some(glued);
    }
    let shape = piece.is_word(piece.first)
        && (piece.is_word(piece.first + 1) || piece.is(piece.first + 1, "{"));
    if !shape
        || words::DECLARATIONS.contains(&word)
        || matches!(word, "package" | "import" | "edition")
    {
        return None;
    }
    let body = piece.is(piece.first + 1, "{") || (2..=5).any(|at| piece.is(piece.first + at, "{"));
    if context != Context::File
        && !(matches!(context, Context::Struct | Context::Interface) && body)
    {
        return None;
    }
    let foreign = words::foreign_declaration(word);
    let meant = foreign.or_else(|| words::similar_declaration(word));
    if context != Context::File && meant.is_none() {
        return None;
    }
    let span = piece.span(piece.first);
    let error = Diagnostic::error(Code::E0112, span, format!("unknown declaration `{word}`"));
    let next = piece.str(piece.first + 1);
    if words::DECLARATIONS.contains(&next) && piece.is_word(piece.first + 2) && word != "typedef" {
        let blank = span.to(piece.span(piece.first + 1));
        return Some(
            error
                .label(format!("not needed; `{next}` begins the declaration"))
                .fix("remove it", blank, next),
        );
    }
    Some(match (meant, word) {
        (Some("alias"), "typedef") if words::DECLARATIONS.contains(&next) => error
            .label("not a word of this language")
            .help(format!("write `{next} Name {{ … }}`, with the name before the `{{`")),
        (Some("alias"), "typedef") => {
            let name = piece.tokens.iter().rposition(|token| token.kind == TokenKind::Word).unwrap_or(piece.first);
            let (ty, name) = (piece.between(piece.first + 1, name), piece.str(name));
            error.help(format!("write `alias {name} = {ty};`"))
        }
        (Some(meant @ ("alias" | "import" | "package")), _) => {
            error.label("not a word of this language").help(format!("write `{meant}`"))
        }
        (Some(meant), _) => error.label("not a word of this language").fix(format!("write `{meant}`"), span, meant),
        (None, _) => error
            .label(format!("expected {}", context.wants()))
            .help("declarations begin with `const`, `alias`, `enum`, `flags`, `error`, `struct`, `union` or `interface`"),
    })
}

/// `structPoint {`
fn glued_declaration(piece: &Piece<'_>, context: Context) -> Option<Diagnostic> {
    if !matches!(
        context,
        Context::File | Context::Struct | Context::Interface
    ) || !matches!(piece.str(piece.first + 1), "{" | ":" | "extends")
    {
        return None;
    }
    let word = piece.str(piece.first);
    let (keyword, name) = words::BODIES.iter().find_map(|keyword| {
        let name = word.strip_prefix(keyword)?;
        name.starts_with(|first: char| first.is_ascii_uppercase())
            .then_some((keyword, name))
    })?;
    let span = piece.span(piece.first);
    let whole = format!("{keyword} {name}");
    let error = Diagnostic::error(Code::E0112, span, format!("unknown declaration `{word}`"));
    Some(error.label(format!("no blank after `{keyword}`")).fix(
        format!("write `{whole}`"),
        span,
        whole,
    ))
}

/// What a strict rule missed, in words.
fn explain(piece: &Piece<'_>, context: Context, stop: &Stop) -> Diagnostic {
    let found = piece.token_at(stop.at);
    let span = found.map_or(Span::new(piece.source, stop.at, stop.at), |token| {
        Span::new(piece.source, token.start, token.end)
    });
    let shown = show(piece, found);
    if stop.at <= piece.span(piece.first).start as usize && !matches!(context, Context::Annotation)
    {
        return Diagnostic::error(
            Code::E0101,
            span,
            format!("{shown} cannot begin anything {}", context.place()),
        )
        .label(format!("expected {}", context.wants()));
    }
    let index = piece.index_at(stop.at);
    let before = index.checked_sub(1).map(|at| piece.span(at));
    if stop.expected.only(Rule::semi)
        && let Some(before) = before
    {
        let place = Span::new(piece.source, before.end as usize, before.end as usize);
        let next_line = found.is_none_or(|token| piece.is_first_on_line(token.start));
        if next_line || found.is_some_and(|token| token.kind == TokenKind::Punct(b'}')) {
            return Diagnostic::error(Code::E0102, place, "missing `;`")
                .label("expected `;`")
                .fix("write `;`", place, ";");
        }
        return Diagnostic::error(Code::E0102, span, format!("expected `;`, found {shown}"))
            .also(before, "the statement could end here")
            .label("expected `;`");
    }
    let closes = [(Rule::close_paren, "("), (Rule::close_bracket, "[")];
    for (rule, open) in closes {
        if stop.expected.has(rule)
            && let Some(at) = piece.open_bracket(index)
            && piece.is(at, open)
            && found.is_none_or(|token| matches!(token.kind, TokenKind::Punct(b';' | b'}' | b'{')))
        {
            let words = stop.expected.words().unwrap_or_default();
            return Diagnostic::error(
                Code::E0107,
                piece.span(at),
                format!("this `{open}` is never closed"),
            )
            .also(span, format!("expected {words} before this"))
            .help("close it");
        }
    }
    let (code, what) = match &stop.expected {
        expected if expected.only(Rule::name) => (Code::E0104, Some("a name".to_owned())),
        expected if expected.only(Rule::ty) => (Code::E0105, Some("a type".to_owned())),
        expected if expected.only(Rule::expr) => (Code::E0106, Some("a value".to_owned())),
        expected if expected.only(Rule::close_angle) => (Code::E0107, expected.words()),
        expected => (Code::E0101, expected.words()),
    };
    // An angle bracket is not looked for by `open_bracket`, because it may be an operator.
    let angle = (0..index)
        .rev()
        .find(|&at| piece.is(at, "<"))
        .filter(|_| code == Code::E0107);
    match what {
        Some(what) if angle.is_some() => {
            let open = piece.span(angle.unwrap_or(index));
            Diagnostic::error(code, span, format!("expected {what}, found {shown}"))
                .label(format!("expected {what}"))
                .also(open, "this is not closed")
        }
        Some(what) => Diagnostic::error(code, span, format!("expected {what}, found {shown}"))
            .label(format!("expected {what}")),
        None => Diagnostic::error(
            code,
            span,
            format!("unexpected {shown} {}", context.place()),
        ),
    }
}

/// A token for a message.
fn show(piece: &Piece<'_>, token: Option<Token>) -> String {
    let Some(token) = token else {
        return "the end of the file".to_owned();
    };
    let text = piece.text.get(token.start..token.end).unwrap_or_default();
    if text.chars().count() > 40 {
        let start: String = text.chars().take(37).collect();
        return format!("`{start}…`");
    }
    format!("`{text}`")
}

//! Finds the brace that was forgotten, by the indentation of the lines.

use super::{TokenKind, Tokens};
use crate::diag::{Code, Diagnostic, Findings};
use crate::source::{SourceId, Span};

/// An opening brace with the column at which its line begins.
struct Open {
    at: usize,
    line: usize,
    indent: usize,
}

/// Reports `missing` opening braces that are never closed. Gives the places, in order, at which they should have
/// been closed: where a line begins at or left of the indentation of the opening one.
pub(super) fn missing_braces(
    source: SourceId,
    text: &str,
    from: usize,
    missing: usize,
    findings: &mut Findings,
) -> Vec<usize> {
    let mut missing = missing;
    let mut places = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let (mut line, mut indent) = (0, 0);
    for token in Tokens::new(text, from) {
        if matches!(
            token.kind,
            TokenKind::LineComment | TokenKind::BlockComment(_)
        ) {
            continue;
        }
        let closes = token.kind == TokenKind::Punct(b'}');
        if token.first_on_line {
            line = token.start;
            let before = text.get(..token.start).unwrap_or_default();
            indent = token.start - before.rfind('\n').map_or(0, |at| at + 1);
            while missing > 0 {
                let Some(top) = open.last() else { break };
                // A closing brace at the indentation of its opening one is what was hoped for.
                let ends_here = if closes {
                    indent < top.indent
                } else {
                    indent <= top.indent
                };
                if top.line == line || !ends_here || (closes && open.len() < 2) {
                    break;
                }
                report(source, top.at, Some((token.start, token.end)), findings);
                places.push(token.start);
                open.pop();
                missing -= 1;
            }
        }
        match token.kind {
            TokenKind::Punct(b'{') => open.push(Open {
                at: token.start,
                line,
                indent,
            }),
            TokenKind::Punct(b'}') => {
                open.pop();
            }
            _ => {}
        }
    }
    for brace in open.iter().take(missing) {
        report(source, brace.at, None, findings);
    }
    places
}

fn report(source: SourceId, at: usize, before: Option<(usize, usize)>, findings: &mut Findings) {
    let error = Diagnostic::error(
        Code::E0107,
        Span::new(source, at, at + 1),
        "this `{` is never closed",
    );
    findings.push(match before {
        Some((start, end)) => error
            .also(
                Span::new(source, start, end),
                "a `}` is missing before this, as the indentation tells",
            )
            .help("write the missing `}`"),
        None => error
            .label("no `}` belongs to it")
            .help("write the missing `}`"),
    });
}

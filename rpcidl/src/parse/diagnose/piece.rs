//! A piece of text that matched no rule, with its tokens.

use std::ops::Range;

use crate::parse::scan::{Compact, Token, TokenKind, Tokens};
use crate::source::{SourceId, Span};

/// The piece, and the text around it.
pub(super) struct Piece<'t> {
    pub(super) source: SourceId,
    /// The whole text.
    pub(super) text: &'t str,
    /// What the grammar has read of it.
    pub(super) compact: &'t Compact,
    /// Where the piece lies in that.
    pub(super) compact_range: Range<usize>,
    /// Where the piece lies in the text.
    pub(super) range: Range<usize>,
    /// Its first tokens. Mistakes are found at the front; the rest of a long piece tells nothing.
    pub(super) tokens: Vec<Token>,
    /// Index of the first token after the annotations.
    pub(super) first: usize,
}

/// Number of tokens that are looked at.
const TOKENS: usize = 200;

impl<'t> Piece<'t> {
    pub(super) fn new(
        source: SourceId,
        text: &'t str,
        compact: &'t Compact,
        compact_range: Range<usize>,
    ) -> Self {
        let range = compact.range(compact_range.clone());
        let tokens: Vec<Token> = Tokens::new(text, range.start)
            .take_while(|token| token.start < range.end)
            .filter(|token| {
                !matches!(
                    token.kind,
                    TokenKind::LineComment | TokenKind::BlockComment(_)
                )
            })
            .take(TOKENS)
            .collect();
        let mut piece = Self {
            source,
            text,
            compact,
            compact_range,
            range,
            tokens,
            first: 0,
        };
        piece.first = piece.after_annotations();
        piece
    }

    fn after_annotations(&self) -> usize {
        let mut at = 0;
        while self.is(at, "@") && self.is_word(at + 1) {
            at += 2;
            if self.is(at, "(") {
                at = self.after_group(at);
            }
        }
        at
    }

    /// The index after the bracket that closes the one at `open`.
    pub(super) fn after_group(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for at in open..self.tokens.len() {
            match self.str(at) {
                "(" | "[" | "<" | "{" => depth += 1,
                ")" | "]" | ">" | "}" => {
                    depth -= 1;
                    if depth == 0 {
                        return at + 1;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len()
    }

    /// The text of a token, or an empty one.
    pub(super) fn str(&self, at: usize) -> &'t str {
        self.tokens
            .get(at)
            .and_then(|token| self.text.get(token.start..token.end))
            .unwrap_or_default()
    }

    pub(super) fn is(&self, at: usize, text: &str) -> bool {
        self.str(at) == text
    }

    pub(super) fn is_word(&self, at: usize) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.kind == TokenKind::Word)
    }

    /// The place of a token; behind the last one, the end of the piece.
    pub(super) fn span(&self, at: usize) -> Span {
        match self.tokens.get(at) {
            Some(token) => Span::new(self.source, token.start, token.end),
            None => Span::new(self.source, self.range.end, self.range.end),
        }
    }

    /// The index of the first token at or after a position.
    pub(super) fn index_at(&self, position: usize) -> usize {
        self.tokens.partition_point(|token| token.start < position)
    }

    /// The tokens between two, the second not included, in one line and without the comments between them.
    pub(super) fn between(&self, from: usize, to: usize) -> String {
        let mut text = String::new();
        for at in from..to.min(self.tokens.len()) {
            if at > from && self.span(at - 1).end != self.span(at).start {
                text.push(' ');
            }
            text.push_str(self.str(at));
        }
        text
    }

    /// What was written between two tokens, the second not included, for an edit that must not lose a comment.
    pub(super) fn written(&self, from: usize, to: usize) -> &'t str {
        let start = self.span(from).start as usize;
        let end = if to > from {
            self.span(to - 1).end as usize
        } else {
            start
        };
        self.text.get(start..end).unwrap_or_default().trim()
    }

    /// The index of the last bracket before `end` that is still open there.
    pub(super) fn open_bracket(&self, end: usize) -> Option<usize> {
        let mut open = Vec::new();
        for at in 0..end.min(self.tokens.len()) {
            match self.str(at) {
                "(" | "[" => open.push(at),
                ")" | "]" => {
                    open.pop();
                }
                _ => {}
            }
        }
        open.pop()
    }

    /// The piece in the compacted text, with the token after it.
    pub(super) fn with_next(&self) -> Range<usize> {
        let end = self.compact_range.end;
        let next = Tokens::new(&self.compact.text, end).next();
        self.compact_range.start..next.map_or(end, |token| token.end)
    }

    /// The next token at or after a position of the whole text.
    pub(super) fn token_at(&self, position: usize) -> Option<Token> {
        Tokens::new(self.text, position).find(|token| {
            !matches!(
                token.kind,
                TokenKind::LineComment | TokenKind::BlockComment(_)
            )
        })
    }

    /// True if only blanks stand between a position and the line break before it.
    pub(super) fn is_first_on_line(&self, position: usize) -> bool {
        let before = self.text.get(..position).unwrap_or_default();
        before.trim_end_matches([' ', '\t']).ends_with('\n')
    }
}

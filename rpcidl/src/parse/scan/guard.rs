//! Bounds everything over which the grammar, or a walk over its tree, would recurse.

use super::{Refused, Token, TokenKind};
use crate::diag::{Code, Diagnostic, Findings};
use crate::limits;
use crate::source::{SourceId, Span};

/// Follows the tokens of a text and cuts out what nests too deeply.
pub(crate) struct Guard {
    source: SourceId,
    /// Open brackets. `(`, `[`, `{`, `<` after a word, and `s` for a `{` that opens a set in parentheses.
    open: Vec<u8>,
    previous: TokenKind,
    /// Infix and prefix operators since the last separator.
    operators: usize,
    /// `?` and `[` since the last separator.
    suffixes: usize,
    /// Dots of the path that is being read.
    dots: usize,
    cut: Option<Cut>,
    gave_up: bool,
}

/// A range that is being left out.
struct Cut {
    start: usize,
    /// Number of braces that are open in it, if it is a block.
    braces: Option<usize>,
}

impl Guard {
    pub(crate) fn new(source: SourceId) -> Self {
        Self {
            source,
            open: Vec::new(),
            previous: TokenKind::Punct(b';'),
            operators: 0,
            suffixes: 0,
            dots: 0,
            cut: None,
            gave_up: false,
        }
    }

    /// From here on brackets tell nothing.
    pub(crate) fn give_up(&mut self) {
        self.gave_up = true;
    }

    /// Number of braces that are open.
    pub(crate) fn open_braces(&self) -> usize {
        self.open
            .iter()
            .filter(|&&bracket| matches!(bracket, b'{' | b's'))
            .count()
    }

    /// Ends the walk; true if open braces are worth reporting.
    pub(crate) fn finish(&mut self, end: usize, refused: &mut Refused) -> bool {
        if let Some(cut) = self.cut.take() {
            refused.add(cut.start, end);
            self.gave_up = true;
        }
        !self.gave_up && self.open_braces() > 0
    }

    /// Takes the next token that is not a comment; false if it is cut out.
    pub(crate) fn feed(
        &mut self,
        token: &Token,
        text: &str,
        findings: &mut Findings,
        refused: &mut Refused,
    ) -> bool {
        let punct = match token.kind {
            TokenKind::Punct(byte) => byte,
            _ => 0,
        };
        if let Some(cut) = &mut self.cut {
            match (&mut cut.braces, punct) {
                (Some(braces), b'{') => *braces += 1,
                (Some(braces), b'}') => *braces = braces.saturating_sub(1),
                _ => {}
            }
            let end = match (cut.braces, punct) {
                (Some(0), _) => token.end,
                (None, b';' | b'{' | b'}') => token.start,
                _ => return false,
            };
            let block = cut.braces.is_some();
            refused.add(cut.start, end);
            self.cut = None;
            if block {
                return false;
            }
        }
        self.count(token, punct, text, findings);
        self.brackets(token, punct, findings);
        self.previous = token.kind;
        self.cut.is_none()
    }

    /// Counts what makes trees deep without brackets.
    fn count(&mut self, token: &Token, punct: u8, text: &str, findings: &mut Findings) {
        match (token.kind, punct) {
            (_, b';' | b'{' | b'}') => (self.operators, self.suffixes, self.dots) = (0, 0, 0),
            (_, b',') => (self.operators, self.suffixes, self.dots) = (0, 0, 0),
            (_, b'(' | b')') => (self.suffixes, self.dots) = (0, 0),
            (TokenKind::Operator, _) | (_, b'<' | b'>') => {
                self.operators += 1;
                self.dots = 0;
            }
            (_, b'?' | b'[') => self.suffixes += 1,
            (_, b'.') => self.dots += 1,
            (TokenKind::Word, _) => {}
            _ => self.dots = 0,
        }
        if self.previous == TokenKind::Word && token.kind == TokenKind::Word {
            self.dots = 0;
        }
        let (what, limit) = if self.operators > limits::EXPRESSION_OPERATORS {
            ("operators", limits::EXPRESSION_OPERATORS)
        } else if self.suffixes > limits::SYNTAX_NESTING {
            ("suffixes", limits::SYNTAX_NESTING)
        } else if self.dots > limits::SYNTAX_NESTING {
            ("dots", limits::SYNTAX_NESTING)
        } else {
            return;
        };
        let shown = text.get(token.start..token.end).unwrap_or_default();
        findings.push(
            Diagnostic::error(
                Code::E0012,
                Span::new(self.source, token.start, token.end),
                format!("more than {limit} {what} in one expression or type"),
            )
            .label(format!("this `{shown}` is one too many"))
            .help("give parts of it a name with `const` or `alias`"),
        );
        (self.operators, self.suffixes, self.dots) = (0, 0, 0);
        self.cut = Some(Cut {
            start: token.start,
            braces: None,
        });
    }

    fn brackets(&mut self, token: &Token, punct: u8, findings: &mut Findings) {
        if self.cut.is_some() {
            return;
        }
        match punct {
            b'(' | b'[' => self.push(punct, token, findings),
            b'<' if self.previous == TokenKind::Word => self.push(punct, token, findings),
            b'{' => {
                self.drop_while(|bracket| bracket == b'<');
                let in_set = matches!(self.previous, TokenKind::Punct(b'(' | b',' | b'='));
                if self.open.last() == Some(&b'(') && in_set {
                    self.push(b's', token, findings);
                } else {
                    self.drop_while(is_open_inside);
                    self.push(b'{', token, findings);
                }
            }
            b'>' if self.open.last() == Some(&b'<') => {
                self.open.pop();
            }
            b')' => self.close(b'('),
            b']' => self.close(b'['),
            // A statement cannot end inside parentheses, so the bracket is missing and reported by the grammar.
            b';' => self.drop_while(is_open_inside),
            b'}' => {
                while let Some(bracket) = self.open.pop() {
                    if matches!(bracket, b'{' | b's') {
                        break;
                    }
                }
            }
            _ => {}
        }
    }

    fn drop_while(&mut self, test: fn(u8) -> bool) {
        while self.open.last().is_some_and(|&bracket| test(bracket)) {
            self.open.pop();
        }
    }

    fn close(&mut self, bracket: u8) {
        self.drop_while(|bracket| bracket == b'<');
        if self.open.last() == Some(&bracket) {
            self.open.pop();
        }
    }

    fn push(&mut self, bracket: u8, token: &Token, findings: &mut Findings) {
        if self.open.len() < limits::SYNTAX_NESTING {
            self.open.push(bracket);
            return;
        }
        findings.push(
            Diagnostic::error(
                Code::E0011,
                Span::new(self.source, token.start, token.end),
                format!(
                    "brackets are nested more than {} deep",
                    limits::SYNTAX_NESTING
                ),
            )
            .label("this one is too deep")
            .help("give inner parts a name with `const`, `alias` or a declaration of their own"),
        );
        self.cut = Some(Cut {
            start: token.start,
            braces: (bracket == b'{').then_some(1),
        });
    }
}

/// True for brackets that end with the statement that they stand in.
fn is_open_inside(bracket: u8) -> bool {
    !matches!(bracket, b'{' | b's')
}

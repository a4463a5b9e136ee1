//! Turns what the grammar matched into the tree, and mistakes that it understood into diagnostics.

mod annotations;
mod decls;
mod docs;
mod exprs;
mod literals;
mod members;
mod methods;
mod types;

pub(crate) use docs::Docs;

use pest::Parser as _;
use pest::error::InputLocation;
use pest::iterators::{Pair, Pairs};

use super::diagnose::{self, Context};
use super::grammar::{Grammar, Rule};
use super::scan::{Compact, Refused};
use crate::ast::{File, Import, Int, Item, Name, Package, Path};
use crate::diag::{Code, Diagnostic, Findings};
use crate::source::{SourceId, Span};

/// One match of a rule.
pub(super) type Node<'i> = Pair<'i, Rule>;

/// Reads and lowers a whole file.
pub(crate) fn file(
    source: SourceId,
    text: &str,
    compact: &Compact,
    docs: Docs,
    refused: Refused,
    findings: &mut Findings,
) -> File {
    let mut lower = Lower {
        source,
        text,
        compact,
        base: 0,
        docs,
        refused,
        findings,
    };
    let mut file = File {
        source,
        docs: Vec::new(),
        edition: None,
        package: None,
        imports: Vec::new(),
        items: Vec::new(),
        comments: Vec::new(),
        span: Span::new(source, 0, text.len()),
    };
    // Where the first declaration begins; file documentation stands before it.
    let mut body = None;
    while let Some(rest) = lower.rest() {
        let read = lower.entry(rest, &mut file, &mut body);
        if read == 0 {
            let span = lower.span(compact.place(lower.base), text.len());
            file.items.push(Item::Invalid(span));
            break;
        }
        lower.base += read;
    }
    file.docs = lower.docs.of_file(body.unwrap_or(text.len()));
    let Lower { docs, findings, .. } = lower;
    file.comments = docs.finish(findings);
    file
}

/// True if a declaration was read. What could not be read may have been anything, and was reported.
fn has_declarations(file: &File) -> bool {
    let is_read = |item: &Item| !matches!(item, Item::Invalid(_));
    file.items.iter().any(is_read)
}

/// The state of lowering.
pub(super) struct Lower<'a> {
    source: SourceId,
    /// The text as it was written.
    text: &'a str,
    /// The text that the grammar has read.
    compact: &'a Compact,
    /// Where the part of it begins that the grammar has read last; the places of matches count from there.
    base: usize,
    docs: Docs,
    refused: Refused,
    findings: &'a mut Findings,
}

impl<'a> Lower<'a> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start, end)
    }

    /// What the grammar has not read yet, without the blanks before it; `None` at the end.
    fn rest(&mut self) -> Option<&'a str> {
        let compact = self.compact;
        let rest = compact.text.get(self.base..)?;
        let trimmed = rest.trim_start_matches([' ', '\n', '\t', '\r']);
        self.base += rest.len() - trimmed.len();
        (!trimmed.is_empty()).then_some(trimmed)
    }

    /// Reads and lowers the entry that `rest` begins with. Gives its length, or 0 if the reading ends here.
    fn entry(&mut self, rest: &str, file: &mut File, body: &mut Option<usize>) -> usize {
        // Once errors are left out, what follows changes nothing of what is told.
        if self.findings.is_over() {
            return 0;
        }
        let mut read = 0;
        match Grammar::parse(Rule::entry, rest) {
            Ok(pairs) => {
                for node in pairs {
                    read = node.as_span().end();
                    self.entry_node(file, body, node);
                }
            }
            Err(error) => self.too_deep(&error.location),
        }
        read
    }

    /// Lowers an entry of the file. `body` is where the first declaration begins.
    fn entry_node(&mut self, file: &mut File, body: &mut Option<usize>, node: Node<'_>) {
        let start = self.start(&node);
        match node.as_rule() {
            Rule::edition => self.edition(file, node),
            Rule::package => self.package(file, node),
            Rule::import => self.import(file, node),
            Rule::item => {
                body.get_or_insert_with(|| self.docs.beginning(start));
                file.items.push(self.item(node));
            }
            _ => {
                body.get_or_insert(start);
                if let Some(span) = self.mistake(Context::File, &node) {
                    file.items.push(Item::Invalid(span));
                }
            }
        }
    }

    /// The catch-alls take any text, so only pest's own guard of the stack can end the reading.
    fn too_deep(&mut self, location: &InputLocation) {
        let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = *location;
        let at = self.compact.place(self.base + at);
        self.findings.push(
            Diagnostic::error(
                Code::E0011,
                self.span(at, at),
                "the stack is too small to read this text",
            )
            .help("run the compiler on a thread with a larger stack"),
        );
    }

    /// The place of a match.
    fn start(&self, node: &Node<'_>) -> usize {
        self.compact.place(self.base + node.as_span().start())
    }

    /// The end of a match. A match may include a blank after its last token, because an optional part might have
    /// followed.
    fn end_of(&self, node: &Node<'_>) -> usize {
        let start = self.base + node.as_span().start();
        self.compact
            .range(start..start + node.as_str().trim_end().len())
            .end
    }

    /// The span of a match.
    fn node_span(&self, node: &Node<'_>) -> Span {
        self.span(self.start(node), self.end_of(node))
    }

    /// Reports a finding about `extent`, unless something in there was refused before.
    fn report(&mut self, extent: Span, diagnostic: Diagnostic) {
        if !self
            .refused
            .touches(extent.start as usize, extent.end as usize)
        {
            self.findings.push(diagnostic);
        }
    }

    /// Reports a piece of text that matched no rule, or a stray sign. Gives the span of a lost piece.
    fn mistake(&mut self, context: Context, node: &Node<'_>) -> Option<Span> {
        let span = self.node_span(node);
        match node.as_rule() {
            Rule::stray_semi => {
                self.report(span, stray(span, ";"));
                None
            }
            Rule::stray_comma => {
                self.report(span, stray(span, ","));
                None
            }
            Rule::stray_close => {
                self.report(
                    span,
                    Diagnostic::error(Code::E0108, span, "this `}` closes nothing")
                        .label("no `{` is open here")
                        .help("remove it, or write the `{` that is missing before"),
                );
                None
            }
            _ => {
                self.lost(span, context, node);
                Some(span)
            }
        }
    }

    /// Reports a piece of text that matched no rule, unless something in there was refused before.
    fn lost(&mut self, span: Span, context: Context, node: &Node<'_>) {
        if self.refused.touches(span.start as usize, span.end as usize) {
            return;
        }
        // The closer look is slow, and a text of another language has such a piece in every line.
        if self.findings.is_full() {
            self.findings.leave_out(Some(span));
        } else {
            let diagnostic = self.diagnose(context, node);
            self.findings.push(diagnostic);
        }
    }

    fn diagnose(&self, context: Context, node: &Node<'_>) -> Diagnostic {
        let range = self.base + node.as_span().start()..self.base + node.as_span().end();
        diagnose::diagnose(self.source, self.text, self.compact, context, range)
    }

    fn name(&self, node: &Node<'_>) -> Name {
        Name {
            text: node.as_str().to_owned(),
            span: self.node_span(node),
        }
    }

    /// A name, or the report that it is missing and an empty one.
    fn declared_name(&mut self, node: Option<Node<'_>>, what: &str, after: Span) -> Option<Name> {
        match node {
            Some(node) if node.as_rule() == Rule::name => Some(self.name(&node)),
            _ => {
                let place = self.span(after.end as usize, after.end as usize);
                self.report(
                    after,
                    Diagnostic::error(Code::E0104, place, format!("this {what} has no name"))
                        .label("expected a name here")
                        .help(format!("give the {what} a name")),
                );
                None
            }
        }
    }

    fn path(&self, node: Node<'_>) -> Path {
        let start = self.start(&node);
        let segments: Vec<Name> = node.into_inner().map(|name| self.name(&name)).collect();
        let end = segments.last().map_or(start, |name| name.span.end as usize);
        Path {
            segments,
            span: self.span(start, end),
        }
    }

    /// Checks how a statement ends; gives the position of its end. `last` is the end of what stands before.
    fn end(&mut self, node: Option<Node<'_>>, start: usize, last: u32, what: &str) -> usize {
        let last = last as usize;
        let Some(node) = node else { return last };
        let extent = self.span(start, last);
        match node.as_rule() {
            Rule::semi => return self.end_of(&node),
            Rule::wrong_semi | Rule::wrong_arm_semi => {
                let at = self.start(&node);
                let comma = self.span(at, at + 1);
                self.report(
                    extent.to(comma),
                    Diagnostic::error(Code::E0102, comma, format!("this {what} ends in `,`"))
                        .label("expected `;`")
                        .fix("write `;`", comma, ";"),
                );
            }
            _ => {
                let place = self.span(last, last);
                self.report(
                    extent,
                    Diagnostic::error(Code::E0102, place, format!("missing `;` after this {what}"))
                        .label("expected `;`")
                        .fix("write `;`", place, ";"),
                );
            }
        }
        last
    }

    fn edition(&mut self, file: &mut File, node: Node<'_>) {
        let mut kids = Kids::new(node);
        let keyword = kids.next_span(self);
        let Some(number) = kids.take(Rule::number) else {
            return;
        };
        let int = self.int(number.as_str(), self.node_span(&number));
        self.end(
            kids.pairs.next(),
            keyword.start as usize,
            int.span.end,
            "statement",
        );
        if file.edition.is_some() {
            self.report(
                keyword,
                Diagnostic::error(Code::E0113, keyword, "the edition is given twice")
                    .help("remove one"),
            );
        } else if file.package.is_some() || !file.imports.is_empty() || !file.items.is_empty() {
            self.report(
                keyword,
                Diagnostic::error(Code::E0113, keyword, "the edition does not stand first")
                    .help("move it before everything else; it says how the rest is read"),
            );
        }
        if int.value != Some(1) {
            self.report(
                int.span,
                Diagnostic::error(
                    Code::E0119,
                    int.span,
                    format!("unknown edition `{}`", number.as_str()),
                )
                .label("this compiler knows edition 1")
                .fix("write `1`, or use a newer compiler", int.span, "1"),
            );
        }
        file.edition = Some(int);
    }

    fn package(&mut self, file: &mut File, node: Node<'_>) {
        let mut kids = Kids::new(node);
        let keyword = kids.next_span(self);
        let Some(path) = kids.take(Rule::path) else {
            return;
        };
        let path = self.path(path);
        let mut last = path.span;
        let mut version = None;
        if let Some(number) = kids.take(Rule::version) {
            last = self.node_span(&number);
            version = self.version(number.as_str(), last);
        }
        let end = self.end(
            kids.pairs.next(),
            keyword.start as usize,
            last.end,
            "statement",
        );
        let span = self.span(keyword.start as usize, end);
        if let Some(first) = &file.package {
            let error = Diagnostic::error(Code::E0113, span, "a file has one package")
                .also(first.span, "first declared here")
                .help("remove one, or split the file");
            self.report(span, error);
            return;
        }
        if !file.imports.is_empty() || has_declarations(file) {
            self.report(
                span,
                Diagnostic::error(Code::E0113, span, "the package does not stand first")
                    .help("move it before the imports and declarations"),
            );
        }
        file.package = Some(Package {
            path,
            version,
            span,
        });
    }

    /// `1.2` as major and minor; they are counted apart, so `1.10` is newer than `1.9`.
    fn version(&mut self, text: &str, span: Span) -> Option<(Int, Int)> {
        let at = span.start as usize;
        let parts = text.split_once('.').filter(|(major, minor)| {
            [major, minor]
                .iter()
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        });
        let version = parts.map(|(major, minor)| {
            let middle = at + major.len();
            (
                self.int(major, self.span(at, middle)),
                self.int(minor, self.span(middle + 1, span.end as usize)),
            )
        });
        match version {
            Some((major, minor)) if major.value.is_some() && minor.value.is_some() => {
                Some((major, minor))
            }
            _ => {
                let error =
                    Diagnostic::error(Code::E0120, span, format!("`{text}` is not a version"))
                        .label("expected two numbers, such as `1.2`");
                self.report(
                    span,
                    if text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() < 6 {
                        error.fix("write major and minor", span, format!("{text}.0"))
                    } else {
                        error.help("write major and minor, joined by a dot")
                    },
                );
                None
            }
        }
    }

    fn int(&self, text: &str, span: Span) -> Int {
        Int {
            value: text.parse().ok(),
            span,
        }
    }

    fn import(&mut self, file: &mut File, node: Node<'_>) {
        let mut kids = Kids::new(node);
        let keyword = kids.next_span(self);
        let Some(path) = kids.take(Rule::path) else {
            return;
        };
        let path = self.path(path);
        let mut last = path.span.end;
        let mut rename = None;
        if kids.take(Rule::kw_as).is_some()
            && let Some(name) = kids.take(Rule::name)
        {
            let name = self.name(&name);
            last = name.span.end;
            rename = Some(name);
        }
        let end = self.end(kids.pairs.next(), keyword.start as usize, last, "import");
        let span = self.span(keyword.start as usize, end);
        if has_declarations(file) {
            self.report(
                span,
                Diagnostic::error(Code::E0113, span, "an import stands after a declaration")
                    .help("move it before the first declaration"),
            );
        }
        file.imports.push(Import { path, rename, span });
    }
}

fn stray(span: Span, sign: &str) -> Diagnostic {
    Diagnostic::error(
        Code::E0116,
        span,
        format!("nothing stands before this `{sign}`"),
    )
    .fix("remove it", span, "")
}

/// The children of a match, taken one by one.
pub(super) struct Kids<'i> {
    pairs: Pairs<'i, Rule>,
}

impl<'i> Kids<'i> {
    fn new(node: Node<'i>) -> Self {
        Self {
            pairs: node.into_inner(),
        }
    }

    fn peek(&self) -> Option<Rule> {
        self.pairs.peek().map(|node| node.as_rule())
    }

    /// The next child, if it is of that rule.
    fn take(&mut self, rule: Rule) -> Option<Node<'i>> {
        if self.peek() == Some(rule) {
            self.pairs.next()
        } else {
            None
        }
    }

    /// The span of the next child, which ends in a token of its own; it is taken.
    fn next_span(&mut self, lower: &Lower<'_>) -> Span {
        self.pairs
            .next()
            .map_or(lower.span(0, 0), |node| lower.node_span(&node))
    }
}

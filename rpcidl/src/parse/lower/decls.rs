//! Lowers declarations: their heads here, their bodies in `members` and `methods`.

use super::{Kids, Lower, Node};
use crate::ast::{Alias, Attrs, Const, Enum, EnumKind, Interface, Item, Name, Struct, Type, Union};
use crate::diag::{Code, Diagnostic};
use crate::parse::diagnose::Context;
use crate::parse::grammar::Rule;
use crate::source::Span;

/// What the head of a declaration with a body says.
struct Head {
    /// First byte.
    start: usize,
    closed: Option<Span>,
    oneway: Option<Span>,
    keyword: String,
    name: Option<Name>,
    /// The type after the colon.
    repr: Option<Type>,
    base: Option<crate::ast::Path>,
}

impl Lower<'_> {
    /// An item of a file.
    pub(super) fn item(&mut self, node: Node<'_>) -> Item {
        let span = self.node_span(&node);
        let mut kids = Kids::new(node);
        let (attrs, declaration) = self.attrs(&mut kids);
        match declaration {
            Some(node) => self.declaration(attrs, node),
            None => Item::Invalid(span),
        }
    }

    /// True for the rules that [`Self::declaration`] takes.
    pub(super) fn is_declaration(rule: Rule) -> bool {
        matches!(
            rule,
            Rule::const_decl
                | Rule::alias_decl
                | Rule::struct_decl
                | Rule::enum_decl
                | Rule::union_decl
                | Rule::interface_decl
        )
    }

    /// A declaration, of a file or nested; the checker knows which may be nested where.
    pub(super) fn declaration(&mut self, attrs: Attrs, node: Node<'_>) -> Item {
        match node.as_rule() {
            Rule::const_decl => self.const_decl(attrs, node),
            Rule::alias_decl => self.alias_decl(attrs, node),
            Rule::struct_decl => self.struct_decl(attrs, node),
            Rule::enum_decl => self.enum_decl(attrs, node),
            Rule::union_decl => self.union_decl(attrs, node),
            Rule::interface_decl => self.interface_decl(attrs, node),
            _ => Item::Invalid(self.node_span(&node)),
        }
    }

    fn const_decl(&mut self, attrs: Attrs, node: Node<'_>) -> Item {
        let whole = self.node_span(&node);
        let mut kids = Kids::new(node);
        let keyword = kids.next_span(self);
        let Some(ty) = kids.take(Rule::ty) else {
            return Item::Invalid(whole);
        };
        let ty = self.ty(ty);
        let name = self.const_name(kids.pairs.next().as_ref(), &ty);
        self.assignment(&mut kids, "the name and its value", "=");
        let after = name.as_ref().map_or(ty.span, |name| name.span);
        let value = self.value(kids.pairs.next(), after);
        let end = self.end(
            kids.pairs.next(),
            keyword.start as usize,
            value.span.end,
            "constant",
        );
        let span = self.span(keyword.start as usize, end);
        match name {
            Some(name) => Item::Const(Const {
                attrs,
                ty,
                name,
                value,
                span,
            }),
            None => Item::Invalid(span),
        }
    }

    /// With one word between `const` and `=`, either the type or the name is missing.
    fn const_name(&mut self, node: Option<&Node<'_>>, ty: &Type) -> Option<Name> {
        if let Some(node) = node
            && node.as_rule() == Rule::name
        {
            return Some(self.name(node));
        }
        let word = self.text.get(ty.span.range()).unwrap_or_default();
        let looks_like_name = word.len() > 1 && !word.bytes().any(|byte| byte.is_ascii_lowercase());
        let (code, message, label) = if looks_like_name {
            (
                Code::E0105,
                format!("constant `{word}` has no type"),
                "expected a type before this",
            )
        } else {
            (
                Code::E0104,
                "this constant has no name".to_owned(),
                "expected a name after this",
            )
        };
        let help = "write the type, then the name, such as `const u32 LIMIT = 10;`";
        self.report(
            ty.span,
            Diagnostic::error(code, ty.span, message)
                .label(label)
                .help(help),
        );
        None
    }

    /// Takes a wrong sign before a value or a type.
    fn assignment(&mut self, kids: &mut Kids<'_>, between: &str, sign: &str) {
        if !matches!(kids.peek(), Some(Rule::wrong_colon | Rule::wrong_equals)) {
            return;
        }
        let span = kids.next_span(self);
        let wrong = if sign == "=" { ":" } else { "=" };
        let replacement = if sign == "=" { " =" } else { ":" };
        // `A: 1` needs a blank that `A : 1` already has.
        let blank_before = self
            .text
            .as_bytes()
            .get((span.start as usize).wrapping_sub(1))
            == Some(&b' ');
        self.report(
            span,
            Diagnostic::error(
                Code::E0109,
                span,
                format!("`{wrong}` stands between {between}"),
            )
            .label(format!("expected `{sign}`"))
            .fix(
                format!("write `{sign}`"),
                span,
                if blank_before { sign } else { replacement },
            ),
        );
    }

    fn alias_decl(&mut self, attrs: Attrs, node: Node<'_>) -> Item {
        let whole = self.node_span(&node);
        let mut kids = Kids::new(node);
        let keyword = kids.next_span(self);
        let name = self.declared_name(kids.pairs.next(), "alias", keyword);
        self.assignment(&mut kids, "the name and its type", "=");
        let Some(ty) = kids.take(Rule::ty) else {
            return Item::Invalid(whole);
        };
        let ty = self.ty(ty);
        let end = self.end(
            kids.pairs.next(),
            keyword.start as usize,
            ty.span.end,
            "alias",
        );
        let span = self.span(keyword.start as usize, end);
        match name {
            Some(name) => Item::Alias(Alias {
                attrs,
                name,
                ty,
                span,
            }),
            None => Item::Invalid(span),
        }
    }

    /// Takes everything before the body.
    fn head(&mut self, start: usize, kids: &mut Kids<'_>) -> Head {
        let mut head = Head {
            start,
            closed: None,
            oneway: None,
            keyword: String::new(),
            name: None,
            repr: None,
            base: None,
        };
        if let Some(node) = kids.take(Rule::kw_closed) {
            head.closed = Some(self.node_span(&node));
        }
        if let Some(node) = kids.take(Rule::kw_oneway) {
            head.oneway = Some(self.node_span(&node));
        }
        let Some(keyword) = kids.pairs.next() else {
            return head;
        };
        head.keyword = keyword.as_str().to_owned();
        let mut last = self.node_span(&keyword);
        head.name = self.declared_name(kids.pairs.next(), keyword.as_str(), last);
        last = head.name.as_ref().map_or(last, |name| name.span);
        self.assignment(kids, "the name and its type", ":");
        if let Some(ty) = kids.take(Rule::ty) {
            let ty = self.ty(ty);
            last = ty.span;
            head.repr = Some(ty);
        }
        if let Some(colon) = kids.take(Rule::wrong_base) {
            let span = self.node_span(&colon);
            let error = Diagnostic::error(
                Code::E0109,
                span,
                "`:` stands before the interface that this one extends",
            )
            .label("expected `extends`");
            self.report(span, error.fix("write `extends`", span, "extends"));
        } else {
            kids.take(Rule::kw_extends);
        }
        if let Some(path) = kids.take(Rule::path) {
            let path = self.path(path);
            last = path.span;
            head.base = Some(path);
        }
        if let Some(bad) = kids.take(Rule::bad_header)
            && !self.scoped(&mut head, &bad)
        {
            self.bad_header(&head, last, &bad);
        }
        if let Some(closed) = head.closed
            && matches!(head.keyword.as_str(), "struct" | "interface")
        {
            let keyword = head.keyword.clone();
            let help = "remove it; enums, flags and unions can be closed to unknown values";
            let error = Diagnostic::error(
                Code::E0115,
                closed,
                format!("`closed` means nothing before `{keyword}`"),
            );
            // The blank after the word goes with it.
            let edit = self.span(closed.start as usize, closed.end as usize + 1);
            self.report(closed, error.fix(help, edit, ""));
        }
        head
    }

    /// `enum class Mode`: reports the word before the name, and takes the name.
    fn scoped(&mut self, head: &mut Head, bad: &Node<'_>) -> bool {
        let text = bad.as_str();
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let (name, rest) = text.split_at(text.find(|it| !is_letter(it)).unwrap_or(text.len()));
        let Some(word) = head
            .name
            .clone()
            .filter(|word| matches!(word.text.as_str(), "class" | "struct") && !name.is_empty())
        else {
            return false;
        };
        let span = self.node_span(bad);
        let edit = self.span(word.span.start as usize, span.start as usize);
        let message = format!(
            "`{}` stands between `{}` and its name",
            word.text, head.keyword
        );
        let error = Diagnostic::error(Code::E0101, word.span, message)
            .label("not needed here")
            .fix("remove it", edit, "");
        self.report(word.span.to(span), error);
        let start = span.start as usize;
        head.name = Some(Name {
            text: name.to_owned(),
            span: self.span(start, start + name.len()),
        });
        if !rest.trim().is_empty() {
            // The type that carries it, most likely.
            head.repr = Some(Self::invalid_type(span));
        }
        true
    }

    /// Reports what stands between a head and its `{`.
    fn bad_header(&mut self, head: &Head, last: Span, bad: &Node<'_>) {
        let text = bad.as_str();
        let span = self.node_span(bad);
        let keyword = &head.keyword;
        let error = Diagnostic::error(
            Code::E0101,
            span,
            format!(
                "expected `{{` after the head of this {keyword}, found `{}`",
                first_line(text)
            ),
        );
        let error = match (keyword.as_str(), text.as_bytes().first()) {
            ("struct", Some(b':')) => error
                .label("a struct has no base and no repr")
                .help("put the other struct into a field"),
            ("struct", _) if text.starts_with("extends") => error
                .label("a struct has no base")
                .help("put the other struct into a field"),
            (_, Some(b'<')) => error
                .label("declarations have no parameters")
                .help("declare one for each type that it is used with, or use `vec<T, N>`"),
            ("enum" | "flags" | "error" | "union", Some(b':')) if head.repr.is_none() => error
                .label("no type follows")
                .help("write an integer type after the `:`, such as `u8`"),
            ("interface", Some(b',')) => error
                .label("an interface extends one other")
                .help("keep one base, or make a chain of them"),
            ("interface", _) if text.starts_with("extends") => error
                .label("not the name of an interface")
                .help("write `extends IBase`; what another file declares is imported first"),
            ("interface", _) if text.starts_with("implements") => error.help("write `extends`"),
            _ => error.label("not part of a head").help("remove it"),
        };
        self.report(last.to(span), error);
    }

    fn struct_decl(&mut self, attrs: Attrs, node: Node<'_>) -> Item {
        let (start, mut end) = (self.start(&node), self.end_of(&node));
        let mut kids = Kids::new(node);
        let head = self.head(start, &mut kids);
        // Members are large, so room is made only for as many as there are.
        let mut members = Vec::with_capacity(kids.pairs.len());
        for node in kids.pairs {
            match node.as_rule() {
                Rule::close_brace => end = self.end_of(&node),
                Rule::struct_member => members.push(self.struct_member(node)),
                _ => {
                    if let Some(span) = self.mistake(Context::Struct, &node) {
                        members.push(crate::ast::StructMember::Invalid(span));
                    }
                }
            }
        }
        let span = self.span(head.start, end);
        match head.name {
            Some(name) => Item::Struct(Struct {
                attrs,
                name,
                members,
                span,
            }),
            None => Item::Invalid(span),
        }
    }

    fn enum_decl(&mut self, attrs: Attrs, node: Node<'_>) -> Item {
        let (start, mut end) = (self.start(&node), self.end_of(&node));
        let mut kids = Kids::new(node);
        let head = self.head(start, &mut kids);
        let (mut members, mut reserved, mut lost) = (Vec::new(), Vec::new(), false);
        for node in kids.pairs {
            match node.as_rule() {
                Rule::close_brace => end = self.end_of(&node),
                Rule::enum_member => self.enum_member(node, &mut members, &mut reserved),
                _ => lost |= self.mistake(Context::Enum, &node).is_some(),
            }
        }
        let span = self.span(head.start, end);
        if lost && members.is_empty() {
            // As in a union: its only members could not be read.
            return Item::Invalid(span);
        }
        let kind = match head.keyword.as_str() {
            "flags" => EnumKind::Flags,
            "error" => EnumKind::Error,
            _ => EnumKind::Enum,
        };
        match head.name {
            Some(name) => Item::Enum(Enum {
                attrs,
                kind,
                closed: head.closed,
                name,
                repr: head.repr,
                members,
                reserved,
                span,
            }),
            None => Item::Invalid(span),
        }
    }

    fn union_decl(&mut self, attrs: Attrs, node: Node<'_>) -> Item {
        let (start, mut end) = (self.start(&node), self.end_of(&node));
        let mut kids = Kids::new(node);
        let head = self.head(start, &mut kids);
        let (mut arms, mut reserved, mut lost) = (Vec::new(), Vec::new(), false);
        for node in kids.pairs {
            match node.as_rule() {
                Rule::close_brace => end = self.end_of(&node),
                Rule::union_member => self.union_member(node, &mut arms, &mut reserved),
                _ => lost |= self.mistake(Context::Union, &node).is_some(),
            }
        }
        let span = self.span(head.start, end);
        if lost && arms.is_empty() {
            // Its only arms could not be read, so nobody can tell what it holds.
            return Item::Invalid(span);
        }
        match head.name {
            Some(name) => Item::Union(Union {
                attrs,
                closed: head.closed,
                name,
                tag: head.repr,
                arms,
                reserved,
                span,
            }),
            None => Item::Invalid(span),
        }
    }

    fn interface_decl(&mut self, attrs: Attrs, node: Node<'_>) -> Item {
        let (start, mut end) = (self.start(&node), self.end_of(&node));
        let mut kids = Kids::new(node);
        let head = self.head(start, &mut kids);
        // Members are large, so room is made only for as many as there are.
        let mut members = Vec::with_capacity(kids.pairs.len());
        for node in kids.pairs {
            match node.as_rule() {
                Rule::close_brace => end = self.end_of(&node),
                Rule::interface_member => members.push(self.interface_member(node)),
                _ => {
                    if let Some(span) = self.mistake(Context::Interface, &node) {
                        members.push(crate::ast::InterfaceMember::Invalid(span));
                    }
                }
            }
        }
        let span = self.span(head.start, end);
        match head.name {
            Some(name) => Item::Interface(Interface {
                attrs,
                oneway: head.oneway,
                name,
                base: head.base,
                members,
                span,
            }),
            None => Item::Invalid(span),
        }
    }
}

/// The first line of a text, for a message.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end()
}

//! Declarations: attributes, heads and the shape of bodies.

use super::Printer;
use crate::ast::{Attrs, Enum, EnumKind, Interface, Item, Name, Struct, Union};
use crate::parse::find_brace;
use crate::source::Span;

/// Where an item begins, its attributes included.
pub(super) fn start_of(item: &Item) -> u32 {
    let (attrs, span) = match item {
        Item::Const(item) => (&item.attrs, item.span),
        Item::Alias(item) => (&item.attrs, item.span),
        Item::Enum(item) => (&item.attrs, item.span),
        Item::Struct(item) => (&item.attrs, item.span),
        Item::Union(item) => (&item.attrs, item.span),
        Item::Interface(item) => (&item.attrs, item.span),
        Item::Invalid(span) => return span.start,
    };
    attrs_start(attrs, span)
}

/// Where something begins, its attributes included.
pub(super) fn attrs_start(attrs: &Attrs, span: Span) -> u32 {
    let doc = attrs.docs.first().map_or(span.start, |doc| doc.span.start);
    let annotation = attrs
        .annotations
        .first()
        .map_or(span.start, |annotation| annotation.span.start);
    doc.min(annotation).min(span.start)
}

impl Printer<'_> {
    /// Everything before a declaration, and its own first position.
    pub(super) fn attrs(&mut self, attrs: &Attrs, span: Span) {
        self.out.begin(attrs_start(attrs, span));
        for (index, doc) in attrs.docs.iter().enumerate() {
            if index > 0 {
                self.out.new_line();
            }
            self.out.doc("///", &doc.text);
            self.out.pass(doc.span.end.min(span.start));
        }
        let mut first = attrs.docs.is_empty();
        for annotation in &attrs.annotations {
            if !first {
                self.out.follow(annotation.span.start);
            }
            first = false;
            self.out.word(&self.words.annotation(annotation));
            self.out.end(annotation.span.end);
        }
        if !first {
            self.out.follow(span.start);
        }
    }

    /// An item of a file or of a body.
    pub(super) fn item(&mut self, item: &Item) {
        match item {
            Item::Const(item) => {
                self.attrs(&item.attrs, item.span);
                let (ty, value) = (self.words.ty(&item.ty), self.words.expr(&item.value));
                self.out
                    .word(&format!("const {ty} {} = {value};", item.name.text));
                self.out.end(item.span.end);
            }
            Item::Alias(item) => {
                self.attrs(&item.attrs, item.span);
                self.out.word(&format!(
                    "alias {} = {};",
                    item.name.text,
                    self.words.ty(&item.ty)
                ));
                self.out.end(item.span.end);
            }
            Item::Enum(item) => self.enumeration(item),
            Item::Struct(item) => self.structure(item),
            Item::Union(item) => self.union(item),
            Item::Interface(item) => self.interface(item),
            Item::Invalid(span) => {
                self.out.begin(span.start);
                self.out.word(self.words.source(*span));
                self.out.end(span.end);
            }
        }
    }

    fn enumeration(&mut self, item: &Enum) {
        let keyword = match item.kind {
            EnumKind::Enum => "enum",
            EnumKind::Flags => "flags",
            EnumKind::Error => "error",
        };
        let closed = if item.closed.is_some() { "closed " } else { "" };
        let mut head = format!("{closed}{keyword} {}", item.name.text);
        let mut end = item.name.span.end;
        if let Some(repr) = &item.repr {
            head.push_str(&format!(" : {}", self.words.ty(repr)));
            end = repr.span.end;
        }
        self.attrs(&item.attrs, item.span);
        let parts = self.enum_parts(item);
        let plain = item.members.iter().all(|member| is_bare(&member.attrs));
        if !self.inline(
            &head,
            end,
            item.span,
            plain,
            &parts.iter().map(|part| part.1.clone()).collect::<Vec<_>>(),
            ",",
        ) {
            self.out.word(&head);
            self.out.open(self.brace(end, item.span), " {");
            self.enum_body(item);
            self.out.close(item.span.end, "}");
        }
    }

    fn structure(&mut self, item: &Struct) {
        self.attrs(&item.attrs, item.span);
        let head = format!("struct {}", item.name.text);
        let end = item.name.span.end;
        let parts = self.field_words(&item.members);
        let plain = parts.len() == item.members.len();
        if !self.inline(&head, end, item.span, plain, &parts, "") {
            self.out.word(&head);
            self.out.open(self.brace(end, item.span), " {");
            self.struct_body(&item.members);
            self.out.close(item.span.end, "}");
        }
    }

    fn union(&mut self, item: &Union) {
        let closed = if item.closed.is_some() { "closed " } else { "" };
        let mut head = format!("{closed}union {}", item.name.text);
        let mut end = item.name.span.end;
        if let Some(tag) = &item.tag {
            head.push_str(&format!(" : {}", self.words.ty(tag)));
            end = tag.span.end;
        }
        self.attrs(&item.attrs, item.span);
        let parts = self.arm_words(item);
        let plain = item.arms.iter().all(|arm| is_bare(&arm.attrs));
        if !self.inline(&head, end, item.span, plain, &parts, "") {
            self.out.word(&head);
            self.out.open(self.brace(end, item.span), " {");
            self.union_body(item);
            self.out.close(item.span.end, "}");
        }
    }

    fn interface(&mut self, item: &Interface) {
        self.attrs(&item.attrs, item.span);
        let oneway = if item.oneway.is_some() { "oneway " } else { "" };
        let mut head = format!("{oneway}interface {}", item.name.text);
        let mut end = item.name.span.end;
        if let Some(base) = &item.base {
            head.push_str(&format!(" extends {}", self.words.path(base)));
            end = base.span.end;
        }
        if item.members.is_empty() && self.inline(&head, end, item.span, true, &[], "") {
            return;
        }
        self.out.word(&head);
        self.out.open(self.brace(end, item.span), " {");
        self.interface_body(&item.members);
        self.out.close(item.span.end, "}");
    }

    /// Writes a declaration on one line if it was on one and fits; false if it must be broken.
    fn inline(
        &mut self,
        head: &str,
        head_end: u32,
        span: Span,
        plain: bool,
        parts: &[String],
        separator: &str,
    ) -> bool {
        let body = self
            .words
            .text
            .get(head_end as usize..span.end as usize)
            .unwrap_or("\n");
        let empty = parts.is_empty() && plain;
        if !plain || self.out.has_comment(span.start, span.end) || (body.contains('\n') && !empty) {
            return false;
        }
        let line = if empty {
            format!("{head} {{}}")
        } else {
            format!("{head} {{ {} }}", parts.join(&format!("{separator} ")))
        };
        if line.chars().count() + self.out.column() > super::WIDTH {
            return false;
        }
        self.out.word(&line);
        self.out.end(span.end);
        true
    }

    /// The place after the opening brace of a declaration whose head ends at `head_end`.
    fn brace(&self, head_end: u32, span: Span) -> u32 {
        find_brace(self.words.text, head_end as usize).map_or(span.end, |place| place as u32 + 1)
    }
}

/// True without documentation and annotations.
pub(super) fn is_bare(attrs: &Attrs) -> bool {
    attrs.docs.is_empty() && attrs.annotations.is_empty()
}

/// The text of a name with a blank before it.
pub(super) fn after_blank(name: &Name) -> String {
    format!(" {}", name.text)
}

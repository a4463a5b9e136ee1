//! Lowers what stands before a declaration.

use super::{Kids, Lower, Node};
use crate::ast::{Annotation, AnnotationArg, AnnotationValue, Attrs};
use crate::diag::{Code, Diagnostic};
use crate::parse::diagnose::Context;
use crate::parse::grammar::Rule;

impl Lower<'_> {
    /// The annotations at the front of `kids` with all documentation, and the child after them.
    pub(super) fn attrs<'i>(&mut self, kids: &mut Kids<'i>) -> (Attrs, Option<Node<'i>>) {
        let mut attrs = Attrs::default();
        // What stands behind an annotation on its line is about the declaration that the annotation belongs to.
        let mut inside = false;
        while let Some(node) = kids.take(Rule::annotation) {
            attrs
                .docs
                .extend(self.docs.before(self.start(&node), inside));
            if let Some(annotation) = self.annotation(node) {
                attrs.annotations.push(annotation);
            }
            inside = true;
        }
        let next = kids.pairs.next();
        if let Some(node) = &next {
            let start = self.start(node);
            if matches!(node.as_rule(), Rule::reserved_room | Rule::reserved_numbers) {
                self.docs.keep_plain(start, inside);
            } else {
                attrs.docs.extend(self.docs.before(start, inside));
            }
        }
        (attrs, next)
    }

    fn annotation(&mut self, node: Node<'_>) -> Option<Annotation> {
        let start = self.start(&node);
        let whole = node.clone();
        let mut kids = Kids::new(node);
        let name = kids.take(Rule::name).map(|name| self.name(&name))?;
        let mut end = name.span.end as usize;
        let mut args = Vec::new();
        if let Some(list) = kids.take(Rule::annotation_args) {
            for node in list.into_inner() {
                match node.as_rule() {
                    Rule::annotation_arg => args.extend(self.annotation_arg(node)),
                    Rule::close_paren => end = self.end_of(&node),
                    _ => {
                        end = self.end_of(&node);
                        self.lost(self.span(start, end), Context::Annotation, &whole);
                        // Its arguments are unknown, and a check of the rest would only guess.
                        return None;
                    }
                }
            }
        }
        Some(Annotation {
            name,
            args,
            span: self.span(start, end),
        })
    }

    fn annotation_arg(&mut self, node: Node<'_>) -> Option<AnnotationArg> {
        let mut kids = Kids::new(node);
        let key = kids.take(Rule::name).map(|name| self.name(&name));
        kids.take(Rule::equals);
        if let Some(colon) = kids.take(Rule::wrong_colon) {
            let span = self.node_span(&colon);
            self.report(
                span,
                Diagnostic::error(
                    Code::E0109,
                    span,
                    "`:` stands between the key and its value",
                )
                .label("expected `=`")
                .fix("write `=`", span, " ="),
            );
        }
        let node = kids.pairs.next()?;
        let value = if node.as_rule() == Rule::set {
            let start = self.start(&node);
            let mut end = self.end_of(&node);
            let mut names = Vec::new();
            for part in node.into_inner() {
                match part.as_rule() {
                    Rule::name => names.push(self.name(&part)),
                    _ => end = self.end_of(&part),
                }
            }
            AnnotationValue::Set(names, self.span(start, end))
        } else {
            AnnotationValue::Expr(self.expr(node))
        };
        Some(AnnotationArg { key, value })
    }
}

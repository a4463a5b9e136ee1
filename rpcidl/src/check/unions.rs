//! `union`: tags and arms.

use std::collections::BTreeMap;

use super::annotations::Place;
use super::enums::{UNSIGNED, in_reserved, uses_reserved};
use super::names::{Names, camel};
use super::{Checker, Spot, State, TypeFacts};
use crate::ast::{self, TypeKind};
use crate::diag::{Code, Diagnostic};
use crate::eval::Env;
use crate::ir;
use crate::limits;
use crate::resolve::DeclId;
use crate::source::Span;

impl<'a> Checker<'_, 'a> {
    /// Checks a union.
    pub(super) fn union(&mut self, id: DeclId, node: &'a ast::Union) -> State {
        let scope = self.scope_of(id);
        let notes = self.notes(&node.attrs, Place::Union, scope);
        let mut facts = TypeFacts {
            max_size: notes.max_size,
            ..TypeFacts::default()
        };
        let tag = self.repr(
            node.tag.as_ref(),
            node.name.span,
            scope,
            "a union",
            UNSIGNED,
        );
        facts.poisoned |= tag.is_none();
        if node.arms.is_empty() {
            self.error(
                Diagnostic::error(
                    Code::E0325,
                    node.name.span,
                    format!("union `{}` has no arms", node.name.text),
                )
                .help("add an arm, such as `0: void none;`"),
            );
            facts.poisoned = true;
        }
        if let Some(extra) = node.arms.get(limits::MEMBERS) {
            self.error(
                Diagnostic::error(
                    Code::E0404,
                    extra.name.span,
                    format!("`{}` has {} arms", node.name.text, node.arms.len()),
                )
                .label("the first one over the limit")
                .help(format!("at most {} are allowed", limits::MEMBERS)),
            );
            return State::Poisoned;
        }
        let env = Env {
            scope,
            width: tag.map_or(128, |tag| tag.size() * 8),
            own: None,
        };
        let reserved = self.reserved_numbers(&node.reserved, scope);
        let mut names = Names::new(camel);
        let mut seen: BTreeMap<i128, Span> = BTreeMap::new();
        let mut arms = Vec::with_capacity(node.arms.len());
        for arm in &node.arms {
            let arm_notes = self.notes(&arm.attrs, Place::Arm, scope);
            if let Some(error) = names.add(&arm.name) {
                self.error(error);
                facts.poisoned = true;
            }
            let number = self
                .integer(&arm.tag, &env, "a tag")
                .and_then(|value| match tag {
                    Some(tag) => self.in_range(&arm.tag, value, tag, UNSIGNED),
                    None => Some(value),
                });
            if let Some(number) = number {
                if let Some(range) = in_reserved(&reserved, number) {
                    self.error(uses_reserved(
                        arm.tag.span,
                        &format!("arm `{}`", arm.name.text),
                        number,
                        range,
                    ));
                }
                if let Some(&first) = seen.get(&number) {
                    self.error(
                        Diagnostic::error(
                            Code::E0320,
                            arm.tag.span,
                            format!("two arms have the tag {number}"),
                        )
                        .also(first, "first used here")
                        .help("give one of them another tag"),
                    );
                } else {
                    seen.insert(number, arm.tag.span);
                }
            }
            let ty = match &arm.ty.kind {
                TypeKind::Void => Some(None),
                _ => self.ty(&arm.ty, scope, Spot::Arm).and_then(|ty| {
                    self.no_resource(&ty, arm.ty.span, "the arm of a union")?;
                    facts.float |= self.has_float(&ty);
                    facts.poisoned |= !self.is_sound(&ty);
                    Some(Some(ty))
                }),
            };
            let (Some(ty), Some(number)) = (ty, number) else {
                facts.poisoned = true;
                continue;
            };
            arms.push(ir::Arm {
                meta: arm_notes.meta(&arm.attrs),
                name: arm.name.text.clone(),
                tag: number,
                ty,
                span: arm.name.span,
            });
        }
        let closed = node.closed.is_some();
        if closed && !facts.poisoned && !seen.contains_key(&0) {
            let warning = Diagnostic::warning(
                Code::W0301,
                node.name.span,
                format!("closed union `{}` has no arm of tag 0", node.name.text),
            )
            .note("a zeroed message is then refused")
            .help("give an arm the tag 0, or leave `closed` out");
            self.warn(scope.file, warning);
        }
        let parts: Vec<(&str, &ir::Type)> = arms
            .iter()
            .filter_map(|arm| Some((arm.name.as_str(), arm.ty.as_ref()?)))
            .collect();
        let derives = self.derives(&notes, &node.name.text, &parts);
        let meta = notes.meta(&node.attrs);
        let kind = ir::TypeDefKind::Union(ir::Union {
            tag: tag.unwrap_or(ir::Scalar::U8),
            closed,
            arms,
            storage_offset: 0,
            storage_size: 0,
        });
        State::Type(self.add_type(id, meta, kind, derives, false, facts))
    }
}

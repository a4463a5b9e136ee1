//! `enum`, `flags` and `error`.

use std::collections::BTreeMap;

use super::annotations::Place;
use super::names::{Names, camel};
use super::{Checker, State, TypeFacts};
use crate::ast;
use crate::diag::{Code, Diagnostic};
use crate::eval::Env;
use crate::ir::{self, Scalar};
use crate::limits;
use crate::resolve::{DeclId, Scope};
use crate::source::Span;

pub(super) const INTEGERS: &[Scalar] = &[
    Scalar::U8,
    Scalar::U16,
    Scalar::U32,
    Scalar::U64,
    Scalar::I8,
    Scalar::I16,
    Scalar::I32,
    Scalar::I64,
];
/// Bits have no sign, so neither has what carries them.
pub(super) const UNSIGNED: &[Scalar] = &[Scalar::U8, Scalar::U16, Scalar::U32, Scalar::U64];
/// What the reply's status word carries.
const ERRORS: &[Scalar] = &[Scalar::U32, Scalar::I32];

impl<'a> Checker<'_, 'a> {
    /// Checks an enumeration and gives its members their values.
    pub(super) fn enumeration(&mut self, id: DeclId, node: &'a ast::Enum) -> State {
        let scope = self.scope_of(id);
        let (place, kind, allowed, what) = match node.kind {
            ast::EnumKind::Enum => (Place::Enum, ir::EnumKind::Enum, INTEGERS, "an enum"),
            ast::EnumKind::Flags => (Place::Flags, ir::EnumKind::Flags, UNSIGNED, "a flags type"),
            ast::EnumKind::Error => (Place::Error, ir::EnumKind::Error, ERRORS, "an error type"),
        };
        let notes = self.notes(&node.attrs, place, scope);
        if let (ast::EnumKind::Error, Some(closed)) = (node.kind, node.closed) {
            self.error(
                Diagnostic::error(Code::E0328, closed, "an error type cannot be closed")
                    .note("a newer server may answer with an error that this client does not know")
                    .fix("remove `closed`", closed, ""),
            );
        }
        if node.members.is_empty() && node.kind != ast::EnumKind::Flags {
            self.error(
                Diagnostic::error(
                    Code::E0325,
                    node.name.span,
                    format!("`{}` has no members", node.name.text),
                )
                .help("add a member"),
            );
        }
        if let Some(extra) = node.members.get(limits::MEMBERS) {
            self.error(
                Diagnostic::error(
                    Code::E0404,
                    extra.name.span,
                    format!("`{}` has {} members", node.name.text, node.members.len()),
                )
                .label("the first one over the limit")
                .help(format!(
                    "at most {} are allowed; use a plain integer for open-ended numbers",
                    limits::MEMBERS
                )),
            );
            // The rest of the rules would say the same of each one over the limit.
            self.members.insert(id, vec![None; node.members.len()]);
            return State::Poisoned;
        }
        let repr = self.repr(node.repr.as_ref(), node.name.span, scope, what, allowed);
        if let Some(repr) = repr {
            self.reprs.insert(id, repr);
        }
        let values = self.member_values(id, node, repr, allowed, scope);
        self.reserved_and_repeated(node, &values, notes.allow_alias, scope);
        let mut names = Names::new(camel);
        let mut members = Vec::with_capacity(node.members.len());
        for (member, value) in node.members.iter().zip(&values) {
            let member_notes = self.notes(&member.attrs, Place::Member, scope);
            if let Some(error) = names.add(&member.name) {
                self.error(error);
                continue;
            }
            let Some(value) = *value else { continue };
            members.push(ir::Member {
                meta: member_notes.meta(&member.attrs),
                name: member.name.text.clone(),
                value,
                span: member.name.span,
            });
        }
        let closed = node.closed.is_some();
        if closed
            && kind == ir::EnumKind::Enum
            && values.iter().all(Option::is_some)
            && !values.contains(&Some(0))
        {
            let warning = Diagnostic::warning(
                Code::W0301,
                node.name.span,
                format!("closed enum `{}` has no member of value 0", node.name.text),
            )
            .note("a zeroed message is then refused")
            .help("give a member the value 0, or leave `closed` out");
            self.warn(scope.file, warning);
        }
        let poisoned = repr.is_none() || values.iter().any(Option::is_none);
        let definition = ir::Enum {
            kind,
            repr: repr.unwrap_or(Scalar::U8),
            closed,
            members,
        };
        let meta = notes.meta(&node.attrs);
        let facts = TypeFacts {
            poisoned: repr.is_none(),
            ..TypeFacts::default()
        };
        // Integers have every derive, so that a struct which holds one may ask for any.
        let derives = vec![
            ir::Derive::Eq,
            ir::Derive::PartialOrd,
            ir::Derive::Ord,
            ir::Derive::Hash,
        ];
        let ty = self.add_type(
            id,
            meta,
            ir::TypeDefKind::Enum(definition),
            derives,
            false,
            facts,
        );
        if poisoned && repr.is_none() {
            self.poison(ty);
        }
        State::Type(ty)
    }

    /// The value of each member, `None` after an error.
    fn member_values(
        &mut self,
        id: DeclId,
        node: &'a ast::Enum,
        repr: Option<Scalar>,
        allowed: &[Scalar],
        scope: Scope,
    ) -> Vec<Option<i128>> {
        let env = Env {
            scope,
            width: repr.map_or(128, |repr| repr.size() * 8),
            own: Some(id),
        };
        let mut next = Some(0);
        self.members
            .insert(id, Vec::with_capacity(node.members.len()));
        for member in &node.members {
            let value = match &member.value {
                Some(expr) => {
                    let what = format!("the value of `{}`", member.name.text);
                    self.integer(expr, &env, &what)
                        .and_then(|value| match repr {
                            Some(repr) => self.in_range(expr, value, repr, allowed),
                            None => Some(value),
                        })
                }
                None if node.kind == ast::EnumKind::Enum => self.following(member, next, repr),
                None => {
                    let help = match node.kind {
                        ast::EnumKind::Flags => "give it its bits, such as `= 1 << 0`",
                        _ => "give it its number, such as `= 1`; callers will depend on it",
                    };
                    self.error(
                        Diagnostic::error(
                            Code::E0319,
                            member.name.span,
                            format!("member `{}` has no value", member.name.text),
                        )
                        .help(help),
                    );
                    None
                }
            };
            let value = match (node.kind, value, &member.value) {
                (ast::EnumKind::Error, Some(value), Some(expr)) => {
                    self.error_number(expr, value, repr)
                }
                _ => value,
            };
            next = value.and_then(|value| value.checked_add(1));
            if let Some(values) = self.members.get_mut(&id) {
                values.push(value);
            }
        }
        self.members.get(&id).cloned().unwrap_or_default()
    }

    /// One more than the member before.
    fn following(
        &mut self,
        member: &ast::Member,
        next: Option<i128>,
        repr: Option<Scalar>,
    ) -> Option<i128> {
        let value = next?;
        let (Some((least, greatest)), Some(repr)) = (repr.and_then(Scalar::range), repr) else {
            return Some(value);
        };
        if (least..=greatest).contains(&value) {
            return Some(value);
        }
        self.error(
            Diagnostic::error(
                Code::E0305,
                member.name.span,
                format!(
                    "member `{}` follows with {value}, which does not fit in `{}`",
                    member.name.text,
                    repr.keyword()
                ),
            )
            .help("give it a value, or the enum a wider type"),
        );
        None
    }

    /// Errors leave 0 to success and the top to the runtime.
    fn error_number(
        &mut self,
        expr: &ast::Expr,
        value: i128,
        repr: Option<Scalar>,
    ) -> Option<i128> {
        let taken = if value == 0 {
            "0 means success"
        } else if value < 0 {
            "numbers below 0 belong to the runtime"
        } else if value >= limits::RUNTIME_ERRORS {
            "numbers from 0xffff0000 belong to the runtime"
        } else {
            return Some(value);
        };
        let greatest = repr
            .and_then(Scalar::range)
            .map_or(limits::RUNTIME_ERRORS - 1, |(_, greatest)| {
                greatest.min(limits::RUNTIME_ERRORS - 1)
            });
        self.error(
            Diagnostic::error(
                Code::E0322,
                expr.span,
                format!("an error cannot have the number {value}"),
            )
            .label(taken)
            .help(format!("use a number from 1 to {greatest:#x}")),
        );
        None
    }

    fn reserved_and_repeated(
        &mut self,
        node: &'a ast::Enum,
        values: &[Option<i128>],
        allow_alias: bool,
        scope: Scope,
    ) {
        let reserved = self.reserved_numbers(&node.reserved, scope);
        let mut seen: BTreeMap<i128, Span> = BTreeMap::new();
        for (member, value) in node.members.iter().zip(values) {
            let Some(value) = *value else { continue };
            let place = member
                .value
                .as_ref()
                .map_or(member.name.span, |expr| expr.span);
            if let Some(range) = in_reserved(&reserved, value) {
                self.error(uses_reserved(
                    place,
                    &format!("member `{}`", member.name.text),
                    value,
                    range,
                ));
            }
            match seen.get(&value) {
                Some(&first) if !allow_alias => self.error(
                    Diagnostic::error(
                        Code::E0320,
                        place,
                        format!("two members have the value {value}"),
                    )
                    .also(first, "first used here")
                    .help("change one, or put `@AllowAlias` on the type if both names are meant"),
                ),
                Some(_) => {}
                None => {
                    seen.insert(value, place);
                }
            }
        }
    }

    /// Ranges that may not be used.
    pub(super) fn reserved_numbers(
        &mut self,
        reserved: impl IntoIterator<Item = &'a ast::ReservedNumbers>,
        scope: Scope,
    ) -> Vec<Reserved> {
        let env = Env::new(scope);
        let mut ranges = Vec::new();
        for numbers in reserved {
            let first = self.integer(&numbers.first, &env, "a reserved number");
            let last = match &numbers.last {
                Some(last) => self.integer(last, &env, "a reserved number"),
                None => first,
            };
            let (Some(first), Some(last)) = (first, last) else {
                continue;
            };
            if last < first {
                self.error(
                    Diagnostic::error(
                        Code::E0323,
                        numbers.span,
                        format!("the range {first}..{last} ends before it begins"),
                    )
                    .help(format!("write `reserved {last}..{first}`")),
                );
                continue;
            }
            ranges.push(Reserved {
                first,
                last,
                span: numbers.span,
            });
        }
        merged(ranges)
    }
}

/// The ranges in order, without overlaps, so that the range of a number is found by halving.
pub(super) fn merged(mut ranges: Vec<Reserved>) -> Vec<Reserved> {
    ranges.sort_by_key(|range| (range.first, range.last));
    let mut merged: Vec<Reserved> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(before) if range.first <= before.last => before.last = before.last.max(range.last),
            _ => merged.push(range),
        }
    }
    merged
}

/// Numbers that may not be used, both ends included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved {
    pub(super) first: i128,
    pub(super) last: i128,
    pub(super) span: Span,
}

/// The reserved range that holds the number; the ranges are sorted and apart.
pub(super) fn in_reserved(ranges: &[Reserved], value: i128) -> Option<Reserved> {
    let after = ranges.partition_point(|range| range.first <= value);
    let range = ranges.get(after.checked_sub(1)?)?;
    (value <= range.last).then_some(*range)
}

/// Something uses a reserved number.
pub(super) fn uses_reserved(place: Span, what: &str, value: i128, range: Reserved) -> Diagnostic {
    Diagnostic::error(
        Code::E0321,
        place,
        format!("{what} has the reserved number {value}"),
    )
    .also(range.span, "reserved here")
    .help("use another number; a peer may still know the old meaning of this one")
}

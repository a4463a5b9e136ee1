//! The numbers of methods and events: from 1 in declared order, unless one is given.

use std::collections::BTreeMap;

use super::Checker;
use super::enums::{Reserved, in_reserved, merged, uses_reserved};
use crate::ast;
use crate::diag::{Code, Diagnostic};
use crate::ir;
use crate::limits;
use crate::resolve::Scope;
use crate::source::Span;

/// The numbers of one interface so far.
pub(super) struct Ids {
    next: u32,
    used: BTreeMap<u32, (String, Span)>,
    reserved: Vec<Reserved>,
}

impl Ids {
    /// Goes on after the greatest inherited number.
    pub(super) fn new(inherited: &[ir::Method], reserved: Vec<Reserved>) -> Self {
        let mut ids = Self {
            next: 1,
            used: BTreeMap::new(),
            reserved,
        };
        for method in inherited {
            let id = u32::from(method.id);
            ids.used.insert(id, (method.name.clone(), method.span));
            ids.next = ids.next.max(id + 1);
        }
        ids
    }

    /// Takes numbers out of use.
    pub(super) fn reserve(&mut self, ranges: Vec<Reserved>) {
        self.reserved.extend(ranges);
        self.reserved = merged(std::mem::take(&mut self.reserved));
    }

    /// Leaves a number to a method that could not be read.
    pub(super) fn skip(&mut self) {
        self.next += 1;
    }

    /// The numbers that what extends the interface may not use either.
    pub(super) fn into_reserved(self) -> Vec<Reserved> {
        self.reserved
    }
}

impl<'a> Checker<'_, 'a> {
    /// The number of a method, or `None` after an error.
    pub(super) fn method_id(
        &mut self,
        method: &'a ast::Method,
        scope: Scope,
        ids: &mut Ids,
    ) -> Option<u16> {
        let (number, place) = match &method.id {
            Some(expr) => {
                let number = self.number(
                    expr,
                    scope,
                    1,
                    limits::METHOD_ID,
                    Code::E0508,
                    "the id of a method",
                );
                let Some(number) = number else {
                    // What follows would continue from an unknown number; it keeps the one it would have had.
                    ids.next += 1;
                    return None;
                };
                (number, expr.span)
            }
            None => (ids.next, method.name.span),
        };
        let Some(id) = u16::try_from(number).ok().filter(|&id| id > 0) else {
            self.error(
                Diagnostic::error(
                    Code::E0406,
                    place,
                    format!("method `{}` would get the id {number}", method.name.text),
                )
                .help(format!(
                    "ids end at {}; split the interface",
                    limits::METHOD_ID
                )),
            );
            return None;
        };
        ids.next = number + 1;
        if let Some(range) = in_reserved(&ids.reserved, i128::from(number)) {
            let error = uses_reserved(
                place,
                &format!("method `{}`", method.name.text),
                i128::from(number),
                range,
            );
            let error = Diagnostic {
                code: Code::E0507,
                ..error
            };
            let free = free_id(ids, range);
            self.error(error.help(format!(
                "write `= {free}`; a peer may still know the old meaning of {number}"
            )));
            return None;
        }
        if let Some((first, span)) = ids.used.get(&number) {
            let error = Diagnostic::error(
                Code::E0506,
                place,
                format!(
                    "methods `{first}` and `{}` have the id {number}",
                    method.name.text
                ),
            )
            .also(*span, format!("`{first}` has it"))
            .help("give one of them another id");
            self.error(error);
            return None;
        }
        ids.used
            .insert(number, (method.name.text.clone(), method.name.span));
        Some(id)
    }
}

/// A number after a reserved range that nothing uses.
fn free_id(ids: &Ids, range: Reserved) -> i128 {
    let mut free = range.last.saturating_add(1);
    // A few ranges may follow on each other; the help need not look through thousands.
    for _ in 0..16 {
        let Some(taken) = in_reserved(&ids.reserved, free) else {
            break;
        };
        free = taken.last.saturating_add(1);
    }
    let last_used = ids
        .used
        .keys()
        .next_back()
        .map_or(0, |&last| i128::from(last));
    if ids
        .used
        .contains_key(&u32::try_from(free).unwrap_or(u32::MAX))
    {
        free.max(last_used + 1)
    } else {
        free
    }
}

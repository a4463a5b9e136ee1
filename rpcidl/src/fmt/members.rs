//! The bodies of structs, enumerations and unions.

use super::Printer;
use super::decls::{attrs_start, is_bare, start_of};
use crate::ast::{Arm, Enum, Field, Member, ReservedNumbers, StructMember, Union};

/// Types wider than this are not waited for when names are aligned.
const ALIGNED: usize = 32;

/// A member of an enumeration or of a union.
pub(super) enum Entry<'a> {
    Member(&'a Member),
    Arm(&'a Arm),
    Reserved(&'a ReservedNumbers),
}

impl Printer<'_> {
    /// Members and reserved numbers in the order in which they were written.
    pub(super) fn enum_parts<'t>(&self, item: &'t Enum) -> Vec<(Entry<'t>, String)> {
        let mut parts: Vec<(u32, Entry<'t>, String)> = Vec::new();
        for member in &item.members {
            let text = match &member.value {
                Some(value) => format!("{} = {}", member.name.text, self.words.expr(value)),
                None => member.name.text.clone(),
            };
            parts.push((member.span.start, Entry::Member(member), text));
        }
        for numbers in &item.reserved {
            parts.push((
                numbers.span.start,
                Entry::Reserved(numbers),
                self.words.reserved(numbers),
            ));
        }
        parts.sort_by_key(|part| part.0);
        parts
            .into_iter()
            .map(|(_, entry, text)| (entry, text))
            .collect()
    }

    pub(super) fn enum_body(&mut self, item: &Enum) {
        for (entry, text) in self.enum_parts(item) {
            let end = match entry {
                Entry::Member(member) => {
                    self.attrs(&member.attrs, member.span);
                    member.span.end
                }
                Entry::Reserved(numbers) => {
                    self.out.begin(numbers.span.start);
                    numbers.span.end
                }
                Entry::Arm(arm) => arm.span.end,
            };
            self.out.word(&text);
            self.out.word(",");
            self.out.end(end);
        }
    }

    /// Arms and reserved numbers in order, each with its number, its type and the rest.
    fn union_parts<'t>(&self, item: &'t Union) -> Vec<(Entry<'t>, String, String)> {
        let mut parts: Vec<(u32, Entry<'t>, String, String)> = Vec::new();
        for arm in &item.arms {
            let before = format!("{}: {}", self.words.expr(&arm.tag), self.words.ty(&arm.ty));
            parts.push((
                arm.span.start,
                Entry::Arm(arm),
                before,
                format!("{};", arm.name.text),
            ));
        }
        for numbers in &item.reserved {
            let text = format!("{};", self.words.reserved(numbers));
            parts.push((
                numbers.span.start,
                Entry::Reserved(numbers),
                String::new(),
                text,
            ));
        }
        parts.sort_by_key(|part| part.0);
        parts
            .into_iter()
            .map(|(_, entry, before, after)| (entry, before, after))
            .collect()
    }

    pub(super) fn arm_words(&self, item: &Union) -> Vec<String> {
        let join = |(_, before, after): (Entry<'_>, String, String)| {
            if before.is_empty() {
                after
            } else {
                format!("{before} {after}")
            }
        };
        self.union_parts(item).into_iter().map(join).collect()
    }

    pub(super) fn union_body(&mut self, item: &Union) {
        let parts = self.union_parts(item);
        let rows: Vec<Row> = parts
            .iter()
            .map(|(entry, before, _)| match entry {
                Entry::Arm(arm) => Row::new(
                    attrs_start(&arm.attrs, arm.span),
                    arm.span.end,
                    is_bare(&arm.attrs),
                    before,
                ),
                Entry::Reserved(numbers) => {
                    Row::new(numbers.span.start, numbers.span.end, true, "")
                }
                Entry::Member(member) => Row::new(member.span.start, member.span.end, true, ""),
            })
            .collect();
        let widths = self.widths(&rows);
        for ((entry, before, after), width) in parts.iter().zip(widths) {
            let end = match entry {
                Entry::Arm(arm) => {
                    self.attrs(&arm.attrs, arm.span);
                    arm.span.end
                }
                Entry::Reserved(numbers) => {
                    self.out.begin(numbers.span.start);
                    numbers.span.end
                }
                Entry::Member(member) => member.span.end,
            };
            self.padded(before, width, after);
            self.out.end(end);
        }
    }

    fn field_rest(&self, field: &Field) -> String {
        match &field.default {
            Some(default) => format!("{} = {};", field.name.text, self.words.expr(default)),
            None => format!("{};", field.name.text),
        }
    }

    /// The members that can stand on one line with others.
    pub(super) fn field_words(&self, members: &[StructMember]) -> Vec<String> {
        let word = |member: &StructMember| match member {
            StructMember::Field(field) if is_bare(&field.attrs) => Some(format!(
                "{} {}",
                self.words.ty(&field.ty),
                self.field_rest(field)
            )),
            StructMember::Reserved { ty, .. } => Some(format!("reserved {};", self.words.ty(ty))),
            _ => None,
        };
        members.iter().filter_map(word).collect()
    }

    pub(super) fn struct_body(&mut self, members: &[StructMember]) {
        let rows: Vec<Row> = members
            .iter()
            .map(|member| match member {
                StructMember::Field(field) => {
                    let ty = self.words.ty(&field.ty);
                    Row::new(
                        attrs_start(&field.attrs, field.span),
                        field.span.end,
                        is_bare(&field.attrs),
                        &ty,
                    )
                }
                StructMember::Reserved { span, .. } => Row::new(span.start, span.end, true, ""),
                StructMember::Item(item) => Row::new(start_of(item), u32::MAX, false, ""),
                StructMember::Invalid(span) => Row::new(span.start, span.end, false, ""),
            })
            .collect();
        let widths = self.widths(&rows);
        for (member, width) in members.iter().zip(widths) {
            match member {
                StructMember::Field(field) => {
                    self.attrs(&field.attrs, field.span);
                    self.padded(&self.words.ty(&field.ty), width, &self.field_rest(field));
                    self.out.end(field.span.end);
                }
                StructMember::Reserved { ty, span } => {
                    self.out.begin(span.start);
                    self.out.word(&format!("reserved {};", self.words.ty(ty)));
                    self.out.end(span.end);
                }
                StructMember::Item(item) => self.item(item),
                StructMember::Invalid(span) => self.item(&crate::ast::Item::Invalid(*span)),
            }
        }
    }

    fn padded(&mut self, before: &str, width: usize, after: &str) {
        if !before.is_empty() {
            let blanks = (width + 1).saturating_sub(before.chars().count()).max(1);
            self.out.word(before);
            self.out.word(&" ".repeat(blanks));
        }
        self.out.word(after);
    }

    /// For each row the width to which its first column is padded: the widest of its run.
    fn widths(&self, rows: &[Row]) -> Vec<usize> {
        let mut widths = Vec::with_capacity(rows.len());
        let mut rest = rows;
        while !rest.is_empty() {
            let pairs = rest.iter().zip(rest.iter().skip(1));
            let joined = pairs
                .take_while(|(row, next)| self.joins(row, next))
                .count();
            let (run, after) = rest.split_at((joined + 1).min(rest.len()));
            let widest = run
                .iter()
                .map(|row| row.width)
                .filter(|&width| width <= ALIGNED)
                .max()
                .unwrap_or(0);
            widths.extend(std::iter::repeat_n(widest, run.len()));
            rest = after;
        }
        widths
    }

    fn joins(&self, row: &Row, next: &Row) -> bool {
        // The end of a nested declaration is not needed: nothing is aligned with one.
        row.end != u32::MAX
            && next.end != u32::MAX
            && next.bare
            && self.out.adjacent(row.start, row.end, next.start)
    }
}

/// What alignment needs to know of a member.
struct Row {
    start: u32,
    end: u32,
    bare: bool,
    width: usize,
}

impl Row {
    fn new(start: u32, end: u32, bare: bool, column: &str) -> Self {
        Self {
            start,
            end,
            bare,
            width: column.chars().count(),
        }
    }
}

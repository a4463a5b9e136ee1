//! Sizes, alignments, offsets and pads: declared order, natural alignment up to 8, every pad byte a field.

use crate::check::Draft;
use crate::diag::{Code, Diagnostic, Findings};
use crate::ir::{Direction, Field, FieldKind, Meta, Model, Struct, Type, TypeDefKind, Union};
use crate::limits;
use crate::source::Span;

/// Size and alignment of the length that begins a string, bytes or a vec.
const LENGTH: u64 = 2;

/// Size and alignment of a buffer's descriptor: address, length, region, key and flags.
const BUFFER: (u64, u32) = (24, 8);

/// Lays out every type and message of the draft.
pub(crate) fn lay_out(draft: &mut Draft, findings: &mut Findings) {
    for index in 0..draft.model.types.len() {
        lay_out_type(draft, index, findings);
    }
    for index in 0..draft.model.aliases.len() {
        check_alias(draft, index, findings);
    }
    for index in 0..draft.model.interfaces.len() {
        lay_out_interface(draft, index, findings);
    }
}

impl Model {
    /// Size of a value in bytes.
    pub fn size_of(&self, ty: &Type) -> u32 {
        u32::try_from(extent(self, ty).0).unwrap_or(u32::MAX)
    }

    /// Alignment of a value in bytes: 1, 2, 4 or 8.
    pub fn align_of(&self, ty: &Type) -> u32 {
        extent(self, ty).1
    }

    /// True if every bit pattern is a value, so that `validate()` has nothing to check.
    pub fn is_plain(&self, ty: &Type) -> bool {
        match self.strip(ty) {
            Type::Scalar(scalar) => *scalar != crate::ir::Scalar::Bool,
            Type::Def(id) => self.def(*id).plain,
            Type::Array { elem, .. } => self.is_plain(elem),
            Type::Alias(_)
            | Type::String { .. }
            | Type::Bytes { .. }
            | Type::Vec { .. }
            | Type::Optional(_)
            | Type::Buffer(_) => false,
        }
    }
}

/// Size and alignment; the size is saturated, so a type far over the limit stays over it.
fn extent(model: &Model, ty: &Type) -> (u64, u32) {
    match model.strip(ty) {
        Type::Scalar(scalar) => (scalar.size().into(), scalar.size()),
        Type::Def(id) => {
            let def = model.def(*id);
            (def.size.into(), def.align)
        }
        // Stripped above.
        Type::Alias(_) => (0, 1),
        Type::String { bound } | Type::Bytes { bound } => {
            (round_up(LENGTH + u64::from(*bound), 2), 2)
        }
        Type::Vec { elem, bound } => {
            let (size, align) = extent(model, elem);
            let align = align.max(2);
            let items = size.saturating_mul((*bound).into());
            (
                round_up(round_up(LENGTH, align).saturating_add(items), align),
                align,
            )
        }
        Type::Array { elem, len } => {
            let (size, align) = extent(model, elem);
            (size.saturating_mul((*len).into()), align)
        }
        Type::Optional(inner) => {
            let (size, align) = extent(model, inner);
            (
                round_up(u64::from(align).saturating_add(size), align),
                align,
            )
        }
        Type::Buffer(_) => BUFFER,
    }
}

fn round_up(size: u64, align: u32) -> u64 {
    let align = u64::from(align.max(1));
    size.div_ceil(align).saturating_mul(align)
}

/// A size as the model keeps it; what is over the limit has been refused.
fn narrow(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// Puts fields one after the other with the pads that their alignment needs; also returns the true size.
pub(crate) fn place(model: &Model, fields: Vec<Field>, end: Span) -> (Struct, u64) {
    let mut placed = Vec::with_capacity(fields.len() + 1);
    let mut offset: u64 = 0;
    let mut align: u32 = 1;
    let mut pads = 0;
    let mut pad_to = |to: u64, offset: &mut u64, span: Span, placed: &mut Vec<Field>| {
        if to > *offset {
            placed.push(Field {
                meta: Meta::default(),
                name: format!("_pad{pads}"),
                kind: FieldKind::Pad,
                offset: narrow(*offset),
                size: narrow(to - *offset),
                span,
            });
            pads += 1;
            *offset = to;
        }
    };
    for mut field in fields {
        let (size, needed) = match &field.kind {
            FieldKind::Value { ty, .. } => extent(model, ty),
            FieldKind::Pad | FieldKind::Reserved => (field.size.into(), 1),
        };
        align = align.max(needed);
        pad_to(
            round_up(offset, needed),
            &mut offset,
            field.span,
            &mut placed,
        );
        field.offset = narrow(offset);
        field.size = narrow(size);
        placed.push(field);
        offset = offset.saturating_add(size);
    }
    pad_to(round_up(offset, align), &mut offset, end, &mut placed);
    (
        Struct {
            fields: placed,
            size: narrow(offset),
            align,
        },
        offset,
    )
}

/// True if a type was laid out without an error.
fn is_sound(draft: &Draft, ty: &Type) -> bool {
    match draft.model.strip(ty) {
        Type::Def(id) => draft
            .types
            .get(id.0 as usize)
            .is_some_and(|facts| !facts.poisoned),
        Type::Vec { elem, .. } | Type::Array { elem, .. } | Type::Optional(elem) => {
            is_sound(draft, elem)
        }
        _ => true,
    }
}

fn fields_are_sound(draft: &Draft, fields: &[Field]) -> bool {
    fields.iter().all(|field| match &field.kind {
        FieldKind::Value { ty, .. } => is_sound(draft, ty),
        FieldKind::Pad | FieldKind::Reserved => true,
    })
}

/// True if nothing in the fields needs to be validated.
fn fields_are_plain(model: &Model, fields: &[Field]) -> bool {
    fields.iter().all(|field| match &field.kind {
        FieldKind::Value { ty, .. } => model.is_plain(ty),
        FieldKind::Pad | FieldKind::Reserved => false,
    })
}

/// What a definition comes to.
struct Outcome {
    size: u64,
    align: u32,
    plain: bool,
    sound: bool,
}

fn lay_out_type(draft: &mut Draft, index: usize, findings: &mut Findings) {
    let Some(def) = draft.model.types.get_mut(index) else {
        return;
    };
    let span = def.span;
    // The definition leaves the model while it is laid out against the types before it.
    let mut kind = std::mem::replace(&mut def.kind, TypeDefKind::Struct(Struct::default()));
    let outcome = match &mut kind {
        TypeDefKind::Enum(node) => {
            let size = node.repr.size();
            Outcome {
                size: size.into(),
                align: size,
                plain: !node.closed,
                sound: true,
            }
        }
        TypeDefKind::Struct(node) => {
            let sound = fields_are_sound(draft, &node.fields);
            let (placed, size) = place(&draft.model, std::mem::take(&mut node.fields), span);
            *node = placed;
            Outcome {
                size,
                align: node.align,
                plain: fields_are_plain(&draft.model, &node.fields),
                sound,
            }
        }
        TypeDefKind::Union(node) => lay_out_union(draft, node),
    };
    let (Some(def), Some(facts)) = (draft.model.types.get_mut(index), draft.types.get_mut(index))
    else {
        return;
    };
    def.size = narrow(outcome.size);
    def.align = outcome.align;
    def.plain = outcome.plain;
    facts.poisoned |= !outcome.sound;
    if !facts.poisoned {
        if outcome.size > u64::from(limits::STRUCT_BYTES) {
            facts.poisoned = true;
            let error = Diagnostic::error(
                Code::E0401,
                span,
                format!("`{}` takes {} bytes", def.name, outcome.size),
            )
            .help(at_most());
            findings.push(with_largest(error, &kind));
        } else if let Some((most, place)) = facts.max_size
            && outcome.size > u64::from(most)
        {
            let error = Diagnostic::error(
                Code::E0408,
                place,
                format!(
                    "`{}` takes {} bytes, more than its `@MaxSize({most})`",
                    def.name, outcome.size
                ),
            )
            .also(span, "declared here")
            .help(format!("make it smaller, or allow {}", outcome.size));
            findings.push(with_largest(error, &kind));
        }
    }
    def.kind = kind;
}

/// What to do about a type or a message that is too large.
fn at_most() -> String {
    format!(
        "at most {} bytes are allowed; send the data in parts",
        limits::STRUCT_BYTES
    )
}

/// Names the part that takes most.
fn with_largest(error: Diagnostic, kind: &TypeDefKind) -> Diagnostic {
    let TypeDefKind::Struct(node) = kind else {
        return error;
    };
    largest(error, node)
}

fn largest(error: Diagnostic, node: &Struct) -> Diagnostic {
    match node.fields.iter().rev().max_by_key(|field| field.size) {
        Some(field) => error.note(format!("`{}` takes {} of them", field.name, field.size)),
        None => error,
    }
}

fn lay_out_union(draft: &Draft, node: &mut Union) -> Outcome {
    let tag = node.tag.size();
    let mut storage: (u64, u32) = (0, 1);
    let mut sound = true;
    for ty in node.arms.iter().filter_map(|arm| arm.ty.as_ref()) {
        let (size, align) = extent(&draft.model, ty);
        storage = (storage.0.max(size), storage.1.max(align));
        sound &= is_sound(draft, ty);
    }
    let align = tag.max(storage.1);
    let offset = round_up(tag.into(), storage.1);
    // The storage takes the tail, so that no byte of the union belongs to nothing.
    let size = round_up(offset.saturating_add(storage.0), align);
    node.storage_offset = narrow(offset);
    node.storage_size = narrow(size - offset);
    Outcome {
        size,
        align,
        plain: false,
        sound,
    }
}

/// An alias may stand for something that is too large to be used anywhere.
fn check_alias(draft: &Draft, index: usize, findings: &mut Findings) {
    let Some(alias) = draft.model.aliases.get(index) else {
        return;
    };
    let (size, _) = extent(&draft.model, &alias.target);
    if size > u64::from(limits::STRUCT_BYTES) && is_sound(draft, &alias.target) {
        // A string or bytes of the greatest bound is just over the limit; as a type of constants it is still good.
        if matches!(
            draft.model.strip(&alias.target),
            Type::String { .. } | Type::Bytes { .. }
        ) {
            return;
        }
        findings.push(
            Diagnostic::error(
                Code::E0401,
                alias.span,
                format!("`{}` takes {size} bytes", alias.name),
            )
            .help(at_most()),
        );
    }
}

fn lay_out_interface(draft: &mut Draft, index: usize, findings: &mut Findings) {
    let Some(interface) = draft.model.interfaces.get_mut(index) else {
        return;
    };
    let name = interface.name.clone();
    let base = interface.base;
    let mut methods = std::mem::take(&mut interface.methods);
    let inherited = base.map_or(0, |base| draft.model.interface(base).methods.len());
    for (position, method) in methods.iter_mut().enumerate() {
        let poisoned = draft
            .poisoned_methods
            .get(index)
            .and_then(|methods| methods.get(position))
            .copied();
        let mut sound = poisoned == Some(false);
        for (message, what) in [
            (&mut method.request, "request"),
            (&mut method.response, "response"),
        ] {
            sound &= fields_are_sound(draft, &message.fields);
            let fields = std::mem::take(&mut message.fields);
            let (placed, size) = place(&draft.model, fields, method.span);
            *message = placed;
            // An inherited method was reported where it is declared.
            if size > u64::from(limits::STRUCT_BYTES) && sound && position >= inherited {
                let error = Diagnostic::error(
                    Code::E0402,
                    method.span,
                    format!("the {what} of `{name}.{}` takes {size} bytes", method.name),
                )
                .help(at_most());
                findings.push(largest(error, message));
            }
        }
        method.in_place = is_in_place(method);
    }
    if let Some(interface) = draft.model.interfaces.get_mut(index) {
        interface.methods = methods;
    }
}

/// True if every `inout` parameter lies at one offset in both messages.
fn is_in_place(method: &crate::ir::Method) -> bool {
    let offset = |message: &Struct, name: &str| {
        message
            .fields
            .iter()
            .find(|field| matches!(field.kind, FieldKind::Value { .. }) && field.name == name)
            .map(|field| field.offset)
    };
    let mut inouts = method
        .params
        .iter()
        .filter(|param| param.direction == Direction::InOut)
        .peekable();
    inouts.peek().is_some()
        && inouts.all(|param| {
            offset(&method.request, &param.name) == offset(&method.response, &param.name)
        })
}

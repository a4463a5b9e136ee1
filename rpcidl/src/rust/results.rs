//! What a method returns: nothing, a value, or a `Result`.

use super::lower::{Lower, unraw};
use super::services::ValueShape;
use super::types::invalid;
use crate::ast::{self, TypeKind};
use crate::diag::Code;
use crate::source::Span;

impl Lower<'_> {
    /// The result type, the error type, and both in their Rust form.
    pub(super) fn output(
        &mut self,
        output: &syn::ReturnType,
        after: Span,
    ) -> (
        ast::Type,
        Option<ast::Path>,
        Option<ValueShape>,
        Option<Span>,
    ) {
        let syn::ReturnType::Type(_, ty) = output else {
            return (void(after), None, None, None);
        };
        let ty = bare_type(ty);
        let Some((value, error)) = self.result_of(ty) else {
            let (ty, shape) = self.returned(ty);
            return (ty, None, shape, None);
        };
        let (result, shape) = match value {
            Some(value) => self.returned(value),
            None => (invalid(self.place(ty)).ty, None),
        };
        let Some(error) = error else {
            return (result, None, shape, None);
        };
        let place = self.place(error);
        let (throws, error) = self.error_type(error, place);
        (result, throws, shape, error)
    }

    fn returned(&mut self, ty: &syn::Type) -> (ast::Type, Option<ValueShape>) {
        match bare_type(ty) {
            syn::Type::Tuple(it) if it.elems.is_empty() => (void(self.place(it)), None),
            ty => {
                let written = self.ty(ty);
                let shape = ValueShape::new(&written);
                (written.ty, Some(shape))
            }
        }
    }

    /// The two types of a `Result<T, E>`; a part that is missing is reported.
    fn result_of<'a>(
        &mut self,
        ty: &'a syn::Type,
    ) -> Option<(Option<&'a syn::Type>, Option<&'a syn::Type>)> {
        let syn::Type::Path(it) = ty else { return None };
        let last = it
            .path
            .segments
            .last()
            .filter(|last| last.ident == "Result")?;
        let mut types = Vec::new();
        if let syn::PathArguments::AngleBracketed(arguments) = &last.arguments {
            types.extend(arguments.args.iter().filter_map(|argument| match argument {
                syn::GenericArgument::Type(ty) => Some(ty),
                _ => None,
            }));
        }
        match types.as_slice() {
            [value, error] => Some((Some(value), Some(error))),
            rest => {
                let place = self.place(ty);
                self.refuse(
                    Code::E0509,
                    place,
                    "a `Result` of a method names its error type",
                    "write `Result<T, E>`, where `E` is an enum with `#[rpc_message(error)]`",
                );
                Some((rest.first().copied(), None))
            }
        }
    }

    fn error_type(&mut self, ty: &syn::Type, place: Span) -> (Option<ast::Path>, Option<Span>) {
        if let syn::Type::Path(it) = bare_type(ty)
            && it.qself.is_none()
            && it
                .path
                .segments
                .iter()
                .all(|segment| matches!(segment.arguments, syn::PathArguments::None))
            && !it
                .path
                .segments
                .last()
                .is_some_and(|last| super::types::is_foreign(&unraw(&last.ident)))
        {
            return (self.reference(&it.path), Some(place));
        }
        let text = self.slice(place).to_owned();
        self.refuse(
            Code::E0509,
            place,
            format!("`{text}` is not an error type of a service"),
            "declare an enum with `#[rpc_message(error)]` and `#[repr(u32)]`, and name it here",
        );
        (None, None)
    }
}

fn void(span: Span) -> ast::Type {
    ast::Type {
        kind: TypeKind::Void,
        span,
    }
}

fn bare_type(ty: &syn::Type) -> &syn::Type {
    match ty {
        syn::Type::Paren(it) => bare_type(&it.elem),
        syn::Type::Group(it) => bare_type(&it.elem),
        ty => ty,
    }
}

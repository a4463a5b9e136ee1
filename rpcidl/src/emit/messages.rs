//! The structs that requests, responses and events travel as.

use super::method::Stub;
use super::names::fields;
use super::structs::{body, default, layout, macro_call};
use super::types::Passing;
use super::writer::{Writer, block, line};
use crate::ir::{FieldKind, Struct};

/// The structs of one method; none where there is nothing to carry, or only a result.
pub(super) fn emit(w: &mut Writer, stub: &Stub<'_>) {
    if stub.has_request() {
        let name = &stub.names.request;
        structure(w, stub, name, &stub.it.request, "Arguments");
        setter(w, stub, name);
        check(w, stub, name, &stub.it.request);
    }
    if stub.has_response() {
        let name = &stub.names.response;
        structure(w, stub, name, &stub.it.response, "Results");
        // Whoever answers with one by value needs something to fill its padding with.
        w.blank();
        default(
            w,
            stub.scope,
            name,
            &stub.it.response,
            &fields(&stub.it.response),
            false,
        );
        check(w, stub, name, &stub.it.response);
    }
}

fn structure(w: &mut Writer, stub: &Stub<'_>, name: &str, it: &Struct, what: &str) {
    w.blank();
    line!(w, "/// {what} of `{}`.", stub.it.name);
    line!(w, "#[derive(Clone, Copy, Debug, PartialEq)]");
    line!(w, "#[repr(C)]");
    block!(w, "pub struct {name}" => {
        body(w, stub.scope, it, &fields(it));
    });
}

/// Writes every byte: a slot holds what the call before left there.
fn setter(w: &mut Writer, stub: &Stub<'_>, name: &str) {
    let scope = stub.scope;
    w.blank();
    block!(w, "impl {name}" => {
        line!(w, "#[inline]");
        w.signature(
            format_args!("fn set"),
            |list| {
                list.item("&mut self");
                stub.list_inputs(list);
            },
            format_args!(""),
            " {",
        );
        let mut params = stub.inputs();
        for field in &stub.it.request.fields {
            let rt = scope.rt;
            match field.kind {
                FieldKind::Pad => line!(w, "self.{} = {rt}::Pad::ZERO;", field.name),
                FieldKind::Reserved => line!(w, "self.{} = {rt}::Reserved::ZERO;", field.name),
                FieldKind::Value { .. } => {
                    let Some(param) = params.next() else { continue };
                    let (before, after) = match stub.passing(param) {
                        Passing::Bool => ("", ".into()"),
                        Passing::Value => ("", ""),
                        Passing::Reference => ("*", ""),
                    };
                    let value = format_args!("{before}{}{after}", param.name);
                    w.assign(format_args!("self.{} =", param.request), &value);
                }
            }
        }
        w.close();
    });
}

fn check(w: &mut Writer, stub: &Stub<'_>, name: &str, it: &Struct) {
    // The module as a whole allows what is deprecated.
    macro_call(w, stub.scope, "layout", &[], |w| {
        layout(w, stub.scope, name, it, &fields(it));
    });
}

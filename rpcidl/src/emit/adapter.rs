//! What the macros ask of the emitter: how names come out in Rust, and what the handler trait of an interface looks like,
//! so that a trait written by the user can be joined to it.

use super::casing::{camel, module, snake, upper};
use super::method::{Stub, stubs};
use super::names::Names;
use super::types::{Passing, Ty, passing};
use super::{Options, Scope};
use crate::ir::{InterfaceId, Model, Type};

/// The names that the emitter makes of names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RustNames;

impl RustNames {
    /// A type.
    pub(crate) fn of_type(name: &str) -> String {
        camel(name)
    }

    /// A field.
    pub(crate) fn of_field(name: &str) -> String {
        snake(name)
    }

    /// A member of an enumeration.
    pub(crate) fn of_member(name: &str) -> String {
        upper(name)
    }

    /// The module of an interface that stands alone.
    pub(crate) fn of_interface(model: &Model, id: InterfaceId) -> String {
        let name = Names::new(model).of_interface(id).to_owned();
        if name.is_empty() {
            module("service")
        } else {
            name
        }
    }
}

/// A method of the handler trait. Events have none.
#[derive(Clone, Debug)]
pub(crate) struct HandlerMethod {
    /// Its name.
    pub(crate) name: String,
    /// Its parameters besides `self`.
    pub(crate) params: Vec<HandlerValue>,
    /// What it returns, within the `Result` if it throws.
    pub(crate) result: Option<HandlerValue>,
    /// The error type, if it throws.
    pub(crate) error: Option<String>,
}

/// A parameter or result of the handler trait.
#[derive(Clone, Debug)]
pub(crate) struct HandlerValue {
    /// The type on the wire.
    pub(crate) ty: String,
    /// The type inside, if it is an optional.
    pub(crate) optional: Option<String>,
    /// True if it is passed as Rust's `bool`.
    pub(crate) is_bool: bool,
    /// True if an `in` parameter is passed by reference.
    pub(crate) by_reference: bool,
}

impl HandlerValue {
    fn new(scope: &Scope<'_>, ty: &Type) -> Self {
        let way = passing(scope.model, ty);
        Self {
            ty: Ty(scope, ty).to_string(),
            optional: match scope.model.strip(ty) {
                Type::Optional(inner) => Some(Ty(scope, inner).to_string()),
                _ => None,
            },
            is_bool: way == Passing::Bool,
            by_reference: way == Passing::Reference,
        }
    }
}

/// The methods of an interface, in declared order, `None` for an event; paths are as seen from where the output stands.
pub(crate) fn handler(
    model: &Model,
    options: &Options,
    id: InterfaceId,
) -> Vec<Option<HandlerMethod>> {
    let interface = model.interface(id);
    let names = Names::new(model);
    let scope = Scope {
        model,
        options,
        names: &names,
        flat: Some(interface.package),
        package: interface.package,
        depth: 0,
        rt: &options.runtime_core,
    };
    stubs(&scope, interface)
        .iter()
        .map(|stub| (!stub.is_event()).then(|| method(&scope, stub)))
        .collect()
}

fn method(scope: &Scope<'_>, stub: &Stub<'_>) -> HandlerMethod {
    HandlerMethod {
        name: stub.names.stub.clone(),
        params: stub
            .it
            .params
            .iter()
            .map(|param| HandlerValue::new(scope, &param.ty))
            .collect(),
        result: stub
            .it
            .result
            .as_ref()
            .map(|ty| HandlerValue::new(scope, ty)),
        error: stub.it.throws.map(|_| stub.error_ty(scope).to_string()),
    }
}

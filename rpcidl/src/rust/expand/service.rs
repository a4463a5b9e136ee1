//! Joins a trait to the stubs that are generated for it.
//!
//! The trait stays as the user wrote it, less the events, and every type that implements it implements the handler trait of
//! the generated module. So a method is implemented just as it is declared: by `&self`, or with a message by value, or
//! with an `Option`.

use super::Generate;
use super::visibility::narrow;
use crate::emit::{HandlerMethod, HandlerValue, RustNames, handler};
use crate::ir::InterfaceId;
use crate::rust::item::ServiceShape;
use crate::rust::out::{Out, Patch};
use crate::rust::services::{By, MethodShape, ParamShape, ValueShape};
use crate::rust::types::Native;

impl Generate<'_> {
    pub(super) fn service(&self, emitted: &str, shape: &ServiceShape) -> Out {
        let mut patch = Patch::default();
        narrow(&mut patch, emitted, self.text, self.lowered.vis);
        let mut out = patch.apply(emitted);
        // An item alone has one interface: its own.
        let id = InterfaceId(0);
        let handlers = handler(self.model, &self.options, id);
        let methods: Vec<(&MethodShape, &HandlerMethod)> = shape
            .methods
            .iter()
            .zip(&handlers)
            .filter_map(|(method, handler)| Some((method, handler.as_ref()?)))
            .filter(|(method, _)| !method.event)
            .collect();
        self.declare(&mut out, shape, &methods);
        self.implement(&mut out, &RustNames::of_interface(self.model, id), &methods);
        out
    }

    /// The trait as it was written.
    fn declare(
        &self,
        out: &mut Out,
        shape: &ServiceShape,
        methods: &[(&MethodShape, &HandlerMethod)],
    ) {
        for span in shape.docs.iter().chain(&shape.deprecated) {
            out.copy(self.text, *span);
            // Documentation may be a comment, which ends with its line.
            out.push("\n");
        }
        out.append(self.kept(&self.lowered.kept));
        if let Some(vis) = self.lowered.vis {
            out.copy(self.text, vis);
            out.push(" ");
        }
        out.copy(self.text, shape.head);
        if let Some(bounds) = shape.bounds {
            out.copy(self.text, bounds);
        }
        out.push(" ");
        out.push_for("{", shape.body);
        out.push("\n");
        for (method, handler) in methods {
            for span in method.docs.iter().chain(&method.deprecated) {
                out.copy(self.text, *span);
                out.push("\n");
            }
            out.append(self.kept(&method.kept));
            out.copy(self.text, method.word);
            out.push(" ");
            out.push_for(&method.name, method.place);
            out.push_for("(", method.brackets);
            out.copy(self.text, method.receiver);
            for (param, value) in method.params.iter().zip(&handler.params) {
                out.push(", ");
                out.push_for(&param.name, param.place);
                out.push(": ");
                let by = match param.by {
                    By::Value => "",
                    By::Reference => "&",
                    By::Mutable => "&mut ",
                };
                out.push_for(by, param.value.place);
                self.ty(out, &param.value, value);
            }
            out.push(")");
            self.output(out, method, handler);
            out.push_for(";", method.end);
            out.push("\n");
        }
        out.push("}\n");
    }

    fn output(&self, out: &mut Out, method: &MethodShape, handler: &HandlerMethod) {
        let result = method.result.as_ref().zip(handler.result.as_ref());
        match (&handler.error, method.error) {
            (Some(_), Some(error)) => {
                out.push(" -> ::core::result::Result<");
                match result {
                    Some((shape, value)) => self.ty(out, shape, value),
                    None => out.push("()"),
                }
                out.push(", ");
                out.copy(self.text, error);
                out.push(">");
            }
            _ => {
                if let Some((shape, value)) = result {
                    out.push(" -> ");
                    self.ty(out, shape, value);
                }
            }
        }
    }

    /// A type: as written where that is what it means in Rust, else the one that it stands for.
    fn ty(&self, out: &mut Out, shape: &ValueShape, value: &HandlerValue) {
        match (shape.native, &value.optional) {
            (Native::Option, Some(inner)) if !shape.verbatim => {
                out.push_for(&format!("::core::option::Option<{inner}>"), shape.place);
            }
            _ if shape.verbatim => out.copy(self.text, shape.place),
            _ => out.push_for(&value.ty, shape.place),
        }
    }

    /// The bridge from the generated handler trait.
    fn implement(&self, out: &mut Out, module: &str, methods: &[(&MethodShape, &HandlerMethod)]) {
        let name = crate::rust::lower::escaped(&self.lowered.name.text);
        out.push(&format!(
            "#[allow(deprecated, unused_variables, clippy::all)]\n\
             impl<__Handler: {name} + ?::core::marker::Sized> {module}::Handler for __Handler {{\n"
        ));
        for (method, handler) in methods {
            out.push(&bridge(&name, method, handler));
        }
        out.push("}\n");
    }
}

/// One method of the bridge.
fn bridge(service: &str, method: &MethodShape, handler: &HandlerMethod) -> String {
    let mut head = String::new();
    let mut before = String::new();
    let mut arguments = String::new();
    let mut after = String::new();
    for (index, (param, value)) in method.params.iter().zip(&handler.params).enumerate() {
        let name = format!("p{index}");
        let ty = match (param.by, value.is_bool, value.by_reference) {
            (By::Mutable, ..) => format!("&mut {}", value.ty),
            (_, true, _) => "bool".to_owned(),
            (_, _, true) => format!("&{}", value.ty),
            _ => value.ty.clone(),
        };
        head.push_str(&format!(", {name}: {ty}"));
        let argument = match param.by {
            By::Mutable if param.value.native == Native::No => name,
            By::Mutable => {
                let native = native(&param.value, value);
                before.push_str(&format!(
                    "let mut v{index}: {native} = ::core::convert::From::from(*{name}); "
                ));
                after.push_str(&format!(
                    "*{name} = ::core::convert::From::from(v{index}); "
                ));
                format!("&mut v{index}")
            }
            By::Value | By::Reference => passed(param, value, &name),
        };
        arguments.push_str(", ");
        arguments.push_str(&argument);
    }
    let call = format!("<Self as {service}>::{}(self{arguments})", method.name);
    let native_result = method
        .result
        .as_ref()
        .zip(handler.result.as_ref())
        .map(|(shape, value)| (shape.native, value));
    let returned = native_result.as_ref().map(|(_, value)| {
        if value.is_bool {
            "bool"
        } else {
            value.ty.as_str()
        }
    });
    // What the handler returns, made of what the method returns.
    let changed = match native_result {
        Some((Native::Option, _)) => true,
        Some((Native::No, value)) => value.is_bool,
        _ => false,
    };
    let (result, output) = match (&handler.error, returned) {
        (None, None) => ("result".to_owned(), String::new()),
        (None, Some(ty)) => {
            let result = if changed {
                "::core::convert::From::from(result)"
            } else {
                "result"
            };
            (result.to_owned(), format!(" -> {ty}"))
        }
        (Some(error), returned) => {
            let result = if changed {
                "::core::result::Result::map(result, |result| ::core::convert::From::from(result))"
            } else {
                "result"
            };
            (
                result.to_owned(),
                format!(
                    " -> ::core::result::Result<{}, {error}>",
                    returned.unwrap_or("()")
                ),
            )
        }
    };
    let body = if after.is_empty() && !changed {
        format!("{before}{call}")
    } else {
        format!("{before}let result = {call}; {after}{result}")
    };
    format!(
        "#[inline]\nfn {}(&mut self{head}){output} {{ {body} }}\n",
        handler.name
    )
}

/// An `in` argument as the method takes it.
fn passed(param: &ParamShape, value: &HandlerValue, name: &str) -> String {
    let reference = if param.by == By::Reference { "&" } else { "" };
    match param.value.native {
        Native::Bool => format!("{reference}{name}"),
        // The name of the type that travels was written.
        Native::No if value.is_bool => {
            format!(
                "{reference}<{} as ::core::convert::From<bool>>::from({name})",
                value.ty
            )
        }
        Native::No if value.by_reference => {
            if param.by == By::Reference {
                name.to_owned()
            } else {
                format!("*{name}")
            }
        }
        Native::No => format!("{reference}{name}"),
        Native::Option => {
            let native = native(&param.value, value);
            format!(
                "{reference}<{native} as ::core::convert::From<{}>>::from(*{name})",
                value.ty
            )
        }
    }
}

/// Rust's own type.
fn native(shape: &ValueShape, value: &HandlerValue) -> String {
    match (shape.native, &value.optional) {
        (Native::Option, Some(inner)) => format!("::core::option::Option<{inner}>"),
        (Native::Bool, _) => "bool".to_owned(),
        _ => value.ty.clone(),
    }
}

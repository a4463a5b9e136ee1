//! Annotations of other languages, and ours in other forms.

use crate::ast::{self, AnnotationValue, ExprKind};

/// The names of backends that are given without braces, as words or as text.
pub(super) fn bare_backends(annotation: &ast::Annotation) -> Option<String> {
    let name = |arg: &ast::AnnotationArg| {
        let (None, AnnotationValue::Expr(expr)) = (&arg.key, &arg.value) else {
            return None;
        };
        let word = match &expr.kind {
            ExprKind::Str(text) => text,
            ExprKind::Path(path) => match path.segments.as_slice() {
                [name] => &name.text,
                _ => return None,
            },
            _ => return None,
        };
        super::backend(word).is_ok().then(|| word.clone())
    };
    let names: Option<Vec<String>> = annotation.args.iter().map(name).collect();
    Some(names?.join(", ")).filter(|names| !names.is_empty())
}

/// What to do instead of an annotation of another language.
pub(super) fn foreign_annotation(word: &str) -> Option<&'static str> {
    Some(match word {
        "nullable" | "Nullable" => "write `?` after the type",
        "Timeout" => "write `@Deadline(us = 50)`, or `ms` or `s` for `us`",
        "Async" | "Oneway" | "OneWay" => "write `oneway` before the result type",
        "Optional" => "write `?` after the type",
        "Transport" | "Transports" => {
            "write `@Backends({inproc, shm, rdma})` with those that are meant"
        }
        "Backing" => "write the type after the name, such as `enum Color : u32`",
        "utf8InCpp" | "utf8" => "remove it; text is always UTF-8",
        "JavaPassthrough"
        | "JavaOnlyImmutable"
        | "JavaDefault"
        | "JavaDelegator"
        | "JavaSuppressLint"
        | "RustDerive"
        | "JavaDerive"
        | "NdkOnlyStableParcelable"
        | "VintfStability"
        | "SystemApi"
        | "Hide"
        | "UnsupportedAppUsage"
        | "SensitiveData"
        | "PropagateAllowBlocking"
        | "Enforce"
        | "PermissionManuallyEnforced"
        | "RequiresNoPermission"
        | "FixedSize"
        | "Descriptor"
        | "entry"
        | "exit"
        | "callflow"
        | "export" => "remove it; there is nothing like it here",
        _ => return None,
    })
}

//! Annotations: a closed, typed list, each with the places where it may stand.

use std::collections::BTreeMap;

use super::Checker;
use super::foreign::{bare_backends, foreign_annotation};
use crate::ast::{self, AnnotationValue, ExprKind};
use crate::diag::{Code, Diagnostic};
use crate::eval::{Env, Val};
use crate::ir;
use crate::limits;
use crate::resolve::Scope;
use crate::source::Span;
use crate::suggest;

/// Where an annotation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Const,
    Alias,
    Enum,
    Flags,
    Error,
    Member,
    Struct,
    Field,
    Union,
    Arm,
    Interface,
    Method,
    Param,
}

impl Place {
    fn what(self) -> &'static str {
        match self {
            Self::Const => "a constant",
            Self::Alias => "an alias",
            Self::Enum => "an enum",
            Self::Flags => "a flags type",
            Self::Error => "an error type",
            Self::Member => "a member",
            Self::Struct => "a struct",
            Self::Field => "a field",
            Self::Union => "a union",
            Self::Arm => "an arm of a union",
            Self::Interface => "an interface",
            Self::Method => "a method",
            Self::Param => "a parameter",
        }
    }
}

/// An annotation of the list.
struct Known {
    name: &'static str,
    places: &'static [Place],
    example: &'static str,
}

const ANYWHERE: &[Place] = &[
    Place::Const,
    Place::Alias,
    Place::Enum,
    Place::Flags,
    Place::Error,
    Place::Member,
    Place::Struct,
    Place::Field,
    Place::Union,
    Place::Arm,
    Place::Interface,
    Place::Method,
    Place::Param,
];
const SERVICE: &[Place] = &[Place::Interface, Place::Method];

const KNOWN: &[Known] = &[
    Known {
        name: "AllowAlias",
        places: &[Place::Enum, Place::Flags, Place::Error],
        example: "@AllowAlias",
    },
    Known {
        name: "Backends",
        places: &[Place::Interface],
        example: "@Backends({inproc, shm, rdma})",
    },
    Known {
        name: "Deadline",
        places: SERVICE,
        example: "@Deadline(us = 50)",
    },
    Known {
        name: "Deprecated",
        places: ANYWHERE,
        example: "@Deprecated(\"use get\")",
    },
    Known {
        name: "Derive",
        places: &[
            Place::Struct,
            Place::Union,
            Place::Enum,
            Place::Flags,
            Place::Error,
        ],
        example: "@Derive(Eq, Hash)",
    },
    Known {
        name: "Idempotent",
        places: &[Place::Method],
        example: "@Idempotent",
    },
    Known {
        name: "Inproc",
        places: SERVICE,
        example: "@Inproc(depth = 64)",
    },
    Known {
        name: "MaxSize",
        places: &[Place::Struct, Place::Union],
        example: "@MaxSize(1024)",
    },
    Known {
        name: "Priority",
        places: &[Place::Method],
        example: "@Priority(1)",
    },
    Known {
        name: "Rdma",
        places: SERVICE,
        example: "@Rdma(recv_depth = 256, inline_max = 188)",
    },
    Known {
        name: "Shm",
        places: SERVICE,
        example: "@Shm(slots = 64, slot = 2048, spin_us = 20)",
    },
    Known {
        name: "Since",
        places: ANYWHERE,
        example: "@Since(1.1)",
    },
];

/// What the annotations of one declaration say.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) since: Option<ir::Version>,
    pub(super) deprecated: Option<String>,
    pub(super) backends: Vec<ir::Backend>,
    pub(super) tuning: ir::Tuning,
    pub(super) idempotent: Option<Span>,
    pub(super) derives: Vec<(ir::Derive, Span)>,
    pub(super) max_size: Option<(u32, Span)>,
    pub(super) allow_alias: bool,
}

impl Notes {
    /// The part that every declaration may carry, with its documentation.
    pub(super) fn meta(&self, attrs: &ast::Attrs) -> ir::Meta {
        ir::Meta {
            docs: super::docs(&attrs.docs),
            deprecated: self.deprecated.clone(),
            since: self.since,
        }
    }
}

impl<'a> Checker<'_, 'a> {
    /// Reads the annotations of a declaration.
    pub(super) fn notes(&mut self, attrs: &'a ast::Attrs, place: Place, scope: Scope) -> Notes {
        let mut notes = Notes::default();
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for annotation in &attrs.annotations {
            let name = annotation.name.text.as_str();
            if name.starts_with("X_") {
                continue;
            }
            let Some(known) = KNOWN.iter().find(|known| known.name == name) else {
                self.unknown_annotation(annotation);
                continue;
            };
            if let Some(&earlier) = seen.get(known.name) {
                self.error(
                    Diagnostic::error(
                        Code::E0603,
                        annotation.span,
                        format!("`@{name}` is given twice"),
                    )
                    .also(earlier, "first given here")
                    .help("keep one of them"),
                );
                continue;
            }
            seen.insert(known.name, annotation.span);
            if !known.places.contains(&place) {
                let places: Vec<&str> = known.places.iter().map(|place| place.what()).collect();
                self.error(
                    Diagnostic::error(
                        Code::E0602,
                        annotation.span,
                        format!("`@{name}` cannot be put on {}", place.what()),
                    )
                    .help(format!("it belongs on {}", places.join(" or "))),
                );
                continue;
            }
            self.read(annotation, known, place, scope, &mut notes);
        }
        notes
    }

    fn unknown_annotation(&mut self, annotation: &ast::Annotation) {
        let name = &annotation.name;
        let error = Diagnostic::error(
            Code::E0601,
            name.span,
            format!("unknown annotation `@{}`", name.text),
        );
        if let Some(help) = foreign_annotation(&name.text) {
            self.error(error.label("not one of this language").help(help));
            return;
        }
        self.error(
            match suggest::nearest(&name.text, KNOWN.iter().map(|known| known.name)) {
                Some(near) => error.fix(format!("write `@{near}`"), name.span, near),
                None => {
                    let names: Vec<String> = KNOWN
                        .iter()
                        .map(|known| format!("`@{}`", known.name))
                        .collect();
                    error
                        .note(format!("the annotations are {}", names.join(", ")))
                        .help(format!(
                            "names that begin with `X_`, such as `@X_{}`, are passed over",
                            name.text
                        ))
                }
            },
        );
    }

    fn read(
        &mut self,
        annotation: &'a ast::Annotation,
        known: &Known,
        place: Place,
        scope: Scope,
        notes: &mut Notes,
    ) {
        match known.name {
            "AllowAlias" => {
                notes.allow_alias = true;
                self.no_args(annotation);
            }
            "Idempotent" => {
                notes.idempotent = Some(annotation.span);
                self.no_args(annotation);
            }
            "Backends" => notes.backends = self.backend_set(annotation, known.example),
            "Deprecated" => notes.deprecated = self.reason(annotation, known.example, scope),
            "Since" => notes.since = self.since(annotation, known.example, scope.file),
            "Derive" => notes.derives = self.derive_list(annotation, known.example),
            "MaxSize" => {
                if let Some(expr) = self.single(annotation, known.example) {
                    let size = self.number(
                        expr,
                        scope,
                        1,
                        limits::STRUCT_BYTES,
                        Code::E0606,
                        "`@MaxSize`",
                    );
                    notes.max_size = size.map(|size| (size, annotation.span));
                }
            }
            "Priority" => {
                if let Some(expr) = self.single(annotation, known.example) {
                    notes.tuning.priority =
                        self.number(expr, scope, 0, 255, Code::E0606, "`@Priority`");
                }
            }
            _ => self.knobs(annotation, known.example, place, scope, &mut notes.tuning),
        }
    }

    fn no_args(&mut self, annotation: &ast::Annotation) {
        if !annotation.args.is_empty() {
            let name = &annotation.name.text;
            self.error(
                Diagnostic::error(
                    Code::E0605,
                    annotation.span,
                    format!("`@{name}` takes no arguments"),
                )
                .fix(
                    format!("write `@{name}`"),
                    annotation.span,
                    format!("@{name}"),
                ),
            );
        }
    }

    /// The arguments of an annotation are not what it takes.
    pub(super) fn wrong_args(&mut self, span: Span, name: &str, example: &str) {
        self.error(
            Diagnostic::error(
                Code::E0605,
                span,
                format!("`@{name}` is not given what it takes"),
            )
            .help(format!("write it like `{example}`")),
        );
    }

    /// The only argument, which has no key.
    fn single(&mut self, annotation: &'a ast::Annotation, example: &str) -> Option<&'a ast::Expr> {
        match annotation.args.as_slice() {
            [
                ast::AnnotationArg {
                    key: None,
                    value: AnnotationValue::Expr(expr),
                },
            ] => Some(expr),
            _ => {
                self.wrong_args(annotation.span, &annotation.name.text, example);
                None
            }
        }
    }

    fn reason(
        &mut self,
        annotation: &'a ast::Annotation,
        example: &str,
        scope: Scope,
    ) -> Option<String> {
        let expr = self.single(annotation, example)?;
        match self.eval(expr, &Env::new(scope))? {
            Val::Str(text) => Some((*text).to_owned()),
            _ => {
                self.wrong_args(annotation.span, &annotation.name.text, example);
                None
            }
        }
    }

    fn since(
        &mut self,
        annotation: &'a ast::Annotation,
        example: &str,
        file: usize,
    ) -> Option<ir::Version> {
        let expr = self.single(annotation, example)?;
        // A version is read as text: as a number, 1.10 would be 1.1.
        let text = match &expr.kind {
            ExprKind::Float(value) => {
                let text = self.table.sources.text(expr.span);
                if version(text).is_some() {
                    text.to_owned()
                } else {
                    value.to_string()
                }
            }
            ExprKind::Str(text) => text.clone(),
            _ => String::new(),
        };
        let Some(since) = version(&text) else {
            self.wrong_args(expr.span, &annotation.name.text, example);
            return None;
        };
        if let Some(package) = self.table.file(file).version
            && since > package
        {
            let now = format!("{}.{}", package.major, package.minor);
            let mut error = Diagnostic::error(
                Code::E0608,
                expr.span,
                format!(
                    "`@Since({}.{})` is newer than the package, which is {now}",
                    since.major, since.minor
                ),
            );
            let place = self
                .table
                .trees
                .get(file)
                .and_then(|tree| tree.package.as_ref());
            if let Some(place) = place {
                error = error.also(place.span, "the version of the package");
            }
            self.error(error.help("raise the version of the package"));
        }
        Some(since)
    }

    fn backend_set(&mut self, annotation: &ast::Annotation, example: &str) -> Vec<ir::Backend> {
        let [
            ast::AnnotationArg {
                key: None,
                value: AnnotationValue::Set(names, _),
            },
        ] = annotation.args.as_slice()
        else {
            match bare_backends(annotation) {
                Some(names) => {
                    let text = format!("@Backends({{{names}}})");
                    let message = "`@Backends` takes a set of names".to_owned();
                    let error = Diagnostic::error(Code::E0605, annotation.span, message);
                    self.error(error.fix(format!("write `{text}`"), annotation.span, text));
                }
                None => self.wrong_args(annotation.span, &annotation.name.text, example),
            }
            return Vec::new();
        };
        if names.is_empty() {
            self.wrong_args(annotation.span, &annotation.name.text, example);
        }
        let mut backends: Vec<ir::Backend> = Vec::new();
        for name in names {
            match super::backend(&name.text) {
                Err(error) => {
                    let mut error = *error;
                    error.primary = Some(crate::diag::Label {
                        span: name.span,
                        text: String::new(),
                    });
                    if let Some(near) = suggest::nearest(&name.text, super::backends::NAMES) {
                        error = error.fix(format!("write `{near}`"), name.span, near);
                    }
                    self.error(error);
                }
                Ok(backend) if backends.contains(&backend) => self.error(
                    Diagnostic::error(
                        Code::E0605,
                        name.span,
                        format!("backend `{}` is named twice", name.text),
                    )
                    .help("name it once"),
                ),
                Ok(backend) => backends.push(backend),
            }
        }
        backends
    }

    fn derive_list(
        &mut self,
        annotation: &ast::Annotation,
        example: &str,
    ) -> Vec<(ir::Derive, Span)> {
        const NAMES: [&str; 9] = [
            "Eq",
            "PartialOrd",
            "Ord",
            "Hash",
            "PartialEq",
            "Debug",
            "Clone",
            "Copy",
            "Default",
        ];
        let mut derives: Vec<(ir::Derive, Span)> = Vec::new();
        if annotation.args.is_empty() {
            self.wrong_args(annotation.span, &annotation.name.text, example);
        }
        for arg in &annotation.args {
            let name = match (&arg.key, &arg.value) {
                (
                    None,
                    AnnotationValue::Expr(ast::Expr {
                        kind: ExprKind::Path(path),
                        ..
                    }),
                ) => match path.segments.as_slice() {
                    [name] => name,
                    _ => {
                        self.wrong_args(path.span, &annotation.name.text, example);
                        continue;
                    }
                },
                _ => {
                    self.wrong_args(annotation.span, &annotation.name.text, example);
                    continue;
                }
            };
            let derive = match name.text.as_str() {
                "Eq" => ir::Derive::Eq,
                "PartialOrd" => ir::Derive::PartialOrd,
                "Ord" => ir::Derive::Ord,
                "Hash" => ir::Derive::Hash,
                other if NAMES.contains(&other) => continue,
                other => {
                    let error = Diagnostic::error(
                        Code::E0604,
                        name.span,
                        format!("`{other}` cannot be derived"),
                    );
                    self.error(match suggest::nearest(other, NAMES) {
                        Some(near) => error.fix(format!("write `{near}`"), name.span, near),
                        None => error.help("`Eq`, `PartialOrd`, `Ord` and `Hash` can be derived"),
                    });
                    continue;
                }
            };
            match derives.iter().find(|(known, _)| *known == derive) {
                None => derives.push((derive, name.span)),
                Some(&(_, first)) => self.error(
                    Diagnostic::error(
                        Code::E0603,
                        name.span,
                        format!("`{}` is given twice", name.text),
                    )
                    .also(first, "first given here")
                    .help("keep one of them"),
                ),
            }
        }
        derives
    }
}

/// `major.minor`
fn version(text: &str) -> Option<ir::Version> {
    let (major, minor) = text.split_once('.')?;
    let number = |text: &str| -> Option<u32> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if digits { text.parse().ok() } else { None }
    };
    Some(ir::Version {
        major: number(major)?,
        minor: number(minor)?,
    })
}

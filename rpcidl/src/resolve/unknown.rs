//! What to say about a name that means nothing.

use super::{DeclId, Foreign, Node, Scope, Table, foreign};
use crate::ast;
use crate::diag::{Code, Diagnostic};
use crate::ir::Scalar;
use crate::limits;
use crate::source::Span;
use crate::suggest;

/// How many more names may be searched for a similar one.
#[derive(Debug)]
pub(crate) struct Budget {
    searches: usize,
    /// How many names the searches may look at together.
    names: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            searches: limits::SUGGESTIONS,
            names: limits::SUGGESTION_NAMES,
        }
    }
}

impl Budget {
    /// Takes one search among so many names, if any is left.
    pub(super) fn take(&mut self, names: usize) -> bool {
        let left = self.searches > 0 && self.names > 0;
        self.searches = self.searches.saturating_sub(1);
        self.names = self.names.saturating_sub(names);
        left
    }
}

/// Every scalar of the language.
pub(crate) const SCALARS: [Scalar; 11] = [
    Scalar::U8,
    Scalar::U16,
    Scalar::U32,
    Scalar::U64,
    Scalar::I8,
    Scalar::I16,
    Scalar::I32,
    Scalar::I64,
    Scalar::F32,
    Scalar::F64,
    Scalar::Bool,
];

/// The scalar of that name.
pub(crate) fn scalar(name: &str) -> Option<Scalar> {
    SCALARS.into_iter().find(|scalar| scalar.keyword() == name)
}

impl Table<'_> {
    /// The error for a type whose name means nothing.
    pub(crate) fn unknown_type(
        &self,
        path: &ast::Path,
        scope: Scope,
        at: usize,
        inside: Option<DeclId>,
        budget: &mut Budget,
    ) -> Diagnostic {
        let Some(name) = path.segments.get(at) else {
            return Diagnostic::error(Code::E0201, path.span, "unknown type");
        };
        if path.segments.len() == 1
            && let Some((whose, instead)) = foreign(&name.text)
        {
            return foreign_type(name, whose, instead);
        }
        let error = match inside {
            None => Diagnostic::error(
                Code::E0201,
                name.span,
                format!("unknown type `{}`", name.text),
            ),
            Some(id) => self.no_such_part(Code::E0201, id, name),
        };
        if !budget.take(self.decls.len()) {
            return error.help("declare it, or mend its spelling");
        }
        match inside {
            Some(id) => {
                let decl = self.decl(id);
                match suggest::nearest(&name.text, decl.nested.keys().copied()) {
                    Some(near) => error.fix(format!("it has `{near}`"), name.span, near),
                    None => error.help(has(decl.nested.keys().copied())),
                }
            }
            None => {
                let error = self.suggest(error, name, scope, &SCALARS, |node| node.is_type());
                if error.edit.is_none() && matches!(name.text.as_str(), "event" | "oneway") {
                    error.help("methods and events are declared in an interface")
                } else if error.edit.is_none() && is_like_a_number(&name.text) {
                    error.help(
                        "integers have 8, 16, 32 or 64 bits, such as `u32` and `i32`; others are `f32` and `f64`",
                    )
                } else {
                    error
                }
            }
        }
    }

    /// The error for the type of an enumeration or a tag whose name means nothing. Only what can carry it is proposed.
    pub(crate) fn unknown_carrier(
        &self,
        name: &ast::Name,
        scope: Scope,
        allowed: &[Scalar],
        help: String,
        budget: &mut Budget,
    ) -> Diagnostic {
        let may_carry = |ours: &str| allowed.iter().any(|scalar| scalar.keyword() == ours);
        let error = match foreign(&name.text) {
            Some((whose, Foreign::Exactly(ours))) if may_carry(ours) => {
                return foreign_type(name, whose, Foreign::Exactly(ours));
            }
            Some((whose, _)) => return foreign_type(name, whose, Foreign::Nothing("")).help(help),
            None => Diagnostic::error(
                Code::E0201,
                name.span,
                format!("unknown type `{}`", name.text),
            ),
        };
        if !budget.take(self.decls.len()) {
            return error.help(help);
        }
        let error = self.suggest(error, name, scope, allowed, |node| {
            matches!(node, Node::Alias(_))
        });
        if error.edit.is_none() {
            error.help(help)
        } else {
            error
        }
    }

    /// The error for a constant or member whose name means nothing.
    pub(crate) fn unknown_value(
        &self,
        path: &ast::Path,
        scope: Scope,
        at: usize,
        inside: Option<DeclId>,
        budget: &mut Budget,
    ) -> Diagnostic {
        let Some(name) = path.segments.get(at) else {
            return Diagnostic::error(Code::E0202, path.span, "unknown name");
        };
        let error = match inside {
            None => Diagnostic::error(
                Code::E0202,
                name.span,
                format!("unknown name `{}`", name.text),
            )
            .label("not a constant or a member that is visible here"),
            Some(id) => self.no_such_part(Code::E0202, id, name),
        };
        if path.segments.len() == 1 {
            let word = name.text.as_str();
            match word.to_ascii_lowercase().as_str() {
                bool @ ("true" | "false") => {
                    return error.fix(format!("write `{bool}`"), name.span, bool);
                }
                "null" | "nullptr" | "nil" | "none" => {
                    return error
                        .help("remove it; a field with a `?` type is empty where it is not set");
                }
                _ => {}
            }
        }
        if !budget.take(self.decls.len()) {
            return error.help("declare it, or mend its spelling");
        }
        match inside {
            Some(id) => {
                let decl = self.decl(id);
                let parts = || decl.members.keys().chain(decl.nested.keys()).copied();
                match suggest::nearest(&name.text, parts()) {
                    Some(near) => error.fix(format!("it has `{near}`"), name.span, near),
                    None => error.help(has(parts())),
                }
            }
            None => {
                let home = self.decls.iter().find(|decl| {
                    decl.file == scope.file && decl.members.contains_key(name.text.as_str())
                });
                match home {
                    Some(home) => {
                        let full = format!("{}.{}", home.path, name.text);
                        error.fix(format!("write `{full}`"), name.span, full)
                    }
                    None => self.suggest(error, name, scope, &[], |node| {
                        matches!(node, Node::Const(_) | Node::Enum(_))
                    }),
                }
            }
        }
    }

    /// The error for an `extends` whose name means nothing.
    pub(crate) fn unknown_interface(
        &self,
        name: &ast::Name,
        scope: Scope,
        budget: &mut Budget,
    ) -> Diagnostic {
        let error = Diagnostic::error(
            Code::E0510,
            name.span,
            format!("unknown interface `{}`", name.text),
        );
        if budget.take(self.decls.len()) {
            self.suggest(error, name, scope, &[], |node| {
                matches!(node, Node::Interface(_))
            })
        } else {
            error.help("declare it, or mend its spelling")
        }
    }

    /// A declaration lacks a member or a nested name.
    fn no_such_part(&self, code: Code, id: DeclId, name: &ast::Name) -> Diagnostic {
        let decl = self.decl(id);
        Diagnostic::error(
            code,
            name.span,
            format!("`{}` has no `{}`", decl.path, name.text),
        )
        .also(self.span(id), "declared here")
    }

    /// Adds the nearest name among those that are visible or could be imported.
    fn suggest(
        &self,
        error: Diagnostic,
        name: &ast::Name,
        scope: Scope,
        scalars: &[Scalar],
        wanted: impl Fn(Node<'_>) -> bool,
    ) -> Diagnostic {
        let file = self.file(scope.file);
        // The same name elsewhere: in another package, or nested in something.
        let same = self.decls.iter().find(|decl| {
            decl.node.name().text == name.text
                && wanted(decl.node)
                && (decl.file == scope.file || decl.owner.is_none())
        });
        if let Some(decl) = same {
            if decl.file == scope.file {
                return error.fix(
                    format!("write `{}`", decl.path),
                    name.span,
                    decl.path.clone(),
                );
            }
            let line = format!("import {}.{};", self.file(decl.file).package, decl.path);
            return match file.import_place {
                Some(place) => {
                    let end = Span {
                        start: place.end,
                        ..place
                    };
                    error.fix(format!("add `{line}`"), end, format!("\n{line}"))
                }
                None => error.help(format!("add `{line}`")),
            };
        }
        let mut visible: Vec<&str> = Vec::new();
        let mut owner = scope.owner;
        while let Some(id) = owner {
            let decl = self.decl(id);
            visible.extend(
                decl.nested
                    .iter()
                    .filter(|&(_, &id)| wanted(self.decl(id).node))
                    .map(|(name, _)| name),
            );
            owner = decl.owner;
        }
        visible.extend(
            file.items
                .iter()
                .filter(|&(_, &id)| wanted(self.decl(id).node))
                .map(|(name, _)| name),
        );
        visible.extend(
            file.imports
                .iter()
                .filter(|(_, import)| import.target.is_none_or(|id| wanted(self.decl(id).node)))
                .map(|(name, _)| name),
        );
        let scalars = scalars.iter().map(|scalar| scalar.keyword());
        visible.extend(scalars.filter(|scalar| is_slip_of(&name.text, scalar)));
        if let Some(near) = suggest::nearest(&name.text, visible) {
            return error.fix(
                format!("a similar name is visible: `{near}`"),
                name.span,
                near,
            );
        }
        let others = self
            .decls
            .iter()
            .filter(|decl| decl.file != scope.file && decl.owner.is_none() && wanted(decl.node))
            .map(|decl| decl.path.as_str());
        if let Some(near) = suggest::nearest(&name.text, others)
            && let Some(decl) = self
                .decls
                .iter()
                .find(|decl| decl.file != scope.file && decl.path == near)
        {
            let package = &self.file(decl.file).package;
            return error.help(format!(
                "a similar name can be imported: `import {package}.{near};`"
            ));
        }
        error.help("declare it, or import it from the package that does")
    }
}

/// True unless a scalar of that keyword is of another family or width than the name says.
fn is_slip_of(name: &str, keyword: &str) -> bool {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let family = |text: &str| text.chars().next().map(|first| first.to_ascii_lowercase());
    digits(keyword).is_empty()
        || (digits(name) == digits(keyword) && family(name) == family(keyword))
}

/// `f16` or `U24`
fn is_like_a_number(name: &str) -> bool {
    let digits = name.strip_prefix(['u', 'i', 'f', 'U', 'I', 'F']);
    digits.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The error for a word before the type of a method, where the type is missing: the words mean what they do elsewhere.
pub(crate) fn no_result_type(path: &ast::Path) -> Option<Diagnostic> {
    let [name] = path.segments.as_slice() else {
        return None;
    };
    let word = name.text.as_str();
    let whole = format!("{word} void");
    matches!(word, "oneway" | "event").then(|| {
        Diagnostic::error(Code::E0105, name.span, format!("no type after `{word}`"))
            .label("the result type is missing")
            .fix(format!("write `{whole}`"), name.span, whole)
    })
}

/// The error for a name of another language.
fn foreign_type(name: &ast::Name, whose: &str, instead: Foreign) -> Diagnostic {
    let error = Diagnostic::error(
        Code::E0206,
        name.span,
        format!("`{}` is {whose} name for a type", name.text),
    );
    match instead {
        Foreign::Exactly(ours) => error.fix(format!("write `{ours}`"), name.span, ours),
        Foreign::Bounded(ours) => error.help(format!("write `{ours}` with the bound that fits")),
        Foreign::Nothing(what) => error.help(what),
    }
}

/// What a declaration has instead.
fn has<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = parts.take(8).map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "nothing is declared inside it".to_owned()
    } else {
        format!("it has {}", names.join(", "))
    }
}

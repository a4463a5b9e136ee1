//! Names: what each file declares and imports, what a path means, and the order in which declarations depend on
//! each other.

mod declare;
mod foreign;
mod order;
mod scope;
mod unknown;

pub(crate) use declare::{declare, duplicate};
pub(crate) use foreign::{Foreign, foreign};
pub(crate) use order::{Order, order};
pub(crate) use scope::{Found, Scope};
pub(crate) use unknown::{Budget, no_result_type, scalar};

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use crate::ast;
use crate::ir;
use crate::source::{SourceMap, Span};

/// Index of a [`Decl`] in [`Table::decls`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DeclId(pub(crate) u32);

/// A declaration's node in the tree.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node<'a> {
    Const(&'a ast::Const),
    Alias(&'a ast::Alias),
    Enum(&'a ast::Enum),
    Struct(&'a ast::Struct),
    Union(&'a ast::Union),
    Interface(&'a ast::Interface),
}

impl<'a> Node<'a> {
    /// The name that is declared.
    pub(crate) fn name(self) -> &'a ast::Name {
        match self {
            Self::Const(node) => &node.name,
            Self::Alias(node) => &node.name,
            Self::Enum(node) => &node.name,
            Self::Struct(node) => &node.name,
            Self::Union(node) => &node.name,
            Self::Interface(node) => &node.name,
        }
    }

    /// What to call it in a message, with its article.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Const(_) => "a constant",
            Self::Alias(_) => "an alias",
            Self::Enum(node) => match node.kind {
                ast::EnumKind::Enum => "an enum",
                ast::EnumKind::Flags => "a flags type",
                ast::EnumKind::Error => "an error type",
            },
            Self::Struct(_) => "a struct",
            Self::Union(_) => "a union",
            Self::Interface(_) => "an interface",
        }
    }

    /// True for what a field may be declared with.
    pub(crate) fn is_type(self) -> bool {
        !matches!(self, Self::Const(_) | Self::Interface(_))
    }
}

/// One declaration of any file.
#[derive(Debug)]
pub(crate) struct Decl<'a> {
    /// Its node.
    pub(crate) node: Node<'a>,
    /// Its name, with its owner's before it: `Image.Format`.
    pub(crate) path: String,
    /// The file it stands in.
    pub(crate) file: usize,
    /// The struct or interface it is nested in.
    pub(crate) owner: Option<DeclId>,
    /// What is nested in it.
    pub(crate) nested: BTreeMap<&'a str, DeclId>,
    /// Its members by name, for an enumeration.
    pub(crate) members: BTreeMap<&'a str, usize>,
}

/// What one file declares and imports.
#[derive(Debug)]
pub(crate) struct FileScope<'a> {
    /// The dotted name of its package; empty if it is missing.
    pub(crate) package: String,
    /// The version of its package.
    pub(crate) version: Option<ir::Version>,
    /// True for a file that was asked for.
    pub(crate) is_input: bool,
    /// True if a part of it could not be read.
    pub(crate) broken: bool,
    /// Its declarations by name.
    pub(crate) items: BTreeMap<&'a str, DeclId>,
    /// Its imports by local name.
    pub(crate) imports: BTreeMap<&'a str, Import>,
    /// Every word of the parts that could not be read: a name among them may well be declared there.
    pub(crate) unread_words: BTreeSet<&'a str>,
    /// Where a further import would go.
    pub(crate) import_place: Option<Span>,
}

/// A name that a file imports.
#[derive(Debug)]
pub(crate) struct Import {
    /// What it stands for; `None` if that was not found and has been reported.
    pub(crate) target: Option<DeclId>,
    /// The whole statement.
    pub(crate) span: Span,
    /// True once something refers to it.
    pub(crate) used: Cell<bool>,
}

/// All declarations of all files.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    /// The texts.
    pub(crate) sources: &'a SourceMap,
    /// The trees.
    pub(crate) trees: &'a [ast::File],
    /// All declarations, file by file in declared order, nested ones right after their owner.
    pub(crate) decls: Vec<Decl<'a>>,
    /// All files.
    pub(crate) files: Vec<FileScope<'a>>,
}

impl<'a> Table<'a> {
    /// The declaration behind an id.
    pub(crate) fn decl(&self, id: DeclId) -> &Decl<'a> {
        &self.decls[id.0 as usize]
    }

    /// The file behind an index.
    pub(crate) fn file(&self, file: usize) -> &FileScope<'a> {
        &self.files[file]
    }

    /// All ids in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = DeclId> + use<> {
        (0..self.decls.len() as u32).map(DeclId)
    }

    /// The place of a declaration's name.
    pub(crate) fn span(&self, id: DeclId) -> Span {
        self.decl(id).node.name().span
    }
}

/// The keyword of a type whose brackets are missing, which may be the name of a declared type instead.
pub(crate) fn bare_keyword(ty: &ast::Type) -> Option<&'static str> {
    match &ty.kind {
        ast::TypeKind::String(None) => Some("string"),
        ast::TypeKind::Bytes(None) => Some("bytes"),
        ast::TypeKind::Vec(None, None) => Some("vec"),
        ast::TypeKind::Buffer(None) => Some("buffer"),
        _ => None,
    }
}

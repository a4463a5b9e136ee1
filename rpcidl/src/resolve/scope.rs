//! What a path means at a place.

use super::{DeclId, Foreign, Node, Table, foreign};
use crate::ast;

/// The place from which a name is looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// The file.
    pub(crate) file: usize,
    /// The declaration inside which it stands.
    pub(crate) owner: Option<DeclId>,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A declaration.
    Decl(DeclId),
    /// A member of an enumeration, by its index.
    Member(DeclId, usize),
    /// Something that is missing and has been reported.
    Reported,
    /// Nothing: the segment of this index has no meaning.
    Missing(usize, Option<DeclId>),
}

impl<'a> Table<'a> {
    /// Looks a path up, from the innermost scope outwards.
    pub(crate) fn find(&self, path: &ast::Path, scope: Scope) -> Found {
        let mut segments = path.segments.iter().enumerate();
        let Some((_, first)) = segments.next() else {
            return Found::Reported;
        };
        let mut at = match self.find_name(&first.text, scope) {
            Some(Found::Decl(id)) => id,
            Some(found) => return found,
            // Nobody declares a name of another language that has a plain one here.
            None if !matches!(foreign(&first.text), Some((_, Foreign::Exactly(_))))
                && self
                    .file(scope.file)
                    .unread_words
                    .contains(first.text.as_str()) =>
            {
                return Found::Reported;
            }
            None => return Found::Missing(0, None),
        };
        let mut member = None;
        for (index, segment) in segments {
            if member.is_some() {
                return Found::Missing(index, Some(at));
            }
            at = self.through_aliases(at);
            let decl = self.decl(at);
            if let Some(&member_index) = decl.members.get(segment.text.as_str()) {
                member = Some(member_index);
            } else if let Some(id) = self.nested(at, &segment.text) {
                at = id;
            } else if self
                .file(decl.file)
                .unread_words
                .contains(segment.text.as_str())
            {
                return Found::Reported;
            } else {
                return Found::Missing(index, Some(at));
            }
        }
        match member {
            Some(index) => Found::Member(at, index),
            None => Found::Decl(at),
        }
    }

    /// Looks one name up.
    pub(crate) fn find_name(&self, name: &str, scope: Scope) -> Option<Found> {
        let mut owner = scope.owner;
        while let Some(id) = owner {
            if let Some(found) = self.nested(id, name) {
                return Some(Found::Decl(found));
            }
            owner = self.decl(id).owner;
        }
        let file = self.file(scope.file);
        if let Some(&id) = file.items.get(name) {
            return Some(Found::Decl(id));
        }
        let import = file.imports.get(name)?;
        import.used.set(true);
        Some(import.target.map_or(Found::Reported, Found::Decl))
    }

    /// What `name` means inside a declaration, inherited names included.
    fn nested(&self, id: DeclId, name: &str) -> Option<DeclId> {
        let mut at = id;
        // A chain of bases longer than the limit is reported elsewhere, and one that bites its tail ends here.
        for _ in 0..=crate::limits::TYPE_NESTING {
            if let Some(&found) = self.decl(at).nested.get(name) {
                return Some(found);
            }
            at = self.base(at)?;
        }
        None
    }

    /// The interface that an interface extends.
    pub(crate) fn base(&self, id: DeclId) -> Option<DeclId> {
        let decl = self.decl(id);
        let Node::Interface(ast::Interface {
            base: Some(path), ..
        }) = decl.node
        else {
            return None;
        };
        // Interfaces are never nested, so a base is one word, looked up from the file.
        let [name] = path.segments.as_slice() else {
            return None;
        };
        match self.find_name(
            &name.text,
            Scope {
                file: decl.file,
                owner: None,
            },
        ) {
            Some(Found::Decl(base)) if matches!(self.decl(base).node, Node::Interface(_)) => {
                Some(base)
            }
            _ => None,
        }
    }

    /// The declaration that an alias of an alias … of a plain name leads to.
    fn through_aliases(&self, id: DeclId) -> DeclId {
        let mut at = id;
        for _ in 0..=crate::limits::TYPE_NESTING {
            let decl = self.decl(at);
            let Node::Alias(alias) = decl.node else { break };
            let ast::TypeKind::Named(path) = &alias.ty.kind else {
                break;
            };
            let scope = Scope {
                file: decl.file,
                owner: decl.owner,
            };
            // Only a name without dots is followed: a dotted one could lead back here without end.
            let [name] = path.segments.as_slice() else {
                break;
            };
            match self.find_name(&name.text, scope) {
                Some(Found::Decl(next)) => at = next,
                _ => break,
            }
        }
        at
    }
}

//! A schema as data, and its text.

use std::fmt;

use super::Choices;

/// Most bytes of a type, so that lists of them stay below the limits of messages.
const MOST_BYTES: u32 = 2048;

/// A use of a type.
#[derive(Clone, Debug)]
pub enum Ty {
    /// A scalar by its keyword.
    Scalar(&'static str),
    /// `string<N>`.
    Str(u32),
    /// `bytes<N>`.
    Bytes(u32),
    /// `vec<T, N>`.
    Vec(Box<Ty>, u32),
    /// `T[N]`.
    Array(Box<Ty>, u32),
    /// `T?`.
    Opt(Box<Ty>),
    /// A declaration by its place in the schema.
    Named(usize),
}

/// A field of a struct; `None` is reserved room.
#[derive(Clone, Debug)]
pub struct Field {
    /// What it holds, or how many bytes are reserved.
    pub ty: Result<Ty, u32>,
}

/// An enum or flags.
#[derive(Clone, Debug)]
pub struct Enumeration {
    /// The carrying type.
    pub repr: &'static str,
    /// True if other numbers are refused.
    pub closed: bool,
    /// The members' numbers.
    pub members: Vec<u64>,
}

/// What a declaration is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `struct`.
    Struct(Vec<Field>),
    /// `union`: its tag, whether it is closed, and the arms by tag.
    Union(&'static str, bool, Vec<(u64, Option<Ty>)>),
    /// `enum`.
    Enum(Enumeration),
    /// `flags`.
    Flags(Enumeration),
    /// `alias`.
    Alias(Ty),
}

/// A declaration; its name is made of its place.
#[derive(Clone, Debug)]
pub struct Decl {
    /// What it is.
    pub kind: Kind,
}

/// Which way a parameter travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `in`.
    In,
    /// `out`.
    Out,
    /// `inout`.
    InOut,
}

/// A method, or an event.
#[derive(Clone, Debug)]
pub struct Method {
    /// Nothing, `oneway ` or `event `.
    pub word: &'static str,
    /// The result.
    pub result: Option<Ty>,
    /// The parameters.
    pub params: Vec<(Direction, Ty)>,
    /// True if it throws.
    pub throws: bool,
}

/// A whole schema: types, each made of earlier ones, and an interface.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The types.
    pub decls: Vec<Decl>,
    /// The methods.
    pub methods: Vec<Method>,
}

const SCALARS: &[&str] = &[
    "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64", "bool",
];
const UNSIGNED: &[&str] = &["u8", "u16", "u32", "u64"];

impl Schema {
    /// A schema that the compiler has to accept.
    pub fn random(choices: &mut Choices) -> Self {
        let mut schema = Self {
            decls: Vec::new(),
            methods: Vec::new(),
        };
        for _ in 0..1 + choices.below(12) {
            let kind = schema.kind(choices);
            schema.decls.push(Decl { kind });
            // Too large or too deep for others to build on.
            let last = Ty::Named(schema.decls.len() - 1);
            if schema.laid(&last).size > MOST_BYTES || schema.depth(&last) > 12 {
                schema.decls.pop();
            }
        }
        for _ in 0..choices.below(6) {
            let method = schema.method(choices);
            schema.methods.push(method);
        }
        schema
    }

    fn kind(&self, choices: &mut Choices) -> Kind {
        match choices.below(8) {
            0..=3 => Kind::Struct(
                (0..1 + choices.below(8))
                    .map(|_| self.field(choices))
                    .collect(),
            ),
            4 => {
                let arms = 1 + choices.below(5);
                let tag = choices.of(UNSIGNED);
                let arm = |number: u32, choices: &mut Choices| {
                    let ty = (!choices.once_in(4)).then(|| self.ty(choices, 0));
                    (u64::from(number * 3), ty)
                };
                Kind::Union(
                    tag,
                    choices.once_in(2),
                    (0..arms).map(|number| arm(number, choices)).collect(),
                )
            }
            5 => Kind::Enum(enumeration(choices, |number| number * 2)),
            6 => Kind::Flags(enumeration(choices, |number| 1 << number)),
            _ => Kind::Alias(self.ty(choices, 0)),
        }
    }

    fn field(&self, choices: &mut Choices) -> Field {
        Field {
            ty: if choices.once_in(10) {
                Err(1 + choices.below(9))
            } else {
                Ok(self.ty(choices, 0))
            },
        }
    }

    fn ty(&self, choices: &mut Choices, depth: u32) -> Ty {
        let inner = |choices: &mut Choices| Box::new(self.ty(choices, depth + 1));
        match choices.below(if depth > 2 { 5 } else { 10 }) {
            0 | 1 => Ty::Scalar(choices.of(SCALARS)),
            2 => Ty::Str(1 + choices.below(40)),
            3 => Ty::Bytes(1 + choices.below(40)),
            4 | 5 if !self.decls.is_empty() => {
                Ty::Named(choices.below(self.decls.len() as u32) as usize)
            }
            6 | 7 => Ty::Vec(inner(choices), 1 + choices.below(6)),
            8 => Ty::Array(inner(choices), 1 + choices.below(5)),
            9 => {
                let inner = inner(choices);
                if self.is_optional(&inner) {
                    *inner
                } else {
                    Ty::Opt(inner)
                }
            }
            _ => Ty::Scalar(choices.of(SCALARS)),
        }
    }

    /// True for an optional, also by another name.
    fn is_optional(&self, ty: &Ty) -> bool {
        match ty {
            Ty::Opt(_) => true,
            Ty::Named(index) => {
                matches!(&self.decls[*index].kind, Kind::Alias(ty) if self.is_optional(ty))
            }
            _ => false,
        }
    }

    fn method(&self, choices: &mut Choices) -> Method {
        let word = choices.of(&["", "", "", "oneway ", "event "]);
        let replies = word.is_empty();
        let direction = |choices: &mut Choices| {
            if replies {
                choices.of(&[Direction::In, Direction::Out, Direction::InOut])
            } else {
                Direction::In
            }
        };
        Method {
            word,
            result: (replies && choices.once_in(2)).then(|| self.ty(choices, 1)),
            params: (0..choices.below(5))
                .map(|_| (direction(choices), self.ty(choices, 1)))
                .collect(),
            throws: replies && choices.once_in(3),
        }
    }

    /// How many types are inside each other.
    fn depth(&self, ty: &Ty) -> u32 {
        let deepest = |types: &mut dyn Iterator<Item = &Ty>| {
            types.map(|ty| self.depth(ty)).max().unwrap_or(0)
        };
        match ty {
            Ty::Scalar(_) | Ty::Str(_) | Ty::Bytes(_) => 1,
            Ty::Vec(ty, _) | Ty::Array(ty, _) | Ty::Opt(ty) => 1 + self.depth(ty),
            Ty::Named(index) => match &self.decls[*index].kind {
                Kind::Struct(fields) => {
                    1 + deepest(&mut fields.iter().filter_map(|field| field.ty.as_ref().ok()))
                }
                Kind::Union(_, _, arms) => {
                    1 + deepest(&mut arms.iter().filter_map(|(_, ty)| ty.as_ref()))
                }
                Kind::Alias(ty) => 1 + self.depth(ty),
                Kind::Enum(_) | Kind::Flags(_) => 1,
            },
        }
    }

    /// The text of a type.
    pub fn show(&self, ty: &Ty) -> String {
        match ty {
            Ty::Scalar(name) => (*name).to_owned(),
            Ty::Str(bound) => format!("string<{bound}>"),
            Ty::Bytes(bound) => format!("bytes<{bound}>"),
            Ty::Vec(ty, bound) => format!("vec<{}, {bound}>", self.show(ty)),
            // Arrays read from left to right, so the inner dimension is written last, and an array of arrays as `T[outer][inner]`.
            Ty::Array(ty, len) => {
                let mut dimensions = format!("[{len}]");
                let mut inner = ty;
                while let Ty::Array(ty, len) = inner.as_ref() {
                    dimensions += &format!("[{len}]");
                    inner = ty;
                }
                format!("{}{dimensions}", self.show(inner))
            }
            Ty::Opt(ty) => format!("{}?", self.show(ty)),
            Ty::Named(index) => format!("T{index}"),
        }
    }
}

/// An enum or flags with a few members.
fn enumeration(choices: &mut Choices, number: impl Fn(u64) -> u64) -> Enumeration {
    Enumeration {
        repr: choices.of(UNSIGNED),
        closed: choices.once_in(2),
        members: (0..1 + choices.below(7))
            .map(|index| number(index.into()))
            .collect(),
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "package golden.random@1.0;\n\nerror Fault : u32 {{ FIRST = 1 }}\n"
        )?;
        for (index, decl) in self.decls.iter().enumerate() {
            match &decl.kind {
                Kind::Struct(fields) => {
                    writeln!(f, "struct T{index} {{")?;
                    for (number, field) in fields.iter().enumerate() {
                        match &field.ty {
                            Ok(ty) => writeln!(f, "    {} f{number};", self.show(ty))?,
                            Err(bytes) => writeln!(f, "    reserved u8[{bytes}];")?,
                        }
                    }
                    writeln!(f, "}}")?;
                }
                Kind::Union(tag, closed, arms) => {
                    writeln!(f, "{}union T{index} : {tag} {{", word(*closed))?;
                    for (number, ty) in arms {
                        let ty = ty.as_ref().map_or("void".to_owned(), |ty| self.show(ty));
                        writeln!(f, "    {number}: {ty} a{number};")?;
                    }
                    writeln!(f, "}}")?;
                }
                Kind::Enum(it) => writeln!(
                    f,
                    "{}enum T{index} : {} {{ {}}}",
                    word(it.closed),
                    it.repr,
                    members(it)
                )?,
                Kind::Flags(it) => writeln!(
                    f,
                    "{}flags T{index} : {} {{ {}}}",
                    word(it.closed),
                    it.repr,
                    members(it)
                )?,
                Kind::Alias(ty) => writeln!(f, "alias T{index} = {};", self.show(ty))?,
            }
        }
        writeln!(f, "\ninterface IRandom {{")?;
        for (index, method) in self.methods.iter().enumerate() {
            let result = method
                .result
                .as_ref()
                .map_or("void".to_owned(), |ty| self.show(ty));
            let params: Vec<String> = method
                .params
                .iter()
                .enumerate()
                .map(|(number, (direction, ty))| {
                    let direction = match direction {
                        Direction::In => "in",
                        Direction::Out => "out",
                        Direction::InOut => "inout",
                    };
                    format!("{direction} {} p{number}", self.show(ty))
                })
                .collect();
            let throws = if method.throws { " throws Fault" } else { "" };
            writeln!(
                f,
                "    {}{result} m{index}({}){throws};",
                method.word,
                params.join(", ")
            )?;
        }
        writeln!(f, "}}")
    }
}

fn word(closed: bool) -> &'static str {
    if closed { "closed " } else { "" }
}

fn members(it: &Enumeration) -> String {
    it.members
        .iter()
        .map(|number| format!("M{number} = {number}, "))
        .collect()
}

//! The layout rules of the language, once more.

use super::{Direction, Kind, Method, Schema, Ty};

/// Size and alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Laid {
    /// In bytes.
    pub size: u32,
    /// In bytes.
    pub align: u32,
}

/// One field of a struct, a pad, or reserved room.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// First byte.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
    /// What it holds; `Err(true)` for reserved room, `Err(false)` for padding.
    pub ty: Result<&'a Ty, bool>,
}

/// The fields of a struct in order, without gaps.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// The fields.
    pub parts: Vec<Part<'a>>,
    /// Size and alignment of the whole.
    pub laid: Laid,
}

fn up(size: u32, align: u32) -> u32 {
    size.div_ceil(align) * align
}

/// Size, which is also the alignment, of a scalar.
pub(super) fn scalar(name: &str) -> u32 {
    match name {
        "bool" | "u8" | "i8" => 1,
        "u16" | "i16" => 2,
        "u32" | "i32" | "f32" => 4,
        _ => 8,
    }
}

impl Schema {
    /// Size and alignment of a type.
    pub fn laid(&self, ty: &Ty) -> Laid {
        match ty {
            Ty::Scalar(name) => Laid {
                size: scalar(name),
                align: scalar(name),
            },
            Ty::Str(bound) | Ty::Bytes(bound) => Laid {
                size: up(2 + bound, 2),
                align: 2,
            },
            Ty::Vec(ty, bound) => {
                let item = self.laid(ty);
                let align = item.align.max(2);
                Laid {
                    size: up(up(2, item.align) + bound * item.size, align),
                    align,
                }
            }
            Ty::Array(ty, len) => {
                let item = self.laid(ty);
                Laid {
                    size: item.size * len,
                    align: item.align,
                }
            }
            Ty::Opt(ty) => {
                let item = self.laid(ty);
                Laid {
                    size: item.align + item.size,
                    align: item.align,
                }
            }
            Ty::Named(index) => match &self.decls[*index].kind {
                Kind::Struct(fields) => {
                    self.parts(
                        fields
                            .iter()
                            .map(|field| field.ty.as_ref().map_err(|bytes| *bytes)),
                    )
                    .laid
                }
                Kind::Union(tag, _, arms) => {
                    let start = self.storage(tag, arms);
                    let laid = arms
                        .iter()
                        .filter_map(|(_, ty)| ty.as_ref())
                        .map(|ty| self.laid(ty));
                    let align = laid
                        .clone()
                        .map(|it| it.align)
                        .chain([scalar(tag)])
                        .max()
                        .unwrap_or(1);
                    let most = laid.map(|it| it.size).max().unwrap_or(0);
                    Laid {
                        size: up(start + most, align),
                        align,
                    }
                }
                Kind::Enum(it) | Kind::Flags(it) => Laid {
                    size: scalar(it.repr),
                    align: scalar(it.repr),
                },
                Kind::Alias(ty) => self.laid(ty),
            },
        }
    }

    /// Where the storage of a union begins.
    pub fn storage(&self, tag: &str, arms: &[(u64, Option<Ty>)]) -> u32 {
        let aligns = arms
            .iter()
            .filter_map(|(_, ty)| ty.as_ref())
            .map(|ty| self.laid(ty).align);
        up(scalar(tag), aligns.max().unwrap_or(1))
    }

    /// Lays fields out one after the other.
    pub fn parts<'a>(&self, types: impl Iterator<Item = Result<&'a Ty, u32>>) -> Parts<'a> {
        let mut parts = Vec::new();
        let (mut end, mut most) = (0, 1);
        let pad = |parts: &mut Vec<Part<'a>>, end: &mut u32, align: u32| {
            let to = up(*end, align);
            if to != *end {
                parts.push(Part {
                    offset: *end,
                    size: to - *end,
                    ty: Err(false),
                });
                *end = to;
            }
        };
        for ty in types {
            let laid = ty.map_or_else(
                |bytes| Laid {
                    size: bytes,
                    align: 1,
                },
                |ty| self.laid(ty),
            );
            pad(&mut parts, &mut end, laid.align);
            parts.push(Part {
                offset: end,
                size: laid.size,
                ty: ty.map_err(|_| true),
            });
            end += laid.size;
            most = most.max(laid.align);
        }
        pad(&mut parts, &mut end, most);
        Parts {
            parts,
            laid: Laid {
                size: end,
                align: most,
            },
        }
    }

    /// The request of a method.
    pub fn request<'a>(&self, method: &'a Method) -> Parts<'a> {
        let sent = |(direction, _): &&(Direction, Ty)| *direction != Direction::Out;
        self.parts(method.params.iter().filter(sent).map(|(_, ty)| Ok(ty)))
    }

    /// The response of a method.
    pub fn response<'a>(&self, method: &'a Method) -> Parts<'a> {
        let back = |(direction, _): &&(Direction, Ty)| *direction != Direction::In;
        let params = method.params.iter().filter(back).map(|(_, ty)| Ok(ty));
        self.parts(method.result.iter().map(Ok).chain(params))
    }
}

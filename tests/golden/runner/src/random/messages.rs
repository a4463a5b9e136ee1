//! Messages as bytes, and whether a reader has to accept them.

use super::layout::scalar;
use super::{Choices, Enumeration, Kind, Schema, Ty};

/// The bytes of a value of a type.
#[derive(Clone, Debug)]
pub struct Message {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// True if they are a value that a reader accepts.
    pub valid: bool,
}

impl Schema {
    /// A value that a writer could have made.
    pub fn message(&self, ty: &Ty, choices: &mut Choices) -> Message {
        let mut bytes = vec![0; self.laid(ty).size as usize];
        self.write(ty, &mut bytes, choices);
        Message { bytes, valid: true }
    }

    /// A message with a few bytes changed.
    pub fn mutated(&self, ty: &Ty, message: &Message, choices: &mut Choices) -> Message {
        let mut bytes = message.bytes.clone();
        for _ in 0..1 + choices.below(3) {
            let at = choices.below(bytes.len() as u32) as usize;
            bytes[at] = choices.of(&[0, 1, 2, 3, 0x7F, 0x80, 0xFF]);
        }
        let valid = self.accepts(ty, &bytes);
        Message { bytes, valid }
    }

    fn write(&self, ty: &Ty, bytes: &mut [u8], choices: &mut Choices) {
        match ty {
            Ty::Scalar("bool") => bytes[0] = choices.below(2) as u8,
            // Small whole numbers: no float of them is NaN, which is not equal to itself.
            Ty::Scalar("f32") => bytes.copy_from_slice(&(choices.below(1000) as f32).to_le_bytes()),
            Ty::Scalar("f64") => {
                bytes.copy_from_slice(&f64::from(choices.below(1000)).to_le_bytes());
            }
            Ty::Scalar(_) => bytes
                .iter_mut()
                .for_each(|byte| *byte = choices.below(256) as u8),
            Ty::Str(bound) => {
                let len = choices.below(bound + 1) as usize;
                bytes[..2].copy_from_slice(&(len as u16).to_le_bytes());
                bytes[2..2 + len]
                    .iter_mut()
                    .for_each(|byte| *byte = b'a' + choices.below(26) as u8);
                // A character of two bytes, if there is room for one.
                if len >= 2 && choices.once_in(2) {
                    bytes[2..4].copy_from_slice("ü".as_bytes());
                }
            }
            Ty::Bytes(bound) => {
                let len = choices.below(bound + 1) as usize;
                bytes[..2].copy_from_slice(&(len as u16).to_le_bytes());
                bytes[2..2 + len]
                    .iter_mut()
                    .for_each(|byte| *byte = choices.below(256) as u8);
            }
            Ty::Vec(item, bound) => {
                let len = choices.below(bound + 1) as usize;
                bytes[..2].copy_from_slice(&(len as u16).to_le_bytes());
                let laid = self.laid(item);
                let (first, size) = (2.max(laid.align) as usize, laid.size as usize);
                bytes[first..first + len * size]
                    .chunks_mut(size)
                    .for_each(|bytes| self.write(item, bytes, choices));
            }
            Ty::Array(item, _) => {
                bytes
                    .chunks_mut(self.laid(item).size as usize)
                    .for_each(|bytes| self.write(item, bytes, choices));
            }
            Ty::Opt(item) => {
                if choices.once_in(2) {
                    bytes[0] = 1;
                    self.write(item, &mut bytes[self.laid(item).align as usize..], choices);
                }
            }
            Ty::Named(index) => match &self.decls[*index].kind {
                Kind::Struct(fields) => {
                    for part in self
                        .parts(
                            fields
                                .iter()
                                .map(|field| field.ty.as_ref().map_err(|bytes| *bytes)),
                        )
                        .parts
                    {
                        if let Ok(ty) = part.ty {
                            self.write(
                                ty,
                                &mut bytes
                                    [part.offset as usize..(part.offset + part.size) as usize],
                                choices,
                            );
                        }
                    }
                }
                Kind::Union(tag, _, arms) => {
                    let (number, ty) = &arms[choices.below(arms.len() as u32) as usize];
                    let tag_size = scalar(tag) as usize;
                    bytes[..tag_size].copy_from_slice(&number.to_le_bytes()[..tag_size]);
                    if let Some(ty) = ty {
                        let start = self.storage(tag, arms) as usize;
                        self.write(
                            ty,
                            &mut bytes[start..start + self.laid(ty).size as usize],
                            choices,
                        );
                    }
                }
                Kind::Enum(it) | Kind::Flags(it) => {
                    let number = it.members[choices.below(it.members.len() as u32) as usize];
                    bytes.copy_from_slice(&number.to_le_bytes()[..bytes.len()]);
                }
                Kind::Alias(ty) => self.write(ty, bytes, choices),
            },
        }
    }

    /// What the rules of validation say of some bytes.
    fn accepts(&self, ty: &Ty, bytes: &[u8]) -> bool {
        let zero = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
        let len = || usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
        match ty {
            Ty::Scalar("bool") => bytes[0] <= 1,
            Ty::Scalar(_) => true,
            Ty::Str(bound) | Ty::Bytes(bound) => {
                let bound = *bound as usize;
                len() <= bound
                    && zero(&bytes[2 + bound..])
                    && (matches!(ty, Ty::Bytes(_))
                        || std::str::from_utf8(&bytes[2..2 + len()]).is_ok())
            }
            Ty::Vec(item, bound) => {
                let laid = self.laid(item);
                let (first, size) = (2.max(laid.align) as usize, laid.size as usize);
                len() <= *bound as usize
                    && zero(&bytes[2..first])
                    && zero(&bytes[first + *bound as usize * size..])
                    && bytes[first..first + len() * size]
                        .chunks(size)
                        .all(|bytes| self.accepts(item, bytes))
            }
            Ty::Array(item, _) => bytes
                .chunks(self.laid(item).size as usize)
                .all(|bytes| self.accepts(item, bytes)),
            Ty::Opt(item) => {
                let first = self.laid(item).align as usize;
                bytes[0] <= 1
                    && zero(&bytes[1..first])
                    && (bytes[0] == 0 || self.accepts(item, &bytes[first..]))
            }
            Ty::Named(index) => match &self.decls[*index].kind {
                Kind::Struct(fields) => {
                    let parts = self
                        .parts(
                            fields
                                .iter()
                                .map(|field| field.ty.as_ref().map_err(|bytes| *bytes)),
                        )
                        .parts;
                    parts.iter().all(|part| {
                        let bytes =
                            &bytes[part.offset as usize..(part.offset + part.size) as usize];
                        part.ty
                            .map_or_else(|_| zero(bytes), |ty| self.accepts(ty, bytes))
                    })
                }
                Kind::Union(tag, closed, arms) => {
                    let start = self.storage(tag, arms) as usize;
                    let tag_size = scalar(tag) as usize;
                    let number = number(&bytes[..tag_size]);
                    let has_storage = bytes.len() > start;
                    (!has_storage || zero(&bytes[tag_size..start]))
                        && match arms.iter().find(|(tag, _)| *tag == number) {
                            Some((_, Some(ty))) => {
                                self.accepts(ty, &bytes[start..start + self.laid(ty).size as usize])
                            }
                            Some((_, None)) => true,
                            None => !closed,
                        }
                }
                Kind::Enum(it) => !it.closed || it.members.contains(&number(bytes)),
                Kind::Flags(it) => !it.closed || number(bytes) & !all(it) == 0,
                Kind::Alias(ty) => self.accepts(ty, bytes),
            },
        }
    }
}

/// A little-endian number.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// All bits of flags.
fn all(it: &Enumeration) -> u64 {
    it.members.iter().fold(0, |all, bits| all | bits)
}

//! Code of random schemas. That it compiles shows that rustc lays every type out as the compiler said; the messages show
//! that validation accepts what the rules accept, and nothing else.

#![forbid(unsafe_code)]
#![deny(missing_docs, warnings)]

use std::collections::BTreeMap;
use std::fmt::Debug;

use runtime_core::{Wire, bytes_of, bytes_of_mut, zeroed};

include!(concat!(env!("OUT_DIR"), "/index.rs"));

/// Messages by type, each with whether it is valid, and what has been found out about them.
#[derive(Debug)]
pub struct Run {
    messages: BTreeMap<&'static str, Vec<(bool, Vec<u8>)>>,
    /// How many messages were accepted.
    pub accepted: usize,
    /// How many were refused.
    pub refused: usize,
    /// Where reader and rules differ.
    pub wrong: Vec<String>,
}

impl Run {
    /// All messages, none of them read yet.
    pub fn new() -> Self {
        let mut messages = BTreeMap::<_, Vec<_>>::new();
        for line in include_str!(concat!(env!("OUT_DIR"), "/messages.txt")).lines() {
            let mut parts = line.split(':');
            let (Some(ty), Some(verdict), Some(hex)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let digit = |byte: u8| char::from(byte).to_digit(16).map_or(0, |digit| digit as u8);
            let bytes = hex
                .as_bytes()
                .chunks(2)
                .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
                .collect();
            messages
                .entry(ty)
                .or_default()
                .push((verdict == "valid", bytes));
        }
        Self {
            messages,
            accepted: 0,
            refused: 0,
            wrong: Vec::new(),
        }
    }

    /// Reads the messages of a type.
    pub fn of<T: Wire + PartialEq + Debug>(&mut self, name: &str) {
        for (valid, bytes) in self.messages.remove(name).unwrap_or_default() {
            let mut value = zeroed::<T>();
            if bytes.len() != size_of::<T>() {
                self.wrong.push(format!(
                    "{name} has {} bytes instead of {}",
                    size_of::<T>(),
                    bytes.len()
                ));
                continue;
            }
            bytes_of_mut(&mut value).copy_from_slice(&bytes);
            let verdict = value.validate();
            if verdict.is_ok() != valid {
                self.wrong.push(format!(
                    "{name}: {verdict:?}, but the rules say {valid}: {bytes:02x?}"
                ));
            }
            if let Err(invalid) = verdict {
                // The place of the finding lies inside of the message, and its path can be told.
                if invalid.offset() as usize >= bytes.len()
                    || !invalid
                        .to_string()
                        .starts_with(&format!("`{}", short(name)))
                {
                    self.wrong.push(format!("{name}: {invalid}"));
                }
                self.refused += 1;
            } else {
                self.accepted += 1;
            }
            // Whatever it holds, it can be shown, copied, and written again.
            let copy = value;
            assert!(!format!("{value:?}").is_empty());
            if valid && (bytes_of(&copy) != bytes || !same(&copy, &value)) {
                self.wrong.push(format!("{name} is not what was written"));
            }
        }
    }
}

impl Default for Run {
    fn default() -> Self {
        Self::new()
    }
}

/// The name of a type without its schema's.
fn short(name: &str) -> &str {
    name.rsplit(' ').next().unwrap_or(name)
}

/// True if two values are equal, or hold the same NaN.
fn same<T: PartialEq + Debug>(a: &T, b: &T) -> bool {
    a == b || format!("{a:?}").contains("NaN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_accept_what_the_rules_accept() {
        let mut run = Run::new();
        let messages: usize = run.messages.values().map(Vec::len).sum();
        all(&mut run);
        assert!(
            run.wrong.is_empty(),
            "{} differ:\n{}",
            run.wrong.len(),
            run.wrong.join("\n")
        );
        assert_eq!(run.accepted + run.refused, messages);
        assert!(
            run.accepted > 1000 && run.refused > 1000,
            "{} accepted, {} refused",
            run.accepted,
            run.refused
        );
    }
}

//! The annotations that tune a backend: `@Inproc`, `@Shm`, `@Rdma` and `@Deadline`.

use std::time::Duration;

use super::Checker;
use super::annotations::Place;
use crate::ast::{self, AnnotationValue, ExprKind};
use crate::diag::{Code, Diagnostic};
use crate::ir;
use crate::limits;
use crate::resolve::Scope;
use crate::suggest;

/// Which numbers a key takes.
#[derive(Clone, Copy)]
enum Range {
    /// Anything between the two.
    Between(u32, u32),
    /// Powers of two within the limits of an in-flight window.
    Window,
    /// The word stands alone.
    Bare,
}

/// The keys of an annotation.
fn keys(name: &str) -> &'static [(&'static str, Range)] {
    const SECONDS: u32 = 1_000_000;
    match name {
        "Inproc" => &[("depth", Range::Window)],
        "Shm" => &[
            ("slots", Range::Window),
            ("slot", Range::Between(64, 131_072)),
            ("spin_us", Range::Between(0, SECONDS)),
            ("isolated", Range::Bare),
        ],
        "Rdma" => &[
            ("recv_depth", Range::Window),
            ("inline_max", Range::Between(0, 1024)),
        ],
        "Deadline" => &[
            ("us", Range::Between(1, u32::MAX)),
            ("ms", Range::Between(1, u32::MAX)),
            ("s", Range::Between(1, u32::MAX)),
        ],
        _ => &[],
    }
}

impl<'a> Checker<'_, 'a> {
    /// Reads the arguments of an annotation that tunes a backend.
    pub(super) fn knobs(
        &mut self,
        annotation: &'a ast::Annotation,
        example: &str,
        place: Place,
        scope: Scope,
        tuning: &mut ir::Tuning,
    ) {
        let name = annotation.name.text.as_str();
        let keys = keys(name);
        let mut seen: Vec<&str> = Vec::new();
        if annotation.args.is_empty() {
            self.wrong_args(annotation.span, name, example);
        }
        for arg in &annotation.args {
            let AnnotationValue::Expr(value) = &arg.value else {
                self.wrong_args(annotation.span, name, example);
                continue;
            };
            // A bare word is a key without a value.
            let (key, bare) = match (&arg.key, &value.kind) {
                (Some(key), _) => (key, false),
                (None, ExprKind::Path(path)) => match path.segments.as_slice() {
                    [word] => (word, true),
                    _ => {
                        self.wrong_args(value.span, name, example);
                        continue;
                    }
                },
                // What is no number, as `50ms`, was told when it was read.
                (None, ExprKind::Int(None) | ExprKind::Invalid) => continue,
                (None, ExprKind::Int(Some(time))) if name == "Deadline" => {
                    let example = format!("@Deadline(us = {time})`, with `us`, `ms` or `s");
                    self.wrong_args(value.span, name, &example);
                    continue;
                }
                (None, _) => {
                    self.wrong_args(value.span, name, example);
                    continue;
                }
            };
            let Some(&(known, range)) = keys.iter().find(|(known, _)| *known == key.text) else {
                self.unknown_key(name, key, keys);
                continue;
            };
            if seen.contains(&known) {
                self.error(
                    Diagnostic::error(Code::E0603, key.span, format!("`{known}` is given twice"))
                        .help("keep one of them"),
                );
                continue;
            }
            seen.push(known);
            if matches!(range, Range::Bare) != bare {
                let error = Diagnostic::error(
                    Code::E0605,
                    key.span,
                    format!("`{known}` is not given as it is meant"),
                );
                self.error(if bare {
                    error.help(format!("give it a value, as in `{example}`"))
                } else {
                    error.help(format!("write the word `{known}` alone"))
                });
                continue;
            }
            if bare {
                self.isolated(key, place, tuning);
                continue;
            }
            let what = format!("`{known}`");
            let number = match range {
                Range::Between(least, greatest) => {
                    self.number(value, scope, least, greatest, Code::E0606, &what)
                }
                Range::Window => self.window(value, scope, &what),
                Range::Bare => None,
            };
            set(tuning, known, number);
        }
        if name == "Deadline" && seen.len() > 1 {
            self.error(
                Diagnostic::error(
                    Code::E0605,
                    annotation.span,
                    "`@Deadline` is given more than one unit",
                )
                .help("give one of `us`, `ms` and `s`"),
            );
        }
    }

    fn isolated(&mut self, key: &ast::Name, place: Place, tuning: &mut ir::Tuning) {
        if place == Place::Interface {
            tuning.shm_isolated = true;
        } else {
            self.error(
                Diagnostic::error(
                    Code::E0602,
                    key.span,
                    "`isolated` holds for a whole connection, not for a method",
                )
                .help("put `@Shm(isolated)` on the interface"),
            );
        }
    }

    fn window(&mut self, value: &'a ast::Expr, scope: Scope, what: &str) -> Option<u32> {
        let number = self.number(
            value,
            scope,
            limits::LEAST_WINDOW,
            limits::WINDOW,
            Code::E0606,
            what,
        )?;
        if number.is_power_of_two() {
            return Some(number);
        }
        let next = number.next_power_of_two();
        self.error(
            Diagnostic::error(
                Code::E0606,
                value.span,
                format!("{what} is {number}, which is not a power of two"),
            )
            .help(format!("write {next} or {}", next / 2)),
        );
        None
    }

    fn unknown_key(&mut self, name: &str, key: &ast::Name, keys: &[(&'static str, Range)]) {
        let error = Diagnostic::error(
            Code::E0604,
            key.span,
            format!("`@{name}` has no `{}`", key.text),
        );
        self.error(
            match suggest::nearest(&key.text, keys.iter().map(|(key, _)| *key)) {
                Some(near) => error.fix(format!("write `{near}`"), key.span, near),
                None => {
                    let names: Vec<String> =
                        keys.iter().map(|(key, _)| format!("`{key}`")).collect();
                    error.help(format!("it has {}", names.join(", ")))
                }
            },
        );
    }
}

fn set(tuning: &mut ir::Tuning, key: &str, number: Option<u32>) {
    let Some(number) = number else { return };
    match key {
        "depth" => tuning.inproc_depth = Some(number),
        "slots" => tuning.shm_slots = Some(number),
        "slot" => tuning.shm_slot = Some(number),
        "spin_us" => tuning.shm_spin_us = Some(number),
        "recv_depth" => tuning.rdma_recv_depth = Some(number),
        "inline_max" => tuning.rdma_inline_max = Some(number),
        "us" => tuning.deadline = Some(Duration::from_micros(number.into())),
        "ms" => tuning.deadline = Some(Duration::from_millis(number.into())),
        "s" => tuning.deadline = Some(Duration::from_secs(number.into())),
        _ => {}
    }
}

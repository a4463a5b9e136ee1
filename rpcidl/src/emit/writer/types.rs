//! Types that are too wide for their line.

use std::fmt::{Arguments, Display};

use super::{WIDTH, Writer, line};

impl Writer {
    /// One line that ends in a type: if it is too wide, the parameters of the type stand on lines of their own.
    pub(in crate::emit) fn type_line(&mut self, text: Arguments<'_>) {
        let begin = self.out.len();
        self.start();
        self.put(text);
        let width = self.out.len() - begin;
        let returns = self
            .out
            .get(begin..)
            .is_some_and(|line| line.trim_start().starts_with(") ->"));
        // The widths of a return type that stands below its parameters are rustfmt's, which counts a little differently there.
        if returns
            && self.out.ends_with(" {")
            && width > WIDTH - 4 * self.indent
            && width <= WIDTH + 4
        {
            self.out.truncate(begin + width - 2);
            self.out.push('\n');
            line!(self, "{{");
        } else if width > if returns { WIDTH + 3 } else { WIDTH } {
            self.break_type(begin);
        } else {
            self.out.push('\n');
        }
    }

    /// `before type end`, with the type on the next line if only that makes it fit.
    pub(in crate::emit) fn typed(&mut self, before: Arguments<'_>, ty: &dyn Display, end: &str) {
        let begin = self.out.len();
        self.type_line(format_args!("{before} {ty}{end}"));
        let text = self.out.get(begin..).unwrap_or_default();
        if text.len() <= WIDTH + 1 && text.lines().count() == 1 {
            return;
        }
        let first = self.out.split_off(begin);
        line!(self, "{before}");
        self.indent += 1;
        let next = self.out.len();
        line!(self, "{ty}{end}");
        self.indent -= 1;
        if self.out.len() - next > WIDTH + 1 {
            self.out.truncate(begin);
            self.out.push_str(&first);
        }
    }

    /// Breaks the line that begins at `begin` at the first type with parameters.
    fn break_type(&mut self, begin: usize) {
        let line = self.out.split_off(begin);
        let text = line.trim_start();
        let Some(generic) = Generic::find(text) else {
            line!(self, "{text}");
            return;
        };
        line!(self, "{}", generic.head);
        self.indent += 1;
        for argument in generic.arguments {
            self.type_line(format_args!("{argument},"));
        }
        self.indent -= 1;
        line!(self, "{}", generic.tail);
    }
}

/// A text split at its first type with parameters.
struct Generic<'t> {
    /// Up to `<`.
    head: &'t str,
    /// What stands between the commas.
    arguments: Vec<&'t str>,
    /// From `>` on.
    tail: &'t str,
}

impl<'t> Generic<'t> {
    fn find(text: &'t str) -> Option<Self> {
        let open = text.find('<')? + 1;
        let (head, rest) = text.split_at_checked(open)?;
        let (mut depth, mut from, mut arguments) = (0_usize, 0, Vec::new());
        for (at, byte) in rest.bytes().enumerate() {
            match byte {
                b'<' | b'(' | b'[' => depth += 1,
                b'>' if depth == 0 => {
                    arguments.push(rest.get(from..at)?.trim());
                    return Some(Self {
                        head,
                        arguments,
                        tail: rest.get(at..)?,
                    });
                }
                b'>' | b')' | b']' => depth = depth.checked_sub(1)?,
                b',' if depth == 0 => {
                    arguments.push(rest.get(from..at)?.trim());
                    from = at + 1;
                }
                _ => {}
            }
        }
        None
    }
}

//! Lists in brackets: parameters, arguments, arrays.

use std::fmt::{Arguments, Display};

use super::{INNER_WIDTH, WIDTH, Writer, line};

/// Arguments that are no wider than this share lines, as in rustfmt.
const TINY: usize = 10;

/// Receives the items of a list.
#[derive(Debug)]
pub(in crate::emit) struct List<'w> {
    shape: Shape<'w>,
    writer: &'w mut Writer,
}

/// How the items of a list stand.
#[derive(Debug)]
enum Shape<'w> {
    /// On the line of the brackets.
    Inline(&'w mut Inline),
    /// One a line.
    Vertical,
    /// As many on a line as fit.
    Filled(&'w mut Filled),
}

/// What is known of the items of an inline list.
#[derive(Debug, Default)]
struct Inline {
    items: usize,
    widest: usize,
}

/// Where the present line begins.
#[derive(Debug)]
struct Filled {
    begin: usize,
}

impl List<'_> {
    /// One item.
    pub(in crate::emit) fn item(&mut self, item: impl Display) {
        let writer = &mut *self.writer;
        match &mut self.shape {
            Shape::Inline(inline) => {
                let separator = if inline.items == 0 { "" } else { ", " };
                writer.out.push_str(separator);
                let begin = writer.out.len();
                writer.put(format_args!("{item}"));
                inline.items += 1;
                inline.widest = inline.widest.max(writer.out.len() - begin);
            }
            Shape::Vertical => writer.type_line(format_args!("{item},")),
            Shape::Filled(filled) => writer.fill_one(filled, &item),
        }
    }
}

impl Writer {
    /// A list between `open` and `close`, on one line if that is short enough, else one item a line.
    pub(in crate::emit) fn list(
        &mut self,
        open: Arguments<'_>,
        items: impl Fn(&mut List<'_>),
        close: Arguments<'_>,
        inner_width: usize,
    ) {
        let Some((inner, tiny)) = self.inline(open, &items, close, inner_width) else {
            return;
        };
        self.out.truncate(inner);
        self.out.push('\n');
        self.indent += 1;
        if tiny && inner_width == INNER_WIDTH {
            let mut filled = Filled {
                begin: self.out.len(),
            };
            items(&mut List {
                shape: Shape::Filled(&mut filled),
                writer: self,
            });
            self.out.push('\n');
        } else {
            items(&mut List {
                shape: Shape::Vertical,
                writer: self,
            });
        }
        self.indent -= 1;
        self.type_line(close);
    }

    /// A list on one line. If that is too wide: where the items begin, and whether all of them are tiny.
    pub(super) fn inline(
        &mut self,
        open: Arguments<'_>,
        items: impl Fn(&mut List<'_>),
        close: Arguments<'_>,
        inner_width: usize,
    ) -> Option<(usize, bool)> {
        let begin = self.out.len();
        self.start();
        self.put(open);
        let inner = self.out.len();
        let mut inline = Inline::default();
        items(&mut List {
            shape: Shape::Inline(&mut inline),
            writer: self,
        });
        // A single argument may be as wide as the line.
        let narrow = self.out.len() - inner <= inner_width || inline.items <= 1;
        self.put(close);
        let fits = narrow && self.out.len() - begin <= WIDTH || inline.items == 0;
        self.out.push('\n');
        if fits {
            None
        } else {
            Some((inner, inline.widest <= TINY))
        }
    }

    /// A function's signature up to `end`, which is ` {` or `;`; opens a level if it is ` {`.
    pub(in crate::emit) fn signature(
        &mut self,
        head: Arguments<'_>,
        params: impl Fn(&mut List<'_>),
        tail: Arguments<'_>,
        end: &str,
    ) {
        // rustfmt leaves room for one more character behind a signature without a body.
        let begin = self.out.len();
        self.list(
            format_args!("{head}("),
            params,
            format_args!("){tail}{end}"),
            WIDTH,
        );
        if end == ";"
            && self.out.len() - begin == WIDTH + 1
            && self
                .out
                .get(begin..)
                .is_some_and(|text| text.trim_end().lines().count() == 1)
            && let Some(arrow) = self.out.get(begin..).and_then(|line| line.find(" -> "))
        {
            let tail = self.out.split_off(begin + arrow);
            self.out.push('\n');
            line!(self, "{}", tail.trim());
        }
        if end.ends_with('{') {
            self.indent += 1;
        }
    }

    /// Items behind each other, filled up to the width, for the inside of a macro.
    pub(in crate::emit) fn fill<T: Display>(&mut self, items: impl IntoIterator<Item = T>) {
        let mut filled = Filled {
            begin: self.out.len(),
        };
        let mut empty = true;
        for item in items {
            self.fill_one(&mut filled, &item);
            empty = false;
        }
        if !empty {
            self.out.push('\n');
        }
    }

    fn fill_one(&mut self, filled: &mut Filled, item: &dyn Display) {
        let at = self.out.len();
        if at == filled.begin {
            self.start();
        } else {
            self.out.push(' ');
        }
        self.put(format_args!("{item},"));
        if self.out.len() - filled.begin > WIDTH && at > filled.begin {
            self.out.truncate(at);
            self.out.push('\n');
            filled.begin = self.out.len();
            self.start();
            self.put(format_args!("{item},"));
        }
    }
}

/// A variant of an enum that holds one value.
pub(in crate::emit) fn variant(w: &mut Writer, name: &str, ty: &dyn Display) {
    w.list(
        format_args!("{name}("),
        |list| list.item(ty),
        format_args!("),"),
        WIDTH,
    );
}

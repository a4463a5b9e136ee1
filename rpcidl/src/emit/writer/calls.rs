//! Calls, chains of calls, and arms of a `match` that are calls.

use std::fmt::Arguments;

use super::{INNER_WIDTH, List, WIDTH, Writer, line};

impl Writer {
    /// A statement or expression that is a call: `head(arguments)end`.
    pub(in crate::emit) fn call(
        &mut self,
        head: Arguments<'_>,
        arguments: impl Fn(&mut List<'_>),
        end: &str,
    ) {
        self.list(
            format_args!("{head}("),
            arguments,
            format_args!("){end}"),
            INNER_WIDTH,
        );
    }

    /// A method call whose value may be bound: `before object.method(arguments)end`.
    pub(in crate::emit) fn method_call(
        &mut self,
        before: &str,
        object: &str,
        method: &str,
        arguments: impl Fn(&mut List<'_>),
        end: &str,
    ) {
        let space = if before.is_empty() { "" } else { " " };
        if self.try_call(
            format_args!("{before}{space}{object}.{method}"),
            &arguments,
            end,
        ) {
            return;
        }
        // The whole call on the next line, or only the method and what follows it.
        let whole = !before.is_empty()
            && !end.starts_with('?')
            && self.try_next_line(before, format_args!("{object}.{method}"), &arguments, end);
        let head = format!("{before}{space}{object}");
        if !whole && !self.try_next_line(&head, format_args!(".{method}"), &arguments, end) {
            self.call(format_args!("{head}.{method}"), arguments, end);
        }
    }

    /// `first`, and on the next line a call; writes nothing and returns false if the call does not fit on it.
    fn try_next_line(
        &mut self,
        first: &str,
        head: Arguments<'_>,
        arguments: impl Fn(&mut List<'_>),
        end: &str,
    ) -> bool {
        let begin = self.out.len();
        line!(self, "{first}");
        self.indent += 1;
        let fits = self.try_call(head, arguments, end);
        self.indent -= 1;
        if !fits {
            self.out.truncate(begin);
        }
        fits
    }

    /// `before head { body };`, with all behind `before` on the next line if the head is too wide.
    pub(in crate::emit) fn bind_block(
        &mut self,
        before: &str,
        head: &str,
        body: impl FnOnce(&mut Self),
    ) {
        let wide = 4 * self.indent + before.len() + head.len() + " {".len() + 1 > WIDTH;
        if wide {
            line!(self, "{before}");
            self.indent += 1;
            self.open(format_args!("{head}"));
        } else {
            self.open(format_args!("{before} {head}"));
        }
        body(self);
        self.close_with(";");
        if wide {
            self.indent -= 1;
        }
    }

    /// As [`call`](Self::call), but writes nothing and returns false if it does not fit on one line.
    pub(in crate::emit) fn try_call(
        &mut self,
        head: Arguments<'_>,
        arguments: impl Fn(&mut List<'_>),
        end: &str,
    ) -> bool {
        let begin = self.out.len();
        let fits = self
            .inline(
                format_args!("{head}("),
                &arguments,
                format_args!("){end}"),
                INNER_WIDTH,
            )
            .is_none();
        if !fits {
            self.out.truncate(begin);
        }
        fits
    }

    /// A chain of calls behind a prefix: `before` `root` `.links`… `end`, each link on a line of its own if it is long.
    pub(in crate::emit) fn chain(
        &mut self,
        before: &str,
        root: &str,
        links: &[Arguments<'_>],
        end: &str,
    ) {
        let begin = self.out.len();
        self.start();
        self.put(format_args!("{before}"));
        let chain = self.out.len();
        self.put(format_args!("{root}"));
        let rest = self.out.len();
        for link in links {
            self.put(*link);
        }
        let short = self.out.len() - chain <= INNER_WIDTH;
        self.out.push_str(end);
        if !(short && self.out.len() - begin <= WIDTH) {
            self.out.truncate(rest);
            self.indent += 1;
            for link in links {
                self.out.push('\n');
                self.start();
                self.put(*link);
            }
            self.indent -= 1;
            self.out.push_str(end);
        }
        self.out.push('\n');
    }

    /// An arm of a `match` that is a call of a call: `pattern => outer(inner(argument)),`.
    pub(in crate::emit) fn call_arm(
        &mut self,
        pattern: Arguments<'_>,
        outer: Arguments<'_>,
        inner: Arguments<'_>,
        argument: &str,
    ) {
        let begin = self.out.len();
        line!(self, "{pattern} => {outer}({inner}({argument})),");
        if self.out.len() - begin <= WIDTH + 1 {
            return;
        }
        // As a block.
        self.out.truncate(begin);
        self.open(format_args!("{pattern} =>"));
        let body = self.out.len();
        line!(self, "{outer}({inner}({argument}))");
        let fits = self.out.len() - body <= WIDTH + 1;
        self.close();
        if fits {
            return;
        }
        // With the argument on a line of its own.
        self.out.truncate(begin);
        line!(self, "{pattern} => {outer}({inner}(");
        if self.out.len() - begin < WIDTH && !argument.is_empty() {
            self.indent += 1;
            line!(self, "{argument},");
            self.indent -= 1;
            line!(self, ")),");
            return;
        }
        // With the inner call on a line of its own.
        self.out.truncate(begin);
        let inner = format_args!("{inner}({argument})");
        self.call(
            format_args!("{pattern} => {outer}"),
            |list| list.item(inner),
            ",",
        );
    }
}

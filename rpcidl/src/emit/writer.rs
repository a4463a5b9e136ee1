//! Writes Rust text that is already formatted, in the style of rustfmt's defaults.
//!
//! Generated text is large: printing it through a parser and a pretty printer takes far longer than everything else that
//! the compiler does. So what is written here is final; a test holds it against rustfmt.

mod calls;
mod list;
mod types;

use std::fmt::{self, Arguments, Display, Write as _};

/// The widest line, as in rustfmt.
const WIDTH: usize = 100;
/// The widest arguments of a call, chain or array on one line, as in rustfmt.
const INNER_WIDTH: usize = 60;

/// Writes one line: `line!(w, "pub const {name}: u32 = {value};")`.
macro_rules! line {
    ($w:expr, $($format:tt)+) => {
        $w.line(::std::format_args!($($format)+))
    };
}

/// Writes a block with its head: `block!(w, "impl {name}" => { … })`.
macro_rules! block {
    ($w:expr, $($format:expr),+ => $body:block) => {{
        $w.open(::std::format_args!($($format),+));
        $body
        $w.close();
    }};
}

pub(super) use list::{List, variant};
pub(super) use {block, line};

/// Text under construction.
#[derive(Debug, Default)]
pub(super) struct Writer {
    out: String,
    indent: usize,
}

impl Writer {
    /// A writer whose lines begin `indent` levels deep.
    pub(super) fn new(indent: usize) -> Self {
        Self {
            out: String::new(),
            indent,
        }
    }

    /// What was written.
    pub(super) fn finish(self) -> String {
        self.out
    }

    /// One line.
    pub(super) fn line(&mut self, text: Arguments<'_>) {
        self.start();
        self.put(text);
        self.out.push('\n');
    }

    /// An empty line, unless a block or the text has just begun.
    pub(super) fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") && !self.out.ends_with("{\n") {
            self.out.push('\n');
        }
    }

    /// How deep the next line is indented.
    pub(super) fn depth(&self) -> usize {
        self.indent
    }

    /// Texts that are written already, with empty lines between them.
    pub(super) fn sections(&mut self, texts: &[String]) {
        self.out
            .reserve(texts.iter().map(|text| text.len() + 1).sum());
        for text in texts.iter().filter(|text| !text.is_empty()) {
            self.blank();
            self.out.push_str(text);
        }
    }

    /// `head {`, and one level deeper.
    pub(super) fn open(&mut self, head: Arguments<'_>) {
        line!(self, "{head} {{");
        self.indent += 1;
    }

    /// One level up, and `}`.
    pub(super) fn close(&mut self) {
        self.close_with("");
    }

    /// One level up, and `}` with what follows it.
    pub(super) fn close_with(&mut self, end: &str) {
        self.indent = self.indent.saturating_sub(1);
        if self.out.ends_with("{\n") {
            self.out.pop();
            self.out.push('}');
            self.out.push_str(end);
            self.out.push('\n');
        } else {
            line!(self, "}}{end}");
        }
    }

    /// An attribute with arguments: `#[name(arguments)]`.
    pub(super) fn attribute(&mut self, name: &str, arguments: Arguments<'_>) {
        let begin = self.out.len();
        line!(self, "#[{name}({arguments})]");
        // The line ends with a line end, which does not count.
        if self.out.len() - begin > WIDTH + 1 {
            self.out.truncate(begin);
            line!(self, "#[{name}(");
            self.indent += 1;
            line!(self, "{arguments}");
            self.indent -= 1;
            line!(self, ")]");
        }
    }

    /// `before value;`, with the value on the next line if only that makes it fit.
    pub(super) fn assign(&mut self, before: Arguments<'_>, value: &dyn Display) {
        let begin = self.out.len();
        self.start();
        self.put(before);
        let split = self.out.len();
        self.put(format_args!(" {value};"));
        let value_width = self.out.len() - split - 1;
        if self.out.len() - begin > WIDTH && value_width + 4 * (self.indent + 1) <= WIDTH {
            self.out.truncate(split);
            self.out.push('\n');
            self.indent += 1;
            line!(self, "{value};");
            self.indent -= 1;
        } else {
            self.out.push('\n');
        }
    }

    /// The indentation of a line.
    fn start(&mut self) {
        for _ in 0..self.indent {
            self.out.push_str("    ");
        }
    }

    fn put(&mut self, text: Arguments<'_>) {
        // Writing to a string fails only if a `Display` says so, and none here does.
        let _ = self.out.write_fmt(text);
    }
}

/// Displays what a closure writes.
pub(super) fn text<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result>(write: F) -> impl Display {
    Text(write)
}

struct Text<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> Display for Text<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

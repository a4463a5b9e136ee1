//! Sound texts of the whole grammar, made from bytes, with comments and blanks in every place that allows them.

use rpcidl::ast::File;

/// Turns bytes into a text. The same bytes give the same text, so a failing case can be made smaller.
pub(crate) struct Generator<'a> {
    bytes: &'a [u8],
    at: usize,
    out: String,
}

impl<'a> Generator<'a> {
    /// When the bytes end, the simplest choice is made everywhere.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            out: String::new(),
        }
    }

    /// A whole file.
    pub(crate) fn file(mut self) -> String {
        if self.pick(8) == 1 {
            self.out.push_str("//! about the file\n");
        }
        if self.pick(4) == 1 {
            self.words("edition 1 ;");
        }
        self.words("package acme.kv");
        if self.pick(2) == 1 {
            self.words("@ 1.2");
        }
        self.words(";");
        for _ in 0..self.pick(3) {
            self.words("import acme.common.Uuid");
            if self.pick(2) == 1 {
                self.words("as Other");
            }
            self.words(";");
        }
        while self.at < self.bytes.len() {
            self.item(3);
        }
        self.trivia(true);
        self.out
    }

    fn pick(&mut self, choices: usize) -> usize {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte as usize % choices
    }

    /// What may stand between two tokens; something that separates if `needed`.
    fn trivia(&mut self, needed: bool) {
        let text = match self.pick(40) {
            1 => "\n",
            2 => "\n\n\n",
            3 => " /* one */ ",
            4 => " // two\n",
            5 => "\n    // three\n",
            6 => " /* four\n   lines */ ",
            7 => "\n\n/*\n * five\n   * lines\n */\n",
            8 => "\t\r\n",
            9 => " // six\n // seven\n\n // eight\n",
            10 => " /* nine */ /* ten */ ",
            _ if needed => " ",
            _ => "",
        };
        self.out.push_str(text);
    }

    /// Tokens, which are given with single blanks between them.
    fn words(&mut self, text: &str) {
        for word in text.split(' ') {
            let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            // Two operators would become one as well.
            let sign = |c: Option<char>| c.is_some_and(|c| "<>&|=!/*-+.".contains(c));
            let (last, first) = (self.out.chars().last(), word.chars().next());
            let needed = (joins(last) && joins(first)) || (sign(last) && sign(first));
            self.trivia(needed);
            self.out.push_str(word);
        }
    }

    fn attrs(&mut self) {
        for _ in 0..self.pick(3) {
            match self.pick(8) {
                0 => self.out.push_str("\n/// documentation\n"),
                1 => self.out.push_str("\n/// one\n///\n///   two\n"),
                2 => self.out.push_str("\n/** three\n * four\n */ "),
                3 => self.words("@ Idempotent"),
                4 => self.words("@ Deadline ( us = 50 )"),
                5 => self.words("@ Backends ( { shm , rdma , } )"),
                6 => self.words("@ Deprecated ( \"a\\\"b\\\"//c\" , )"),
                _ => self.words("@ X_y ( )"),
            }
        }
    }

    fn name(&mut self) {
        let names = [
            "a",
            "B",
            "some_name",
            "type",
            "event",
            "in",
            "struct",
            "a_considerably_longer_name",
            "reserved_1",
        ];
        let name = names[self.pick(names.len())];
        self.words(name);
    }

    fn ty(&mut self, depth: usize) {
        match self.pick(if depth == 0 { 4 } else { 9 }) {
            0 => self.words("u32"),
            1 => self.words("acme.Key"),
            2 => self.words("event"),
            3 => self.words("bool"),
            4 => {
                self.words("string <");
                self.angle();
                self.words(">");
            }
            5 => {
                self.words("vec <");
                self.ty(depth - 1);
                self.words(",");
                self.angle();
                self.words(">");
            }
            6 => self.words("buffer < read >"),
            7 => {
                self.ty(depth - 1);
                self.words("?");
            }
            _ => {
                self.ty(depth - 1);
                self.words("[");
                self.expr(1);
                self.words("]");
            }
        }
    }

    fn angle(&mut self) {
        match self.pick(4) {
            0 => self.words("62"),
            1 => self.words("MAX"),
            2 => self.words("( 1 << 4 )"),
            _ => self.words("A + B * 2"),
        }
    }

    fn expr(&mut self, depth: usize) {
        match self.pick(if depth == 0 { 5 } else { 9 }) {
            0 => self.words("1"),
            1 => self.words("0xFF_ff"),
            2 => self.words("Tier.HOT"),
            3 => self.words("1.5e-3"),
            4 => self.words("true"),
            5 => {
                let sign = ["-", "~", "!"][self.pick(3)];
                self.words(sign);
                self.expr(depth - 1);
            }
            6 => {
                self.words("(");
                self.expr(depth - 1);
                self.words(")");
            }
            7 => self.words("\"text\\u{e9}/*\\\\\""),
            _ => {
                self.expr(depth - 1);
                let signs = [
                    "+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^", "&&", "||", "==", "!=",
                    "<", "<=", ">", ">=",
                ];
                let sign = signs[self.pick(signs.len())];
                self.words(sign);
                self.expr(depth - 1);
            }
        }
    }

    fn item(&mut self, depth: usize) {
        self.attrs();
        match self.pick(if depth < 3 { 5 } else { 6 }) {
            0 => {
                self.words("const");
                self.ty(1);
                self.name();
                self.words("=");
                self.expr(2);
                self.words(";");
            }
            1 => {
                self.words("alias");
                self.name();
                self.words("=");
                self.ty(2);
                self.words(";");
            }
            2 => self.enumeration(),
            3 => self.structure(depth),
            4 => self.union(),
            _ => self.interface(depth),
        }
    }

    fn enumeration(&mut self) {
        let keyword = ["enum", "closed enum", "flags", "error"][self.pick(4)];
        self.words(keyword);
        self.name();
        self.words(": u8 {");
        let count = self.pick(4);
        for index in 0..count {
            if self.pick(4) == 1 {
                let numbers = ["reserved 7", "reserved 8 .. 15"][self.pick(2)];
                self.words(numbers);
            } else {
                self.attrs();
                self.name();
                if self.pick(2) == 1 {
                    self.words("=");
                    self.expr(1);
                }
            }
            if index + 1 < count || self.pick(2) == 1 {
                self.words(",");
            }
        }
        self.words("}");
    }

    fn structure(&mut self, depth: usize) {
        self.words("struct");
        self.name();
        self.words("{");
        for _ in 0..self.pick(5) {
            match self.pick(6) {
                1 => self.words("reserved u8 [ 15 ] ;"),
                2 if depth > 0 => self.item(depth - 1),
                _ => {
                    self.attrs();
                    self.ty(2);
                    self.name();
                    if self.pick(4) == 1 {
                        self.words("=");
                        self.expr(1);
                    }
                    self.words(";");
                }
            }
        }
        self.words("}");
        if self.pick(8) == 1 {
            self.words(";");
        }
    }

    fn union(&mut self) {
        let keyword = ["union", "closed union"][self.pick(2)];
        self.words(keyword);
        self.name();
        self.words(": u16 {");
        for _ in 0..self.pick(4) {
            if self.pick(5) == 1 {
                self.words("reserved 7 ;");
                continue;
            }
            self.attrs();
            // Not a parenthesis: it would belong to an annotation before it.
            if self.pick(2) == 1 {
                self.words("0 |");
                self.expr(1);
            } else {
                self.words("7");
            }
            self.words(":");
            if self.pick(3) == 1 {
                self.words("void");
            } else {
                self.ty(1);
            }
            self.name();
            self.words(";");
        }
        self.words("}");
    }

    fn interface(&mut self, depth: usize) {
        let keyword = ["interface", "oneway interface"][self.pick(2)];
        self.words(keyword);
        self.name();
        if self.pick(3) == 1 {
            self.words("extends acme.Base");
        }
        self.words("{");
        for _ in 0..self.pick(4) {
            match self.pick(6) {
                1 => self.words("reserved 8 .. 9 ;"),
                2 if depth > 0 => self.item(depth - 1),
                _ => self.method(),
            }
        }
        self.words("}");
    }

    fn method(&mut self) {
        self.attrs();
        let before = ["void", "oneway void", "event void", "u32 ?", "event"][self.pick(5)];
        self.words(before);
        self.name();
        self.words("(");
        let count = self.pick(4);
        for index in 0..count {
            self.attrs();
            let direction = ["in", "out", "inout"][self.pick(3)];
            self.words(direction);
            self.ty(1);
            self.name();
            if index + 1 < count || self.pick(4) == 1 {
                self.words(",");
            }
        }
        self.words(")");
        if self.pick(3) == 1 {
            self.words("throws acme.Error");
        }
        if self.pick(3) == 1 {
            self.words("= 1 + 2");
        }
        self.words(";");
    }
}

/// A tree as text, without places and comments.
pub(crate) fn tree(file: &File) -> String {
    let file = File {
        comments: Vec::new(),
        ..file.clone()
    };
    let text = format!("{file:?}");
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find("Span {") {
        let (before, after) = rest.split_at(start);
        plain.push_str(before);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    plain + rest
}

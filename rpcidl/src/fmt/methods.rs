//! The bodies of interfaces.

use super::Printer;
use super::decls::{after_blank, is_bare};
use crate::ast::{Direction, InterfaceMember, Item, Method, Param};

impl Printer<'_> {
    pub(super) fn interface_body(&mut self, members: &[InterfaceMember]) {
        for member in members {
            match member {
                InterfaceMember::Method(method) => self.method(method),
                InterfaceMember::Reserved(numbers) => {
                    self.out.begin(numbers.span.start);
                    self.out.word(&format!("{};", self.words.reserved(numbers)));
                    self.out.end(numbers.span.end);
                }
                InterfaceMember::Item(item) => self.item(item),
                InterfaceMember::Invalid(span) => self.item(&Item::Invalid(*span)),
            }
        }
    }

    fn method(&mut self, method: &Method) {
        self.attrs(&method.attrs, method.span);
        let head = self.method_head(method);
        let tail = self.method_tail(method);
        let params: Vec<String> = method
            .params
            .iter()
            .map(|param| self.param_line(param))
            .collect();
        let line = format!("{head}({}){tail}", params.join(", "));
        // Comments behind the start of the last parameter move to the end of the method, so they break nothing.
        let last = method
            .params
            .last()
            .map_or(method.name.span.end, |param| param.span.start);
        let comments = self.out.has_comment(method.name.span.end, last);
        let docs = method
            .params
            .iter()
            .any(|param| !param.attrs.docs.is_empty());
        let wide = line.chars().count()
            > self
                .out
                .room()
                .saturating_sub(self.out.column().saturating_sub(self.indent()));
        if method.params.is_empty() || !(comments || docs || wide) {
            self.out.word(&line);
        } else {
            self.out.word(&head);
            self.out.open(method.name.span.end, "(");
            let count = method.params.len();
            for (index, param) in method.params.iter().enumerate() {
                self.attrs_of_param(param);
                self.out.word(&self.param_words(param));
                if index + 1 < count {
                    self.out.word(",");
                    self.out.end(param.span.end);
                }
            }
            self.out.close_without_comments(")");
            self.out.word(&tail);
        }
        self.out.end(method.span.end);
    }

    /// Blanks before the first word of a line at the current depth.
    fn indent(&self) -> usize {
        super::WIDTH - self.out.room()
    }

    fn method_head(&self, method: &Method) -> String {
        let mut words = Vec::new();
        words.extend(method.oneway.map(|span| (span.start, "oneway ")));
        words.extend(method.event.map(|span| (span.start, "event ")));
        words.sort_unstable();
        let modifiers: String = words.iter().map(|word| word.1).collect();
        format!(
            "{modifiers}{}{}",
            self.words.ty(&method.result),
            after_blank(&method.name)
        )
    }

    fn method_tail(&self, method: &Method) -> String {
        let throws = method.throws.as_ref().map_or(String::new(), |path| {
            format!(" throws {}", self.words.path(path))
        });
        let id = method
            .id
            .as_ref()
            .map_or(String::new(), |id| format!(" = {}", self.words.expr(id)));
        format!("{throws}{id};")
    }

    /// A parameter without its attributes.
    fn param_words(&self, param: &Param) -> String {
        let direction = match param.direction {
            Some((Direction::In, _)) => "in ",
            Some((Direction::Out, _)) => "out ",
            Some((Direction::InOut, _)) => "inout ",
            None => "",
        };
        format!(
            "{direction}{}{}",
            self.words.ty(&param.ty),
            after_blank(&param.name)
        )
    }

    /// A parameter on the line of its method.
    fn param_line(&self, param: &Param) -> String {
        let annotations: String = param
            .attrs
            .annotations
            .iter()
            .map(|annotation| format!("{} ", self.words.annotation(annotation)))
            .collect();
        format!("{annotations}{}", self.param_words(param))
    }

    /// The attributes of a parameter on a line of its own.
    fn attrs_of_param(&mut self, param: &Param) {
        if is_bare(&param.attrs) {
            self.out.begin(param.span.start);
        } else {
            self.attrs(&param.attrs, param.span);
        }
    }
}

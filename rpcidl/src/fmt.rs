//! Prints a tree in the one layout that all files have.
//!
//! Four blanks a level, one statement a line, aligned names in runs of fields, at most one blank line in a row.
//! A short body that was written on one line stays there. Every comment is kept: one behind something stays
//! behind it, one before something stays before it, and one in the middle of a statement moves to its end.

mod decls;
mod members;
mod methods;
mod words;
mod writer;

use crate::ast::File;
use words::Words;
use writer::Writer;

/// Greatest length of a line, as far as it can be broken.
const WIDTH: usize = 100;

/// The text of a file that was parsed from `text` without errors. Formatting it again changes nothing.
pub fn format(file: &File, text: &str) -> String {
    let mut printer = Printer {
        words: Words { text },
        out: Writer::new(text, &file.comments),
    };
    printer.file(file);
    printer.out.finish()
}

/// Walks the tree.
struct Printer<'a> {
    words: Words<'a>,
    out: Writer<'a>,
}

impl Printer<'_> {
    fn file(&mut self, file: &File) {
        /// The parts of a file, which print in the order in which they were written.
        enum Part<'a> {
            Doc(&'a crate::ast::Doc),
            Edition(&'a crate::ast::Int),
            Package(&'a crate::ast::Package),
            Import(&'a crate::ast::Import),
            Item(&'a crate::ast::Item),
        }
        let mut parts: Vec<(u32, Part<'_>)> = Vec::new();
        parts.extend(file.docs.iter().map(|doc| (doc.span.start, Part::Doc(doc))));
        parts.extend(
            file.edition
                .iter()
                .map(|edition| (edition.span.start, Part::Edition(edition))),
        );
        parts.extend(
            file.package
                .iter()
                .map(|package| (package.span.start, Part::Package(package))),
        );
        parts.extend(
            file.imports
                .iter()
                .map(|import| (import.span.start, Part::Import(import))),
        );
        parts.extend(
            file.items
                .iter()
                .map(|item| (decls::start_of(item), Part::Item(item))),
        );
        // The sort is stable, so what has no place of its own keeps its order.
        parts.sort_by_key(|part| part.0);
        for (_, part) in parts {
            match part {
                Part::Doc(doc) => {
                    self.out.begin(doc.span.start);
                    self.out.doc("//!", &doc.text);
                    self.out.end(doc.span.end);
                }
                Part::Edition(edition) => {
                    self.out.begin(edition.span.start);
                    self.out
                        .word(&format!("edition {};", self.words.source(edition.span)));
                    self.out.end(edition.span.end);
                }
                Part::Package(package) => {
                    let version =
                        package
                            .version
                            .as_ref()
                            .map_or(String::new(), |(major, minor)| {
                                format!(
                                    "@{}.{}",
                                    self.words.source(major.span),
                                    self.words.source(minor.span)
                                )
                            });
                    self.out.begin(package.span.start);
                    self.out.word(&format!(
                        "package {}{version};",
                        self.words.path(&package.path)
                    ));
                    self.out.end(package.span.end);
                }
                Part::Import(import) => {
                    let rename = import
                        .rename
                        .as_ref()
                        .map_or(String::new(), |name| format!(" as {}", name.text));
                    self.out.begin(import.span.start);
                    self.out.word(&format!(
                        "import {}{rename};",
                        self.words.path(&import.path)
                    ));
                    self.out.end(import.span.end);
                }
                Part::Item(item) => self.item(item),
            }
        }
    }
}

//! Compares texts with the files that hold what is expected, or rewrites these.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The expected files of one folder.
#[derive(Debug)]
pub struct Goldens {
    folder: PathBuf,
    bless: bool,
    seen: BTreeSet<String>,
    stale: Vec<String>,
}

impl Goldens {
    /// The files of a folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            bless: std::env::var_os("BLESS").is_some_and(|value| value == "1"),
            seen: BTreeSet::new(),
            stale: Vec::new(),
        }
    }

    /// Expects a file to hold a text.
    ///
    /// # Panics
    /// If the file is to be rewritten and cannot be.
    pub fn expect(&mut self, name: &str, text: &str) {
        self.seen.insert(name.to_owned());
        let path = self.folder.join(name);
        let old = fs::read_to_string(&path).ok();
        if old.as_deref() == Some(text) {
            return;
        }
        if self.bless {
            fs::write(&path, text).expect("a file that can be rewritten");
            return;
        }
        self.stale.push(match old {
            None => format!("{name} is missing"),
            Some(old) => {
                let differs = |(a, b): &(&str, &str)| a != b;
                let same = old
                    .lines()
                    .zip(text.lines())
                    .take_while(|pair| !differs(pair))
                    .count();
                format!(
                    "{name}:{}:\n  expected {:?}\n  got      {:?}",
                    same + 1,
                    old.lines().nth(same),
                    text.lines().nth(same)
                )
            }
        });
    }

    /// Ends the comparison; files with one of the endings that nothing expected are stale as well.
    ///
    /// # Panics
    /// If anything differs.
    pub fn finish(mut self, endings: &[&str]) {
        let names: Vec<String> = fs::read_dir(&self.folder)
            .expect("the folder of expected files")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| endings.iter().any(|ending| name.ends_with(ending)))
            .filter(|name| !self.seen.contains(name))
            .collect();
        for name in names {
            if self.bless {
                fs::remove_file(self.folder.join(&name)).expect("a file that can be removed");
            } else {
                self.stale
                    .push(format!("{name} belongs to nothing any more"));
            }
        }
        assert!(
            self.stale.is_empty(),
            "{} files are stale; look at them, then run with BLESS=1:\n{}",
            self.stale.len(),
            self.stale.join("\n")
        );
    }
}

//! Finds the name that was probably meant.

/// Longest name, in characters, that another is proposed for; the search takes the square of it.
const LONGEST: usize = 100;

/// The candidate nearest to `name`, if it is near enough to be a slip of the pen.
///
/// Candidates that differ only in case or underscores win over any other. Among equals the first stays, so the
/// answer depends only on the order in which candidates come.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One edit for short names, more for longer ones; a name of one or two letters resembles everything.
    let length = name.chars().count();
    let limit = if length < 3 { 0 } else { (length / 3).max(1) };
    if length > LONGEST {
        return None;
    }
    let plain: Vec<char> = simplify(name).collect();
    let mut edits = Edits::new(name);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate == name {
            continue;
        }
        let distance = if simplify(candidate).eq(plain.iter().copied()) {
            0
        } else {
            edits.to(candidate, limit)
        };
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
            if distance == 0 {
                break;
            }
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// What is left of a name without case and underscores.
fn simplify(name: &str) -> impl Iterator<Item = char> {
    name.chars()
        .filter(|&c| c != '_')
        .map(|c| c.to_ascii_lowercase())
}

/// Number of inserted, removed, changed or swapped characters between two names; anything over `limit` is
/// returned as `limit + 1`.
pub fn distance(a: &str, b: &str, limit: usize) -> usize {
    Edits::new(b).to(a, limit)
}

/// Counts the edits between one name and many others, over the same memory for each.
struct Edits {
    name: Vec<char>,
    other: Vec<char>,
    before_last: Vec<usize>,
    last: Vec<usize>,
    row: Vec<usize>,
}

impl Edits {
    fn new(name: &str) -> Self {
        Self {
            name: name.chars().collect(),
            other: Vec::new(),
            before_last: Vec::new(),
            last: Vec::new(),
            row: Vec::new(),
        }
    }

    fn to(&mut self, other: &str, limit: usize) -> usize {
        let Self {
            name: b,
            other: a,
            before_last,
            last,
            row,
        } = self;
        a.clear();
        a.extend(other.chars());
        if a.len().abs_diff(b.len()) > limit {
            return limit + 1;
        }
        last.clear();
        last.extend(0..=b.len());
        for (i, &x) in a.iter().enumerate() {
            row.clear();
            row.push(i + 1);
            for (j, &y) in b.iter().enumerate() {
                let mut cost = (last[j] + usize::from(x != y))
                    .min(last[j + 1] + 1)
                    .min(row[j] + 1);
                if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                    cost = cost.min(before_last[j - 1] + 1);
                }
                row.push(cost);
            }
            if row.iter().all(|&cost| cost > limit) {
                return limit + 1;
            }
            std::mem::swap(before_last, last);
            std::mem::swap(last, row);
        }
        last.last().copied().unwrap_or(0).min(limit + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(distance("depth", "depth", 3), 0);
        assert_eq!(distance("depth", "detph", 3), 1);
        assert_eq!(distance("slots", "slot", 3), 1);
        assert_eq!(distance("kitten", "sitting", 5), 3);
        assert_eq!(distance("abc", "xyz", 1), 2);
        assert_eq!(distance("", "ab", 5), 2);
    }

    #[test]
    fn finds_the_nearest() {
        assert_eq!(
            nearest("Recrod", ["Range", "Record", "Query"]),
            Some("Record")
        );
        assert_eq!(nearest("record", ["Records", "Record"]), Some("Record"));
        assert_eq!(
            nearest("kv_error", ["KvErrors", "KvError"]),
            Some("KvError")
        );
        assert_eq!(nearest("Blob", ["Record", "Query"]), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}

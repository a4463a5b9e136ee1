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
    let plain = simplify(name);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate == name {
            continue;
        }
        let distance = if simplify(candidate) == plain {
            0
        } else {
            distance(name, candidate, limit)
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
fn simplify(name: &str) -> String {
    name.chars()
        .filter(|&c| c != '_')
        .flat_map(char::to_lowercase)
        .collect()
}

/// Number of inserted, removed, changed or swapped characters between two names; anything over `limit` is
/// returned as `limit + 1`.
pub fn distance(a: &str, b: &str, limit: usize) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
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
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0).min(limit + 1)
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

//! Rows that are no comparison of slices: what was found, in numbers with units.

use std::fmt::Write as _;

/// What a number must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Must {
    /// Nothing is promised.
    Anything,
    AtMost(f64),
    AtLeast(f64),
}

/// A number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    /// What it is, as a name for programs.
    pub name: &'static str,
    /// Not finite if it could not be measured.
    pub number: f64,
    pub unit: &'static str,
    pub must: Must,
    /// False if the number does not say whether it is what it must be.
    pub is_decided: bool,
}

impl Value {
    pub(crate) fn new(name: &'static str, number: f64, unit: &'static str) -> Self {
        Self {
            name,
            number,
            unit,
            must: Must::Anything,
            is_decided: true,
        }
    }

    /// Leaves it open whether the number is what it must be, if it is not decided.
    pub(crate) fn decided(self, is_decided: bool) -> Self {
        Self { is_decided, ..self }
    }

    pub(crate) fn must(self, must: Must) -> Self {
        Self { must, ..self }
    }

    fn verdict(&self) -> Option<&'static str> {
        let holds = match self.must {
            Must::Anything => return None,
            _ if !self.number.is_finite() || !self.is_decided => return Some("inconclusive"),
            Must::AtMost(limit) => self.number <= limit,
            Must::AtLeast(limit) => self.number >= limit,
        };
        Some(if holds { "holds" } else { "missed" })
    }
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// The workload, such as `B8`.
    pub workload: &'static str,
    pub backend: &'static str,
    /// What was done.
    pub subject: String,
    /// What the ratios among the numbers are over; empty if there is none.
    pub baseline: String,
    pub values: Vec<Value>,
}

impl Figure {
    /// A line of the table.
    pub(crate) fn text(&self) -> String {
        let mut line = format!("{:<3} {:<6} {}", self.workload, self.backend, self.subject);
        if !self.baseline.is_empty() {
            let _ = write!(line, " / {}", self.baseline);
        }
        line.push(':');
        for (at, value) in self.values.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let name = value.name.replace('_', " ");
            let _ = write!(line, "{comma} {name} {}", rounded(value.number));
            if !value.unit.is_empty() {
                let _ = write!(line, " {}", value.unit);
            }
            let _ = match (value.must, value.verdict()) {
                (Must::AtMost(limit), Some(verdict)) => {
                    write!(line, " (must be at most {limit}: {verdict})")
                }
                (Must::AtLeast(limit), Some(verdict)) => {
                    write!(line, " (must be at least {limit}: {verdict})")
                }
                _ => Ok(()),
            };
        }
        line
    }

    /// The same as a JSON object.
    pub(crate) fn json(&self) -> String {
        let baseline = if self.baseline.is_empty() {
            "null".into()
        } else {
            format!("\"{}\"", self.baseline)
        };
        let mut line = format!(
            "{{\"workload\":\"{}\",\"backend\":\"{}\",\"subject\":\"{}\",\"baseline\":{baseline}",
            self.workload, self.backend, self.subject
        );
        for value in &self.values {
            let unit = match value.unit {
                "" => String::new(),
                "%" => "_percent".into(),
                unit => format!("_{}", unit.replace('/', "_per_")),
            };
            let name = value.name;
            let _ = if value.number.is_finite() {
                write!(line, ",\"{name}{unit}\":{:.4}", value.number)
            } else {
                write!(line, ",\"{name}{unit}\":null")
            };
            if let Some(verdict) = value.verdict() {
                let _ = write!(line, ",\"{name}_verdict\":\"{verdict}\"");
            }
        }
        line.push('}');
        line
    }
}

/// With as many digits as say something; a count has none behind the point.
fn rounded(number: f64) -> String {
    match number.abs() {
        _ if !number.is_finite() => "unknown".into(),
        _ if number.fract() == 0.0 => format!("{number:.0}"),
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        _ => format!("{number:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure() -> Figure {
        Figure {
            workload: "B3",
            backend: "shm",
            subject: "16 clients".into(),
            baseline: "one client".into(),
            values: vec![
                Value::new("rate", 1234.5, "k/s"),
                Value::new("ratio", 0.69, "").must(Must::AtLeast(0.7)),
                Value::new("fairness", 0.9, "").must(Must::AtLeast(0.8)),
                Value::new("other", 0.9, "")
                    .must(Must::AtLeast(0.8))
                    .decided(false),
                Value::new("worst", f64::NAN, "ms").must(Must::AtMost(100.0)),
            ],
        }
    }

    #[test]
    fn people_read_numbers_and_verdicts() {
        assert_eq!(
            figure().text(),
            "B3  shm    16 clients / one client: rate 1234 k/s, ratio 0.690 (must be at least 0.7: missed), \
             fairness 0.900 (must be at least 0.8: holds), other 0.900 (must be at least 0.8: inconclusive), worst unknown ms (must be at most 100: inconclusive)"
        );
    }

    #[test]
    fn programs_read_json() {
        assert_eq!(
            figure().json(),
            "{\"workload\":\"B3\",\"backend\":\"shm\",\"subject\":\"16 clients\",\"baseline\":\"one client\",\
             \"rate_k_per_s\":1234.5000,\"ratio\":0.6900,\"ratio_verdict\":\"missed\",\"fairness\":0.9000,\
             \"fairness_verdict\":\"holds\",\"other\":0.9000,\"other_verdict\":\"inconclusive\",\"worst_ms\":null,\"worst_verdict\":\"inconclusive\"}"
        );
    }

    #[test]
    fn what_has_no_baseline_says_so() {
        let figure = Figure {
            baseline: String::new(),
            values: Vec::new(),
            ..figure()
        };
        assert_eq!(figure.text(), "B3  shm    16 clients:");
        assert!(figure.json().ends_with("\"baseline\":null}"));
    }
}

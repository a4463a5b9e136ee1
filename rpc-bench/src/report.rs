//! Rows for people and lines for programs.

use std::fmt::Write as _;

use crate::compare::{Comparison, Found};
use crate::mode::Mode;

/// One row of the report: a line for each mode that it was measured in.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The workload, such as `B1`.
    pub workload: &'static str,
    /// Between whom.
    pub backend: &'static str,
    /// Bytes of payload each way.
    pub bytes: usize,
    /// Calls in flight.
    pub depth: usize,
    /// What was found.
    pub comparison: Comparison,
    /// What the ratio must not exceed, if something is promised.
    pub must: Option<f64>,
}

impl Row {
    /// What was found in each mode with enough pairs, and `None` if that leaves open what promises are about.
    fn found(&self) -> impl Iterator<Item = Option<&Found>> {
        let found = &self.comparison.found;
        let conclusive = found.iter().any(|found| found.mode.is_judged());
        found.iter().map(Some).chain((!conclusive).then_some(None))
    }

    /// What a line says of the promise.
    fn verdict(&self, found: Option<&Found>) -> &'static str {
        match (self.must, found) {
            (_, None) => "inconclusive",
            (None, Some(_)) => "",
            (Some(_), Some(found)) if !found.mode.is_judged() => "",
            (Some(must), Some(found)) if found.ratio.high <= must => "holds",
            (Some(must), Some(found)) if found.ratio.low > must => "missed",
            (Some(_), Some(_)) => "open",
        }
    }

    /// The lines of the table.
    pub(crate) fn text(&self) -> Vec<String> {
        self.found().map(|found| self.text_of(found)).collect()
    }

    fn text_of(&self, found: Option<&Found>) -> String {
        let Comparison {
            baseline,
            subject,
            too_few,
            discarded,
            ..
        } = &self.comparison;
        let mut line = format!(
            "{:<3} {:<6} {:>5} B  depth {:>2}  {subject} / {baseline}",
            self.workload, self.backend, self.bytes, self.depth
        );
        // Writing to a string does not fail.
        let _ = match found {
            Some(found) => write!(
                line,
                "{:width$}  {:<8}  {:>8.1} / {:>8.1} ns  ratio {:.3} [{:.3}, {:.3}]  p99 {:.0}, p99.9 {:.0} ns  {} pairs",
                "",
                found.mode.name(),
                found.subject_ns,
                found.baseline_ns,
                found.ratio.median,
                found.ratio.low,
                found.ratio.high,
                found.p99,
                found.p999,
                found.pairs,
                width = 96_usize.saturating_sub(line.len()),
            ),
            None => write!(
                line,
                ": too few pairs of slices in each mode of two cores ({too_few})"
            ),
        };
        let _ = write!(line, ", {discarded} thrown away");
        match (self.must, self.verdict(found)) {
            (_, "") => {}
            (Some(must), verdict) => {
                let _ = write!(line, "  must {must:.2}: {verdict}");
            }
            (None, verdict) => {
                let _ = write!(line, "  {verdict}");
            }
        }
        line
    }

    /// The same lines as JSON objects.
    pub(crate) fn json(&self) -> Vec<String> {
        self.found().map(|found| self.json_of(found)).collect()
    }

    fn json_of(&self, found: Option<&Found>) -> String {
        let Comparison {
            baseline,
            subject,
            discarded,
            ..
        } = &self.comparison;
        let of = |value: fn(&Found) -> f64| number(found.map(value));
        format!(
            "{{\"workload\":\"{}\",\"backend\":\"{}\",\"bytes\":{},\"depth\":{},\"subject\":\"{subject}\",\"baseline\":\"{baseline}\",\
             \"mode\":{},\"ns\":{},\"baseline_ns\":{},\"p99_ns\":{},\"p999_ns\":{},\"ratio\":{},\"low\":{},\"high\":{},\
             \"pairs\":{},\"discarded\":{discarded},\"must\":{},\"verdict\":{}}}",
            self.workload,
            self.backend,
            self.bytes,
            self.depth,
            text(found.map(|found| found.mode).map(Mode::name)),
            of(|found| found.subject_ns),
            of(|found| found.baseline_ns),
            of(|found| found.p99),
            of(|found| found.p999),
            of(|found| found.ratio.median),
            of(|found| found.ratio.low),
            of(|found| found.ratio.high),
            found.map_or(0, |found| found.pairs),
            number(self.must),
            text(Some(self.verdict(found)).filter(|verdict| !verdict.is_empty())),
        )
    }
}

/// Instructions a call of one shape of message, both sides together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    /// Which lanes.
    pub backend: &'static str,
    /// The message.
    pub shape: &'static str,
    /// Through what rpcgen makes.
    pub generated: f64,
    /// Written by hand.
    pub by_hand: f64,
    /// Written by hand on the same slots.
    pub on_slots: Option<f64>,
    /// Written by hand there, promising what the stubs promise.
    pub promising: Option<f64>,
}

impl Counted {
    /// A line of the table.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "B6  {:<6} {:<24} generated {:>6.1}  by hand {:>6.1}  difference {:>6.1} instructions a call, both sides",
            self.backend,
            self.shape,
            self.generated,
            self.by_hand,
            self.generated - self.by_hand
        );
        if let Some(on_slots) = self.on_slots {
            text += &format!(
                "; by hand on the same slots {on_slots:.1}, difference {:.1}",
                self.generated - on_slots
            );
        }
        if let Some(promising) = self.promising {
            text += &format!(
                "; promising the same {promising:.1}, difference {:.1}",
                self.generated - promising
            );
        }
        text
    }

    /// The same as a JSON object.
    pub(crate) fn json(&self) -> String {
        format!(
            "{{\"workload\":\"B6\",\"backend\":\"{}\",\"shape\":\"{}\",\"baseline\":\"by hand\",\"generated\":{},\"by_hand\":{},\"difference\":{},\"on_slots\":{},\"promising\":{}}}",
            self.backend,
            self.shape,
            number(Some(self.generated)),
            number(Some(self.by_hand)),
            number(Some(self.generated - self.by_hand)),
            number(self.on_slots),
            number(self.promising),
        )
    }
}

/// A JSON number, or null, since JSON has no infinities.
fn number(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.4}"),
        _ => "null".into(),
    }
}

/// A JSON string, or null. Names have nothing to escape.
fn text(value: Option<&str>) -> String {
    value.map_or("null".into(), |value| format!("\"{value}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Estimate;

    fn found(mode: Mode, low: f64, high: f64) -> Found {
        Found {
            mode,
            pairs: 60,
            baseline_ns: 400.0,
            subject_ns: 440.0,
            ratio: Estimate {
                median: f64::midpoint(low, high),
                low,
                high,
            },
            p99: 500.0,
            p999: f64::NAN,
        }
    }

    fn row(found: Vec<Found>, must: Option<f64>) -> Row {
        Row {
            workload: "B1",
            backend: "inproc",
            bytes: 8,
            depth: 1,
            comparison: Comparison {
                baseline: "bare ping-pong, two lines".into(),
                subject: "rpcidl inproc".into(),
                found,
                too_few: 3,
                discarded: 7,
            },
            must,
        }
    }

    /// The members of a flat JSON object of plain strings, numbers and nulls; panics at anything else.
    fn members(json: &str) -> Vec<(String, String)> {
        let string = |at: &str| -> (String, String) {
            let (content, rest) = at
                .strip_prefix('"')
                .and_then(|at| at.split_once('"'))
                .unwrap();
            assert!(!content.contains(['\\', '\n', '\t']), "{content}");
            (content.into(), rest.into())
        };
        let mut rest = json.strip_prefix('{').unwrap().to_owned();
        let mut members = Vec::new();
        loop {
            let (key, after) = string(&rest);
            let after = after.strip_prefix(':').unwrap();
            let (value, after) = if after.starts_with('"') {
                string(after)
            } else {
                let end = after.find([',', '}']).unwrap();
                let (value, after) = after.split_at(end);
                assert!(value == "null" || value.parse::<f64>().unwrap().is_finite());
                (value.into(), after.into())
            };
            members.push((key, value));
            match after.strip_prefix(',') {
                Some(more) => rest = more.into(),
                None => {
                    assert_eq!(after, "}");
                    return members;
                }
            }
        }
    }

    fn member(json: &str, key: &str) -> String {
        let members = members(json);
        members.into_iter().find(|(name, _)| name == key).unwrap().1
    }

    #[test]
    fn each_mode_has_a_line_and_two_of_them_a_verdict() {
        let row = row(
            vec![
                found(Mode::OneCore, 2.0, 2.1),
                found(Mode::Near, 1.2, 1.3),
                found(Mode::Far, 0.8, 0.9),
            ],
            Some(1.0),
        );
        let lines = row.text();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].contains("  one core  ") && !lines[0].contains("must"));
        assert!(lines[1].contains("  near  ") && lines[1].ends_with("must 1.00: missed"));
        assert!(lines[2].contains("  far  ") && lines[2].ends_with("must 1.00: holds"));
        assert!(lines[2].contains("ratio 0.850 [0.800, 0.900]"));
    }

    #[test]
    fn an_interval_around_what_is_wanted_is_open() {
        let row = row(vec![found(Mode::Far, 0.9, 1.1)], Some(1.0));
        assert!(row.text()[0].ends_with("must 1.00: open"));
    }

    #[test]
    fn a_row_without_two_cores_is_inconclusive() {
        let row = row(vec![found(Mode::OneCore, 0.9, 1.1)], Some(1.0));
        let lines = row.text();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].ends_with("(3), 7 thrown away  must 1.00: inconclusive"));
        let json = row.json();
        assert_eq!(member(&json[1], "mode"), "null");
        assert_eq!(member(&json[1], "verdict"), "inconclusive");
    }

    #[test]
    fn the_lines_for_programs_are_json() {
        let row = row(vec![found(Mode::Near, 0.5, 0.75)], None);
        let lines = row.json();
        assert_eq!(lines.len(), 1);
        for (key, value) in [
            ("workload", "B1"),
            ("backend", "inproc"),
            ("subject", "rpcidl inproc"),
            ("mode", "near"),
            ("ratio", "0.6250"),
            ("p999_ns", "null"),
            ("pairs", "60"),
            ("must", "null"),
            ("verdict", "null"),
        ] {
            assert_eq!(member(&lines[0], key), value, "{key}");
        }
    }

    #[test]
    fn counts_are_told_with_their_difference() {
        let counted = Counted {
            backend: "inproc",
            shape: "16 fields",
            generated: 180.0,
            by_hand: 42.5,
            on_slots: Some(100.0),
            promising: Some(140.0),
        };
        assert!(counted.text().contains("difference  137.5"));
        assert!(counted.text().contains("100.0, difference 80.0"));
        assert!(counted.text().ends_with("140.0, difference 40.0"));
        assert_eq!(member(&counted.json(), "difference"), "137.5000");
    }
}

//! Rows for people and lines for programs.

use std::fmt::Write as _;

use crate::compare::Comparison;

/// One row of the report.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The workload, such as `B1`.
    pub workload: &'static str,
    /// Bytes of payload each way.
    pub bytes: usize,
    /// Calls in flight.
    pub depth: usize,
    /// What was found.
    pub found: Comparison,
    /// What the ratio must not exceed, if something is promised.
    pub must: Option<f64>,
}

impl Row {
    /// What the row says of its promise.
    pub(crate) fn verdict(&self) -> &'static str {
        match (self.must, self.found.ratio) {
            (_, None) => "inconclusive",
            (None, Some(_)) => "",
            (Some(must), Some(ratio)) if ratio.high <= must => "holds",
            (Some(must), Some(ratio)) if ratio.low > must => "missed",
            (Some(_), Some(_)) => "open",
        }
    }

    /// A line of the table.
    pub(crate) fn text(&self) -> String {
        let Comparison {
            subject,
            nanoseconds,
            ratio,
            pairs,
            discarded,
            one_core,
            p99,
            ..
        } = &self.found;
        let mut line = format!(
            "{:<3} {:>5} B  depth {:>2}  {:<30} {:>9.1} ns  base {:>8.1} ns  ",
            self.workload, self.bytes, self.depth, subject, nanoseconds.1, nanoseconds.0
        );
        // Writing to a string does not fail.
        let _ = match ratio {
            Some(ratio) => write!(
                line,
                "ratio {:.3} [{:.3}, {:.3}]",
                ratio.median, ratio.low, ratio.high
            ),
            None => write!(line, "inconclusive        "),
        };
        let _ = write!(
            line,
            "  p99 {p99:.0} ns  {pairs} pairs, {discarded} thrown away"
        );
        if let (count @ 1.., Some(ratio)) = one_core {
            let _ = write!(line, ", {count} on one core ({ratio:.2})");
        }
        if let Some(must) = self.must {
            let _ = write!(line, "  must {must:.2}: {}", self.verdict());
        }
        line
    }

    /// The same as one JSON object.
    pub(crate) fn json(&self) -> String {
        let Comparison {
            baseline,
            subject,
            nanoseconds,
            ratio,
            pairs,
            discarded,
            one_core,
            p99,
            p999,
        } = &self.found;
        let number = |value: f64| {
            if value.is_finite() {
                format!("{value:.4}")
            } else {
                "null".into()
            }
        };
        let (median, low, high) = match ratio {
            Some(ratio) => (number(ratio.median), number(ratio.low), number(ratio.high)),
            None => ("null".into(), "null".into(), "null".into()),
        };
        format!(
            "{{\"workload\":\"{}\",\"bytes\":{},\"depth\":{},\"subject\":\"{subject}\",\"baseline\":\"{baseline}\",\
             \"ns\":{},\"baseline_ns\":{},\"p99_ns\":{},\"p999_ns\":{},\"ratio\":{median},\"low\":{low},\"high\":{high},\
             \"pairs\":{pairs},\"discarded\":{discarded},\"one_core_pairs\":{},\"one_core_ratio\":{},\"must\":{},\
             \"verdict\":\"{}\"}}",
            self.workload,
            self.bytes,
            self.depth,
            number(nanoseconds.1),
            number(nanoseconds.0),
            number(*p99),
            number(*p999),
            one_core.0,
            one_core.1.map_or("null".into(), number),
            self.must.map_or("null".into(), number),
            self.verdict(),
        )
    }
}

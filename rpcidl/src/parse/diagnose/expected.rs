//! What the grammar would have taken, in words.

use crate::parse::grammar::Rule;

/// One thing that could have stood at a place.
fn word(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::semi => "`;`",
        Rule::comma => "`,`",
        Rule::colon => "`:`",
        Rule::equals => "`=`",
        Rule::open_brace => "`{`",
        Rule::close_brace | Rule::close_set => "`}`",
        Rule::open_paren => "`(`",
        Rule::close_paren => "`)`",
        Rule::close_angle => "`>`",
        Rule::close_bracket => "`]`",
        Rule::name | Rule::path => "a name",
        Rule::ty | Rule::named_type => "a type",
        Rule::expr | Rule::angle_expr | Rule::missing_value => "a value",
        Rule::number => "a number",
        Rule::version => "a version such as `1.2`",
        Rule::strict_param => "a parameter",
        Rule::annotation_arg => "an argument",
        Rule::kw_throws => "`throws`",
        Rule::kw_extends => "`extends`",
        Rule::kw_as => "`as`",
        Rule::kw_enum => "`enum`, `flags` or `error`",
        Rule::kw_union => "`union`",
        Rule::kw_interface => "`interface`",
        Rule::kw_struct => "`struct`",
        _ => return None,
    })
}

/// True for what may almost always follow, so that naming it helps nobody.
fn is_noise(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::infix
            | Rule::plain_infix
            | Rule::bad_infix
            | Rule::array
            | Rule::optional
            | Rule::annotation
            | Rule::bad_arguments
            | Rule::missing_value
            | Rule::modifier
            | Rule::prefix
            | Rule::EOI
    )
}

/// The set of things that could have stood at a place.
#[derive(Debug)]
pub(super) struct Expected {
    rules: Vec<Rule>,
}

impl Expected {
    /// From pest's list.
    pub(super) fn new(positives: &[Rule]) -> Self {
        let mut rules: Vec<Rule> = positives
            .iter()
            .copied()
            .filter(|&rule| !is_noise(rule))
            .collect();
        // An operand is a number, a path, a parenthesis or a string; together they are one thing.
        let operand =
            |rule: &Rule| matches!(rule, Rule::number | Rule::path | Rule::paren | Rule::string);
        if rules.contains(&Rule::paren) {
            rules.retain(|rule| !operand(rule));
            rules.push(Rule::expr);
        }
        let named = |rule: &Rule| matches!(rule, Rule::path | Rule::named_type);
        if rules
            .iter()
            .any(|rule| matches!(rule, Rule::named_type | Rule::ty))
        {
            rules.retain(|rule| !named(rule));
            rules.push(Rule::ty);
        }
        rules.sort_unstable();
        rules.dedup();
        Self { rules }
    }

    /// True if the rule is among them.
    pub(super) fn has(&self, rule: Rule) -> bool {
        self.rules.contains(&rule)
    }

    /// True if only that rule is left.
    pub(super) fn only(&self, rule: Rule) -> bool {
        self.rules == [rule]
    }

    /// `a type`, or `` `,` or `)` ``.
    pub(super) fn words(&self) -> Option<String> {
        let mut words: Vec<&str> = self.rules.iter().filter_map(|&rule| word(rule)).collect();
        words.dedup();
        // More than four choices are no help.
        if words.len() > 4 {
            return None;
        }
        let last = words.pop()?;
        Some(if words.is_empty() {
            last.to_owned()
        } else {
            format!("{} or {last}", words.join(", "))
        })
    }
}

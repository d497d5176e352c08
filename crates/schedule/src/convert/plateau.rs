//! What the libraries' reactions to a metric have in common.
use super::args::Args;
use crate::feedback::{Better, Goal, Rule};
use crate::measure::Level;
use crate::notation::node::Fault;

/// What torch's ReduceLROnPlateau and GreedyLR take alike, over the defaults of `rule`.
pub(super) fn like_torch(args: &Args<'_>, rule: Rule) -> Result<Rule, Fault> {
    let threshold = args.level("threshold")?;
    let (threshold, margin) = match args.choice("threshold_mode", &["rel", "abs"])? {
        "rel" => (threshold, 0.0),
        _ => (0.0, threshold),
    };
    Ok(Rule {
        by: factor(args, "factor")?,
        patience: args.count("patience")?,
        cooldown: args.count("cooldown")?,
        better: Better { goal: goal(args)?, threshold, margin },
        to: level(args, "min_lr")?,
        least: level(args, "eps")?,
        ..rule
    })
}

/// A factor above 0 and below 1.
pub(super) fn factor(args: &Args<'_>, name: &str) -> Result<f64, Fault> {
    match args.positive(name)? {
        by if by < 1.0 => Ok(by),
        _ => Err(args.wrong(name, "below 1")),
    }
}

/// `mode`
pub(super) fn goal(args: &Args<'_>) -> Result<Goal, Fault> {
    Ok(if args.choice("mode", &["min", "max"])? == "max" { Goal::Max } else { Goal::Min })
}

/// A rate as a level.
pub(super) fn level(args: &Args<'_>, name: &str) -> Result<Level, Fault> {
    Ok(match args.level(name)? {
        0.0 => Level::Relative(0.0),
        rate => Level::Absolute(rate),
    })
}

//! `lehr theory transfer`: a tuned base rate carried to another schedule or horizon.

use clap::Args;
use lehr_report::number::significant;
use lehr_report::{Align, Table};
use lehr_theory::{HorizonExponent, Rates, Transfer as Carried, transfer};
use serde::Serialize;

use super::args::Run;
use super::text;
use crate::count::count;
use crate::failure::Failure;
use crate::output;
use crate::schedule::input::schedule;

/// Carries a tuned base rate to another schedule or horizon
#[derive(Args)]
pub struct Transfer {
    /// The schedule under which the rate was tuned
    #[arg(long, value_name = "SPEC")]
    from: String,
    /// The tuned base rate
    #[arg(long, value_name = "LR", allow_negative_numbers = true)]
    lr: f64,
    /// The schedule for which a rate is wanted
    #[arg(long, value_name = "SPEC")]
    to: String,
    #[command(flatten)]
    run: Run,
    /// Updates of the run for which a rate is wanted [default: --steps]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    to_steps: Option<u64>,
    /// Best rates found at other horizons, STEPS=LR, two or more: the horizon exponent is fitted to them
    #[arg(long, value_name = "STEPS=LR,…", value_delimiter = ',')]
    rungs: Vec<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    from: &'a str,
    from_steps: usize,
    lr: f64,
    to: &'a str,
    to_steps: usize,
    #[serde(flatten)]
    carried: Carried,
}

/// Computes and prints.
pub fn run(args: &Transfer) -> Result<(), Failure> {
    let exponent = match &args.rungs[..] {
        [] => HorizonExponent::PRIOR,
        rungs => {
            let rungs: Vec<(f64, f64)> = rungs.iter().map(|text| rung(text)).collect::<Result<_, _>>()?;
            HorizonExponent::fit(&rungs).map_err(Failure::usage)?
        }
    };
    let from = args.run.rates(&args.from)?;
    let horizon = args.run.horizon(args.to_steps.unwrap_or(args.run.steps));
    let curve = schedule(&args.to)?.resolve(&horizon).map_err(Failure::usage)?;
    let to = Rates::of_curve(&curve).map_err(Failure::usage)?;
    let carried = transfer(&from, &to, args.lr, exponent).map_err(Failure::usage)?;
    let answer = Answer {
        from: &args.from,
        from_steps: from.steps(),
        lr: args.lr,
        to: &args.to,
        to_steps: to.steps(),
        carried,
    };
    if args.json { output::json("lehr.theory.transfer/1", &answer) } else { human(&answer) }
}

fn human(answer: &Answer<'_>) -> Result<(), Failure> {
    let Carried { rate, factor, shape_factor, horizon_factor, horizon, interval, caveats } = &answer.carried;
    let mut table = Table::new([
        ("", Align::Left),
        ("schedule", Align::Left),
        ("steps", Align::Right),
        ("base rate", Align::Right),
    ]);
    table.row([
        "from".to_owned(),
        answer.from.to_owned(),
        answer.from_steps.to_string(),
        significant(answer.lr, 4),
    ]);
    table.row(["to".to_owned(), answer.to.to_owned(), answer.to_steps.to_string(), significant(*rate, 4)]);
    let exponent = match (horizon.rungs, horizon.standard_error) {
        (0, _) => "prior 0.5".to_owned(),
        (_, None) => format!("{:.3} from two rungs", horizon.exponent),
        (rungs, Some(error)) => format!("{:.3} ± {error:.3} from {rungs} rungs", horizon.exponent),
    };
    let interval = match interval {
        Some((low, high)) => {
            format!(
                ", 95 % [{}, {}] by the scatter of the rungs",
                significant(*low, 3),
                significant(*high, 3)
            )
        }
        None if answer.from_steps == answer.to_steps => {
            "; no interval: a bound says nothing of its error".to_owned()
        }
        None => "; no interval: three rungs or more would give one".to_owned(),
    };
    let headline = format!(
        "Try {}{interval} (×{factor:.3}: ×{shape_factor:.3} for the shape, ×{horizon_factor:.3} for the horizon, exponent {exponent})",
        significant(*rate, 3)
    );
    text::print(&headline, &table, None, caveats)
}

fn rung(text: &str) -> Result<(f64, f64), Failure> {
    let pair = text.split_once('=').and_then(|(steps, rate)| Some((steps.parse().ok()?, rate.parse().ok()?)));
    pair.ok_or_else(|| Failure::usage(format!("--rungs: '{text}' is not STEPS=LR, such as 5000=1e-3")))
}

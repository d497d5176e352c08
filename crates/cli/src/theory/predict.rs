//! `lehr theory fit` and `lehr theory predict`: loss curves under other schedules.

use clap::{Args, ValueEnum};
use lehr_report::number::{loss as loss_text, significant};
use lehr_report::{Align, Axis, Figure, Series, Table};
use lehr_theory::laws::{self, FitOptions, Law, LossCurve, Parameter, Predicted, Score};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

use super::args::{Run, Show};
use super::text;
use crate::failure::Failure;
use crate::output;
use crate::schedule::input::schedule;
use lehr::logs::{Line, Log};

/// Fits a loss-curve law to measured curves
///
/// Each FILE is a CSV with the columns step, lr and loss; with a column `run`, each run of it is a curve. Between
/// logged steps the rate is taken as linear, except where it jumps.
#[derive(Args)]
pub struct Fit {
    /// Curves to fit; at least one of them has to contain a decay
    #[arg(value_name = "FILE", required = true)]
    curves: Vec<PathBuf>,
    /// Curves to judge the fit on
    #[arg(long, value_name = "FILE", num_args = 1..)]
    held_out: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// The law
    #[arg(long, value_enum, default_value_t = LawName::Progress)]
    law: LawName,
    /// Relative residual beyond which a point counts linearly
    #[arg(long, value_name = "D", default_value_t = 1e-3, allow_negative_numbers = true)]
    huber: f64,
    /// Write the fit, for `lehr theory predict`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    show: Show,
}

/// Predicts the loss curve under a schedule from a fitted law
#[derive(Args)]
pub struct Predict {
    /// The fit written by `lehr theory fit --out`
    #[arg(value_name = "FIT")]
    fit: PathBuf,
    /// The schedule
    #[arg(value_name = "SPEC")]
    schedule: String,
    /// Its peak rate, in the unit of the curves that were fitted
    #[arg(long, value_name = "LR", allow_negative_numbers = true)]
    lr: f64,
    #[command(flatten)]
    run: Run,
    /// Points of the predicted curve
    #[arg(long, value_name = "N", default_value_t = 200)]
    points: usize,
    #[command(flatten)]
    show: Show,
}

#[derive(Args, Clone)]
struct Reading {
    /// Updates of linear warm-up before the first logged step, if the log begins after it
    #[arg(long, value_name = "N", default_value_t = 0)]
    warmup: usize,
    /// Leave out points after this step
    #[arg(long, value_name = "STEP")]
    until: Option<usize>,
    /// Column of the steps
    #[arg(long, value_name = "COLUMN", default_value = "step")]
    step: String,
    /// Column of the rates
    #[arg(long, value_name = "COLUMN", default_value = "lr")]
    rate: String,
    /// Column of the losses
    #[arg(long, value_name = "COLUMN", default_value = "loss")]
    loss: String,
    /// Column that names the run, where a file holds several
    #[arg(long, value_name = "COLUMN", default_value = "run")]
    by: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum LawName {
    /// Multi-power law with a progress exponent
    Progress,
    /// Multi-power law as published
    MultiPower,
    /// Annealing law of Tissue et al.
    Tissue,
}

#[derive(Serialize)]
struct Fitted {
    law: Law,
    points: usize,
    noise: f64,
    parameters: Vec<Parameter>,
    fitted: Vec<Score>,
    held_out: Vec<Score>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_out_mean: Option<Mean>,
    caveats: [&'static str; 2],
}

#[derive(Serialize)]
struct Mean {
    mae: f64,
    r_squared: f64,
    covered: f64,
}

/// What a fit's file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    schema: String,
    fit: laws::Fit,
}

/// Longest run of a law: every rate of it is held.
const LONGEST: usize = 20_000_000;

const KEPT: &str = "lehr.theory.law/1";

const CAVEATS: [&str; 2] = [
    "the law was fitted to these curves alone: another model, data set or batch size needs its own fit",
    "the intervals are widened by what leaving out a fitted curve costs, where there are three or more; on the published curves \
     of three model sizes they held 86 to 100 % of the points under other schedules",
];

/// Fits and prints.
pub fn fit(args: &Fit) -> Result<(), Failure> {
    let curves = curves(&args.curves, &args.reading)?;
    let held_out = match args.held_out.is_empty() {
        true => Vec::new(),
        false => self::curves(&args.held_out, &args.reading)?,
    };
    let law = match args.law {
        LawName::Progress => Law::Progress,
        LawName::MultiPower => Law::MultiPower,
        LawName::Tissue => Law::Tissue,
    };
    let fit = laws::Fit::new(law, &curves, FitOptions { huber: args.huber }).map_err(Failure::usage)?;
    if let Some(path) = &args.out {
        let kept = Kept { schema: KEPT.to_owned(), fit: fit.clone() };
        let text = serde_json::to_string_pretty(&kept).map_err(Failure::failed)?;
        std::fs::write(path, text)
            .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))?;
    }
    let scores = |curves: &[LossCurve]| -> Result<Vec<Score>, Failure> {
        curves.iter().map(|curve| fit.score(curve).map_err(Failure::usage)).collect()
    };
    let held_out_scores = scores(&held_out)?;
    let mean =
        |of: fn(&Score) -> f64| held_out_scores.iter().map(of).sum::<f64>() / held_out_scores.len() as f64;
    let answer = Fitted {
        law,
        points: fit.points(),
        noise: fit.noise(),
        parameters: fit.parameters(),
        fitted: scores(&curves)?,
        held_out_mean: (!held_out.is_empty()).then(|| Mean {
            mae: mean(|score| score.mae),
            r_squared: mean(|score| score.r_squared),
            covered: mean(|score| score.covered),
        }),
        held_out: held_out_scores,
        caveats: CAVEATS,
    };
    let figure = picture(&fit, if held_out.is_empty() { &curves } else { &held_out })?;
    text::save(&figure, &args.show)?;
    if args.show.json { output::json("lehr.theory.fit/1", &answer) } else { human(&answer, &figure) }
}

fn human(answer: &Fitted, figure: &Figure) -> Result<(), Failure> {
    let parameters = answer.parameters.iter().map(|parameter| {
        let Parameter { name, value, low, high } = parameter;
        format!("{name} {} [{}, {}]", significant(*value, 4), significant(*low, 3), significant(*high, 3))
    });
    let headline =
        format!("{:?}, {} points\n{}", answer.law, answer.points, parameters.collect::<Vec<_>>().join("\n"));
    let mut table = Table::new(
        [("curve", Align::Left), ("", Align::Left), ("points", Align::Right)]
            .into_iter()
            .chain(["MAE", "worst", "R²", "last error", "in interval"].map(|name| (name, Align::Right))),
    );
    for (scores, kind) in [(&answer.fitted, "fitted"), (&answer.held_out, "held out")] {
        for score in scores {
            table.row([
                score.curve.clone(),
                kind.to_owned(),
                score.points.to_string(),
                format!("{:.5}", score.mae),
                format!("{:.4}", score.worst),
                format!("{:.5}", score.r_squared),
                format!("{:+.4}", score.last_error),
                format!("{:.0} %", 100.0 * score.covered),
            ]);
        }
    }
    if let Some(mean) = &answer.held_out_mean {
        let cells =
            ["mean", "held out", "", &format!("{:.5}", mean.mae), "", &format!("{:.5}", mean.r_squared), ""];
        let covered = format!("{:.0} %", 100.0 * mean.covered);
        table.row(cells.into_iter().chain([covered.as_str()]));
    }
    text::print(&headline, &table, Some(figure), &[])?;
    mind()
}

fn mind() -> Result<(), Failure> {
    output::text(&format!("\nMind:\n- {}\n- {}\n", CAVEATS[0], CAVEATS[1]))
}

fn picture(fit: &laws::Fit, curves: &[LossCurve]) -> Result<Figure, Failure> {
    let mut figure =
        Figure::new("measured and predicted loss").x(Axis::linear("step")).y(Axis::linear("loss"));
    for (place, curve) in curves.iter().enumerate() {
        let predicted = fit.predict(curve.rates(), curve.steps()).map_err(Failure::usage)?;
        let measured = curve.steps().iter().zip(curve.losses()).map(|(&step, &loss)| (step as f64, loss));
        figure =
            figure.series(Series::line(curve.name(), line(&predicted)).colour(place).band(band(&predicted)));
        figure = figure.series(Series::line("", measured.collect()).colour(place).faded());
    }
    Ok(figure)
}

fn line(predicted: &[Predicted]) -> Vec<(f64, f64)> {
    predicted.iter().map(|point| (point.step as f64, point.loss)).collect()
}

fn band(predicted: &[Predicted]) -> Vec<(f64, f64, f64)> {
    predicted.iter().map(|point| (point.step as f64, point.low, point.high)).collect()
}

#[derive(Serialize)]
struct Prediction<'a> {
    schedule: &'a str,
    steps: u64,
    lr: f64,
    law: Law,
    r#final: Predicted,
    curve: Vec<Predicted>,
    caveats: [&'static str; 2],
}

/// Predicts and prints.
pub fn predict(args: &Predict) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&args.fit)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", args.fit.display())))?;
    let kept: Kept = serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{} is not a fit: {error}", args.fit.display())))?;
    if kept.schema != KEPT {
        return Err(Failure::usage(format!("{} holds {}, not {KEPT}", args.fit.display(), kept.schema)));
    }
    let steps = args.run.steps;
    let curve = schedule(&args.schedule)?
        .resolve_with_peak(&args.run.horizon(steps), args.lr)
        .map_err(Failure::usage)?;
    if steps > LONGEST as u64 {
        return Err(Failure::usage(format!("{steps} steps; predictions run up to {LONGEST}")));
    }
    let mut rates = vec![0.0; steps as usize];
    curve.fill(0..steps, &mut rates);
    let first = rates.iter().position(|rate| *rate > 0.0).map_or(1, |step| step + 1) as u64;
    let points = (args.points.max(2) as u64).min(steps);
    let mut wanted: Vec<usize> = (1..=points).map(|i| (steps * i / points).max(first) as usize).collect();
    wanted.dedup();
    let predicted = kept.fit.predict(&rates, &wanted).map_err(Failure::usage)?;
    let Some(&last) = predicted.last() else { return Err(Failure::failed("nothing to predict")) };
    let figure = Figure::new("predicted loss")
        .subtitle(format!("{}, {steps} steps, peak {}", args.schedule, significant(args.lr, 4)))
        .x(Axis::linear("step"))
        .y(Axis::linear("loss"))
        .series(Series::line("predicted", line(&predicted)).band(band(&predicted)));
    text::save(&figure, &args.show)?;
    let law = kept.fit.law();
    let (schedule, lr) = (args.schedule.as_str(), args.lr);
    if args.show.json {
        let answer =
            Prediction { schedule, steps, lr, law, r#final: last, curve: predicted, caveats: CAVEATS };
        return output::json("lehr.theory.prediction/1", &answer);
    }
    let mut table = Table::new(["step", "loss", "low", "high"].map(|name| (name, Align::Right)));
    for point in
        predicted.iter().skip(predicted.len() / 10).step_by(predicted.len().div_ceil(10)).chain([&last])
    {
        let losses = [point.loss, point.low, point.high].map(loss_text);
        table.row([point.step.to_string()].into_iter().chain(losses));
    }
    let headline = format!(
        "{schedule}, {steps} steps, peak {}: final loss {} [{}, {}]",
        significant(lr, 4),
        loss_text(last.loss),
        loss_text(last.low),
        loss_text(last.high)
    );
    text::print(&headline, &table, Some(&figure), &[])?;
    mind()
}

/// Every curve of the files.
fn curves(paths: &[PathBuf], reading: &Reading) -> Result<Vec<LossCurve>, Failure> {
    let mut curves = Vec::new();
    for path in paths {
        curves.extend(file(path, reading)?);
    }
    Ok(curves)
}

/// The curves of one file, by run.
fn file(path: &Path, reading: &Reading) -> Result<Vec<LossCurve>, Failure> {
    let log = Log::read(path)?;
    let (step, rate, loss) =
        (log.place(&reading.step)?, log.place(&reading.rate)?, log.place(&reading.loss)?);
    let curve = |(name, lines): (String, Vec<&Line>)| {
        let mut points: Vec<(usize, f64, f64)> = Vec::with_capacity(lines.len());
        for line in lines {
            points.push((log.step(line, step)? as usize, log.number(line, rate)?, log.number(line, loss)?));
        }
        points.retain(|point| point.0 > 0 && reading.until.is_none_or(|until| point.0 <= until));
        if let Some(last) = points.last().filter(|point| point.0 > LONGEST) {
            return Err(Failure::usage(format!(
                "run {name}: {} steps; laws are fitted up to {LONGEST}",
                last.0
            )));
        }
        LossCurve::from_log(name, &points, reading.warmup)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
    };
    log.runs(&reading.by).into_iter().map(curve).collect()
}

//! The picture of a study: the metric against the rate.

use lehr::search::Params;
use lehr::study::{Records, RunState, TrialState};
use lehr::worker::Job;
use lehr_report::{Axis, Figure, Series, number};

/// Most lines in the picture.
const SERIES: usize = 8;

/// The points of one line: its name, rates with values, rates that diverged.
type Group = (String, Vec<(f64, f64)>, Vec<f64>);

/// Value against rate: a series per schedule, or per length of run where the strategy makes short ones.
pub fn figure(job: &Job, records: &Records) -> Option<Figure> {
    job.goal.space.get(&job.goal.rate)?;
    let mut groups = match job.strategy.name() {
        "annealed" => by_length(job, records),
        _ => by_schedule(job, records),
    };
    if groups.len() > SERIES {
        let merged = groups.drain(..).fold((String::new(), Vec::new(), Vec::new()), |mut all, group| {
            all.1.extend(group.1);
            all.2.extend(group.2);
            all
        });
        groups.push(merged);
    }
    if groups.iter().map(|group| group.1.len()).sum::<usize>() < 2 {
        return None;
    }
    let name = &job.metric.name;
    let title = format!("{name} against {}", job.goal.rate);
    // Rates are looked at by their ratios, however they were declared.
    let log = groups
        .iter()
        .flat_map(|(_, points, diverged)| points.iter().map(|p| p.0).chain(diverged.iter().copied()))
        .all(|rate| rate > 0.0);
    let x = if log { Axis::log(&job.goal.rate) } else { Axis::linear(&job.goal.rate) };
    let mut figure = Figure::new(title).x(x).y(Axis::linear(name));
    for (spec, points, diverged) in groups {
        let label = if spec.is_empty() { "trials".to_owned() } else { spec };
        figure = figure.series(Series::points(label, points).diverged(diverged));
    }
    Some(figure)
}

fn add(groups: &mut Vec<Group>, name: String, rate: f64, value: Option<f64>) {
    let place = groups.iter().position(|group| group.0 == name).unwrap_or_else(|| {
        groups.push((name, Vec::new(), Vec::new()));
        groups.len() - 1
    });
    match value {
        Some(value) => groups[place].1.push((rate, value)),
        None => groups[place].2.push(rate),
    }
}

fn by_schedule(job: &Job, records: &Records) -> Vec<Group> {
    let spec = |params: &Params| job.goal.spec(params).ok().flatten().unwrap_or_default();
    let mut groups = Vec::new();
    for trial in records.trials() {
        let Some(rate) = trial.params.float(&job.goal.rate) else { continue };
        let mut runs = trial.runs.iter().filter_map(|&run| records.runs().get(run));
        let diverged = trial.state == TrialState::Failed && runs.any(|run| run.state == RunState::Diverged);
        let value = trial.values.first().copied();
        let value = value.filter(|value| trial.state == TrialState::Complete && value.is_finite());
        if value.is_some() || diverged {
            add(&mut groups, spec(&trial.params), rate, value);
        }
    }
    groups
}

fn by_length(job: &Job, records: &Records) -> Vec<Group> {
    let mut horizons: Vec<u64> = records.runs().iter().map(|run| run.horizon).collect();
    horizons.sort_unstable();
    horizons.dedup();
    let mut groups = Vec::new();
    for horizon in horizons {
        for run in records.runs().iter().filter(|run| run.horizon == horizon) {
            let rate = records.trials().get(run.trial).and_then(|trial| trial.params.float(&job.goal.rate));
            let value = run.value.filter(|value| run.state == RunState::Complete && value.is_finite());
            if let Some(rate) = rate.filter(|_| value.is_some() || run.state == RunState::Diverged) {
                add(&mut groups, format!("{} updates", number::count(horizon)), rate, value);
            }
        }
    }
    groups
}

//! `lehr best`: the best trial of a study.
use clap::Args;
use lehr_report::number;
use serde_json::json;

use super::{Place, export, shown, shown_params};
use crate::failure::Failure;
use crate::output;

/// Prints the best trial of a study
#[derive(Args)]
pub struct Best {
    /// The study; may be left out where the storage has only one
    study: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Best) -> Result<(), Failure> {
    let study = args.place.study(args.study.as_deref())?;
    let name = shown(study.name());
    if study.directions().len() != 1 {
        let message =
            format!("study {name} has {} objectives, so no trial is the best", study.directions().len());
        return Err(Failure::failed(message));
    }
    let records = study.records();
    let Some(best) = study.best().and_then(|number| records.trials().get(number)) else {
        return Err(Failure::failed(format!("study {name} has no complete trial yet")));
    };
    if args.json {
        let trial = export::trial(records, best);
        return output::json("lehr.best/1", &json!({"study": study.name(), "trial": trial}));
    }
    let value = best.values.first().map(|&v| number::significant(v, 6)).unwrap_or_default();
    let of = records.trials().iter().filter(|t| t.state == lehr_study::TrialState::Complete).count();
    let params = shown_params(&best.params);
    output::text(&format!(
        "{value} by trial {}, the best of {of} complete ones of {name}\n{params}\n",
        best.number
    ))
}

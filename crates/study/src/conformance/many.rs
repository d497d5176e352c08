//! Many at once.
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;

use lehr_search::Direction;

use super::{new_run, params, space};
use crate::records::Records;
use crate::run::{Plan, Reports, RunEnd, RunOutcome, Standing, Waiting};
use crate::state::TrialState;
use crate::storage::Storage;

const WRITERS: usize = 16;
const EACH: usize = 6;

/// Sixteen handles at once: each waiting trial is given out once, numbers are dense, nothing is lost.
pub(super) fn claims_and_numbers(open: &dyn Fn() -> Arc<dyn Storage>) {
    let handles: Vec<_> = (0..WRITERS).map(|_| open()).collect();
    let name = format!("many {:016x}", rand::random::<u64>());
    let study = handles[0].create_study(&name, &[Direction::Minimize]).unwrap();
    for _ in 0..WRITERS * EACH / 2 {
        handles[0].enqueue(study, &Waiting { fixed: params(0.5), ..Waiting::default() }).unwrap();
    }
    let claimed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (writer, handle) in handles.iter().enumerate() {
            let claimed = &claimed;
            scope.spawn(move || {
                for i in 0..EACH {
                    let worker = format!("worker {writer}");
                    let waiting = handle.claim_waiting(study, &Plan::to(9), &worker).unwrap();
                    let claim = match waiting {
                        Some(claim) => {
                            handle.set_params(&claim, &space(), &params(0.5)).unwrap();
                            claim
                        }
                        None => handle.start(study, &space(), &new_run(0.5)).unwrap(),
                    };
                    let values = vec![(1, 1.0), (2, 2.0)];
                    assert_eq!(
                        handle.report(&[Reports { claim: claim.clone(), values }]).unwrap(),
                        [Standing::Holds]
                    );
                    handle.end(&claim, &[(3, 3.0)], &RunEnd::new(RunOutcome::Complete(i as f64), 3)).unwrap();
                    claimed.lock().unwrap().push((claim.trial, claim.run));
                }
            });
        }
    });
    let claimed = claimed.into_inner().unwrap();
    let all: BTreeSet<usize> = (0..WRITERS * EACH).collect();
    assert_eq!(claimed.len(), WRITERS * EACH);
    assert_eq!(claimed.iter().map(|c| c.0).collect::<BTreeSet<_>>(), all, "trials: no gap, no twin");
    assert_eq!(claimed.iter().map(|c| c.1).collect::<BTreeSet<_>>(), all, "runs: no gap, no twin");
    let mut records = Records::new();
    handles[1].refresh(study, &mut records).unwrap();
    assert!(records.trials().iter().all(|t| t.state == TrialState::Complete && t.reports.len() == 3));
    assert_eq!((records.trials().len(), records.runs().len()), (all.len(), all.len()));
}

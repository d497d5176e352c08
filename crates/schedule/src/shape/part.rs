//! `part`: a stretch of a longer schedule.
use alloc::vec::Vec;

use super::sequence::{check_phases, phases, write_phases};
use super::{Form, check_spans};
use crate::curve::{Context, Eval, Piece, Track};
use crate::error::{Problem, Trouble};
use crate::measure::Span;
use crate::notation::args::Args;
use crate::notation::node::{Fault, Node};
use crate::schedule::Phase;

/// `part 100 after 50 horizon 300 (cosine)`: a stretch of a longer schedule, here updates 50 … 149 of a cosine over 300.
///
/// rate at k = the phases' rate at after + k, where the phases are resolved against a horizon of 300 steps. First update:
/// the phases' update `after`. Last of n: their update after + n − 1. It ends at the level of the update after that,
/// which is where the next phase starts. This is how a schedule that another library cuts short, or enters in the
/// middle, is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// How many updates of the phases are left out at their start; default 0.
    pub after: Span,
    /// The horizon of the phases; `None`: up to the end of the stretch.
    pub horizon: Option<Span>,
    /// The phases; at least one.
    pub of: Vec<Phase>,
}

impl Form for Part {
    fn read(args: &mut Args<'_>, _: Option<f64>) -> Result<Self, Fault> {
        let after = args.one("after")?.unwrap_or(Span::steps(0));
        Ok(Self { after, horizon: args.one("horizon")?, of: phases(args)? })
    }

    fn write(&self, node: &mut Node) {
        node.set_some("after", Some(self.after).filter(|after| *after != Span::steps(0)));
        node.set_some("horizon", self.horizon);
        write_phases(&self.of, node);
    }

    fn check(&self) -> Result<(), Problem> {
        check_spans("after", [&self.after])?;
        check_spans("horizon", &self.horizon)?;
        check_phases(&self.of)
    }

    fn resolve(&self, cx: &Context<'_>) -> Result<Piece, Trouble> {
        let after = cx.whole_span(self.after)?;
        let horizon = match self.horizon {
            Some(horizon) => cx.whole_span(horizon)?,
            None => after.saturating_add(cx.steps()),
        };
        let track = cx.with_steps(horizon).track(&self.of)?;
        Ok(stretch_of(track, after, cx))
    }
}

/// The updates of a track from `after` on, as many as the context has.
pub(super) fn stretch_of(track: Track, after: u64, cx: &Context<'_>) -> Piece {
    let end = track.at(after.saturating_add(cx.steps()));
    Piece::other(Stretch { track, after, end })
}

struct Stretch {
    track: Track,
    after: u64,
    end: f64,
}

impl Eval for Stretch {
    fn at(&self, k: u64) -> f64 {
        self.track.at(k + self.after)
    }

    fn end(&self) -> f64 {
        self.end
    }

    fn fill(&self, k: u64, out: &mut [f64]) {
        self.track.fill(k + self.after, out);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Horizon, Schedule};
    use alloc::string::ToString;

    fn rates(spec: &str, steps: u64) -> alloc::vec::Vec<f64> {
        let schedule: Schedule = spec.parse().unwrap();
        assert_eq!(schedule.to_string(), spec);
        schedule.resolve(&Horizon::steps(steps)).unwrap().iter().collect()
    }

    #[test]
    fn a_stretch_is_what_the_whole_has_there() {
        let whole = rates("poly power 3", 300);
        assert_eq!(rates("part horizon 300 (poly power 3)", 100), whole[..100]);
        assert_eq!(rates("part after 200 (poly power 3)", 100), whole[200..]);
        assert_eq!(
            rates("part 100 after 50 horizon 300 (poly power 3), constant from 0.5", 110)[..100],
            whole[50..150]
        );
    }

    #[test]
    fn it_ends_where_the_phases_stand_and_holds_their_last_level() {
        assert_eq!(rates("part 50 horizon 100 (linear to 0.2), constant", 52)[50..], [0.6, 0.6]);
        assert_eq!(rates("part after 2 horizon 4 (linear)", 4), [0.5, 0.25, 0.0, 0.0]);
    }

    #[test]
    fn spans_inside_refer_to_the_whole() {
        assert_eq!(rates("part horizon 8 (constant 25%, linear)", 4), [1.0, 1.0, 1.0, 5.0 / 6.0]);
        let too_long: Schedule = "part 10 horizon 20 (cosine 30)".parse().unwrap();
        assert!(too_long.resolve(&Horizon::steps(10)).is_err());
        let endless: Schedule = "part horizon 1e18 (cosine)".parse().unwrap();
        assert!(endless.resolve(&Horizon::steps(10)).is_err());
    }
}

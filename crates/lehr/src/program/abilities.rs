//! What a program can do, from what its command takes.

use crate::strategy::Abilities;

use super::template::Template;

/// Something that a program takes from its environment (`LEHR_STEPS`, …) rather than from a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// `LEHR_STEPS`.
    Steps,
    /// `LEHR_SCHEDULE` or `LEHR_SCHEDULE_FILE`.
    Schedule,
    /// `LEHR_CHECKPOINT` and `LEHR_RESUME`.
    Checkpoint,
    /// `LEHR_SEED`.
    Seed,
}

impl std::str::FromStr for Reads {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "steps" => Ok(Self::Steps),
            "schedule" => Ok(Self::Schedule),
            "checkpoint" => Ok(Self::Checkpoint),
            "seed" => Ok(Self::Seed),
            other => Err(format!("'{other}' is none of steps, schedule, checkpoint, seed")),
        }
    }
}

/// The abilities that the placeholders of a command show, and those that are declared.
pub fn abilities(command: &Template, reads: &[Reads]) -> Abilities {
    let takes = |name: &str, read| command.has(name) || reads.contains(&read);
    Abilities {
        any_horizon: takes("steps", Reads::Steps),
        any_schedule: takes("schedule", Reads::Schedule) || command.has("schedule_file"),
        resume: (command.has("resume") && command.has("checkpoint")) || reads.contains(&Reads::Checkpoint),
    }
}

/// Abilities in words, with what is missing.
pub fn describe(abilities: Abilities) -> String {
    let or = |can: bool, yes: &str, no: &str| if can { yes } else { no }.to_owned();
    [
        or(abilities.any_horizon, "runs of any length", "full runs only (no {steps})"),
        or(abilities.any_schedule, "any schedule", "its own schedule (no {schedule_file})"),
        or(abilities.resume, "resumes from checkpoints", "no resuming (no {checkpoint} and {resume})"),
    ]
    .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_and_declarations_show_abilities() {
        let of = |words: &[&str], reads: &[Reads]| abilities(&Template::new(words).unwrap(), reads);
        assert_eq!(of(&["p", "{lr}"], &[]), Abilities::RATE_ONLY);
        assert_eq!(
            of(&["p", "{steps}", "--s={schedule_file}", "{checkpoint}", "{resume}"], &[]),
            Abilities::ALL
        );
        assert_eq!(of(&["p"], &[Reads::Steps, Reads::Schedule, Reads::Checkpoint]), Abilities::ALL);
        assert_eq!(of(&["p", "{steps}", "{schedule}"], &[]), Abilities::SCHEDULED);
        assert!(!of(&["p", "{checkpoint}"], &[]).resume, "saving alone does not resume");
        assert!(describe(Abilities::RATE_ONLY).contains("full runs only"));
    }
}

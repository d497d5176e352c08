//! Commands and schedules with placeholders.

use super::error::ProgramError;

/// Placeholders that Lehr fills in itself; every other one is a parameter.
pub const OWN: [&str; 10] = [
    "steps",
    "seed",
    "schedule",
    "schedule_file",
    "checkpoint",
    "resume",
    "device",
    "trial",
    "run",
    "report",
];

/// A text with placeholders: `{name}` stands for a value, `{{name}}` for the text `{name}`. Braces around anything that
/// is not a name are what they are, so JSON needs no care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    parts: Vec<Part>,
    written: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(String),
    Place(String),
}

/// A value for a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fill {
    /// This text.
    With(String),
    /// The trial has no such parameter: its condition does not hold.
    Inactive,
}

impl Text {
    /// Reads a text; every text is one.
    pub fn new(written: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = written;
        while let Some(open) = rest.find('{') {
            plain.push_str(&rest[..open]);
            rest = &rest[open..];
            if let Some((name, after)) = name_in(rest.strip_prefix("{{").unwrap_or(""), "}}") {
                plain.push_str(&format!("{{{name}}}"));
                rest = after;
            } else if let Some((name, after)) = name_in(&rest[1..], "}") {
                if !plain.is_empty() {
                    parts.push(Part::Plain(std::mem::take(&mut plain)));
                }
                parts.push(Part::Place(name.to_owned()));
                rest = after;
            } else {
                plain.push('{');
                rest = &rest[1..];
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Plain(plain));
        }
        Self { parts, written: written.to_owned() }
    }

    /// The text as it was written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The names of the placeholders, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Place(name) => Some(name.as_str()),
            Part::Plain(_) => None,
        })
    }

    /// Whether the text is one placeholder and nothing else.
    fn is_place(&self) -> bool {
        matches!(self.parts[..], [Part::Place(_)])
    }

    /// Refuses a placeholder whose name is not known.
    ///
    /// # Errors
    /// [`ProgramError::Placeholder`], with the nearest known name.
    pub fn check(&self, known: &[&str]) -> Result<(), ProgramError> {
        let Some(name) = self.names().find(|name| !known.contains(name)) else { return Ok(()) };
        let near = |k: &&&str| strsim::damerau_levenshtein(name, k);
        let limit = name.chars().count().div_ceil(3).max(1);
        let nearest = known.iter().min_by_key(near).filter(|k| near(k) <= limit);
        Err(ProgramError::Placeholder {
            name: name.to_owned(),
            place: self.written.clone(),
            nearest: nearest.map(|name| (*name).to_owned()),
            known: known.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(" "),
        })
    }

    /// The text with its placeholders filled in; the name of the first one that is inactive instead.
    ///
    /// # Errors
    /// The name of a placeholder without a value.
    pub fn fill(&self, value: &dyn Fn(&str) -> Fill) -> Result<String, String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Plain(plain) => text.push_str(plain),
                Part::Place(name) => match value(name) {
                    Fill::With(value) => text.push_str(&value),
                    Fill::Inactive => return Err(name.clone()),
                },
            }
        }
        Ok(text)
    }
}

/// A name that ends with `close`, and what follows.
fn name_in<'a>(text: &'a str, close: &str) -> Option<(&'a str, &'a str)> {
    let end = text.find('}')?;
    let (name, rest) = text.split_at(end);
    let first = name.chars().next()?;
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let is_name = (first.is_alphabetic() || first == '_') && name.chars().all(inner);
    is_name.then_some(())?;
    Some((name, rest.strip_prefix(close)?))
}

/// A command with placeholders: words, never read by a shell. A value is one word or a part of one, whatever is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    words: Vec<Text>,
}

impl Template {
    /// A command from its words; the first one is the program.
    ///
    /// # Errors
    /// [`ProgramError::NoCommand`] without words.
    pub fn new<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Result<Self, ProgramError> {
        let words: Vec<Text> = words.into_iter().map(|word| Text::new(word.as_ref())).collect();
        match words.first() {
            Some(program) if !program.written.is_empty() => Ok(Self { words }),
            _ => Err(ProgramError::NoCommand),
        }
    }

    /// The words as they were written.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(Text::written)
    }

    /// Whether the command has a placeholder of this name.
    pub fn has(&self, name: &str) -> bool {
        self.words.iter().any(|word| word.names().any(|n| n == name))
    }

    /// Refuses placeholders that are neither Lehr's own nor a parameter, and parameters with the name of one of Lehr's.
    ///
    /// # Errors
    /// [`ProgramError::Placeholder`], [`ProgramError::Reserved`].
    pub fn check<'a>(&self, parameters: impl IntoIterator<Item = &'a str>) -> Result<(), ProgramError> {
        let mut known: Vec<&str> = parameters.into_iter().collect();
        // `schedule` may be a parameter: then {schedule} is the schedule that it chose.
        if let Some(taken) = known.iter().find(|name| OWN.contains(name) && **name != "schedule") {
            return Err(ProgramError::Reserved((*taken).to_owned()));
        }
        known.extend(OWN.iter().filter(|own| !known.contains(own)).copied().collect::<Vec<_>>());
        self.words.iter().try_for_each(|word| word.check(&known))
    }

    /// The words of one run. A word with a parameter that the trial does not have is left out, together with the option
    /// before it that it is the value of (`--momentum {momentum}`).
    pub fn fill(&self, value: &dyn Fn(&str) -> Fill) -> Vec<String> {
        let mut words: Vec<String> = Vec::with_capacity(self.words.len());
        for (i, word) in self.words.iter().enumerate() {
            match word.fill(value) {
                Ok(filled) => words.push(filled),
                Err(_) if i > 1 && word.is_place() && self.words[i - 1].is_option() => drop(words.pop()),
                Err(_) => {}
            }
        }
        words
    }
}

impl Text {
    /// A word like `--momentum`, which takes the next word as its value.
    fn is_option(&self) -> bool {
        self.written.starts_with('-') && !self.written.contains(['=', '{'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(words: &[&str], values: &[(&str, &str)]) -> Vec<String> {
        let value = |name: &str| match values.iter().find(|(n, _)| *n == name) {
            Some((_, value)) => Fill::With((*value).to_owned()),
            None => Fill::Inactive,
        };
        Template::new(words).unwrap().fill(&value)
    }

    #[test]
    fn values_are_one_word_or_part_of_one_whatever_is_in_them() {
        let words = ["train", "--lr={lr}", "{name}", "a{lr}b{lr}"];
        let got = filled(&words, &[("lr", "1e-3"), ("name", "x; rm -rf / $(id) 'q' {lr}")]);
        assert_eq!(got, ["train", "--lr=1e-3", "x; rm -rf / $(id) 'q' {lr}", "a1e-3b1e-3"]);
    }

    #[test]
    fn other_braces_are_text() {
        let words =
            ["p", r#"{"lr": {lr}, "a": {}}"#, "{{lr}}", "{:.3f}", "{a b}", "{", "}{lr}", "{{{lr}}}", "{1}"];
        let got = filled(&words, &[("lr", "1")]);
        let want = ["p", r#"{"lr": 1, "a": {}}"#, "{lr}", "{:.3f}", "{a b}", "{", "}1", "{{lr}}", "{1}"];
        assert_eq!(got, want);
    }

    #[test]
    fn an_inactive_parameter_takes_its_option_along() {
        let words = ["p", "--nesterov", "--momentum", "{m}", "--beta={m}", "-x", "{lr}", "{m}"];
        assert_eq!(filled(&words, &[("lr", "1")]), ["p", "--nesterov", "-x", "1"]);
        assert_eq!(filled(&["p", "{m}"], &[]), ["p"]);
    }

    #[test]
    fn unknown_placeholders_are_refused_with_the_nearest_name() {
        let template = Template::new(["p", "--lr", "{learning_rat}", "{steps}"]).unwrap();
        let error = template.check(["lr", "learning_rate"]).unwrap_err().to_string();
        assert!(
            error.contains("did you mean {learning_rate}?") && error.contains("{{learning_rat}}"),
            "{error}"
        );
        let error = Template::new(["p", "{banana}"]).unwrap().check(["lr"]).unwrap_err().to_string();
        assert!(!error.contains("did you mean") && error.contains("{lr} {steps}"), "{error}");
        assert!(matches!(template.check(["seed"]), Err(ProgramError::Reserved(_))));
        assert!(Template::new(["p", "{schedule}"]).unwrap().check(["schedule"]).is_ok());
        assert!(matches!(Template::new::<&str>([]), Err(ProgramError::NoCommand)));
        assert!(matches!(Template::new([""]), Err(ProgramError::NoCommand)));
    }
}

//! The known word that an unknown one resembles most.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The nearest of `known` by edit distance, if it is near enough to be a slip of the pen.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count().div_ceil(3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Words of other libraries and papers, and how they are said here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("hold", "`constant`"),
    ("flat", "`constant`"),
    ("const", "`constant`"),
    ("stable", "`constant`"),
    ("decay", "`linear`, `cosine` or `exponential`"),
    ("cooldown", "`linear 20%` or `1-sqrt 20%`"),
    ("polynomial", "`poly`"),
    ("sqrt", "`1-sqrt` or `inverse-sqrt`"),
    ("rsqrt", "`inverse-sqrt`"),
    ("noam", "`warmup N, inverse-sqrt`"),
    ("wsd", "`warmup 2%, constant, linear 20%`"),
    ("trapezoid", "`warmup 2%, constant, linear 20%`"),
    ("tri-stage", "`warmup 10%, constant 40%, exponential to 0.01`"),
    ("multistep", "`step at 50% 75% by 0.1`"),
    ("multi-step", "`step at 50% 75% by 0.1`"),
    ("piecewise", "`step at 50% 75% to 0.1 0.01`"),
    ("onecycle", "`one-cycle`"),
    ("triangular", "`cyclic every N from 0.1 to 1`"),
    ("triangle", "`cyclic every N from 0.1 to 1`"),
    ("sgdr", "`restarts every 10ep grow 2`"),
    ("multiply", "`product`"),
    ("chain", "`product`"),
    ("delay", "`constant N, …`"),
    ("clip", "`clamp`"),
    ("minimum", "`min`"),
    ("maximum", "`max`"),
    ("add", "`sum`"),
    ("reduce-on-plateau", "`plateau`"),
];

/// Advice for a word that is not known: its name here, or the nearest word.
pub(crate) fn advice<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word = word.to_ascii_lowercase().replace('_', "-");
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(same) = known.iter().find(|k| **k == word) {
        return Some(format!("`{same}`"));
    }
    let translated = ELSEWHERE.iter().find(|(other, _)| *other == word).map(|(_, here)| String::from(*here));
    translated.or_else(|| nearest(&word, known).map(|near| format!("`{near}`")))
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_mended_and_nonsense_is_not() {
        let known = ["cosine", "linear", "warmup", "1-sqrt"];
        assert_eq!(nearest("cosin", known), Some("cosine"));
        assert_eq!(nearest("wramup", known), Some("warmup"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(advice("Hold", known).as_deref(), Some("`constant`"));
        assert_eq!(advice("1_sqrt", known).as_deref(), Some("`1-sqrt`"));
    }
}

//! A view as one file.
use serde::Serialize;

use crate::asset::{self, CHARTS};
use crate::error::PageError;
use crate::view::View;

/// The page as one file that needs nothing else, neither a server nor a network.
///
/// Its content security policy lets run only the scripts that the file was made with, so that nothing in a study can.
///
/// # Errors
/// [`PageError::Json`] if the view cannot be written.
pub fn html(view: &View) -> Result<String, PageError> {
    let script = asset::script(include_str!("../assets/js/report.js"));
    let style = asset::style();
    let policy = format!(
        "default-src 'none'; script-src {} {}; style-src {}; img-src data: blob:; base-uri 'none'; form-action 'none'",
        asset::hash(CHARTS),
        asset::hash(&script),
        asset::hash(style),
    );
    let data = embedded(view)?;
    let words = fallback(view);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"Lehr {version}\">\n\
         <title>{title} – Lehr</title>\n<style>{style}</style>\n</head>\n<body>\n\
         <main><div class=\"wide\">{words}</div></main>\n<footer>Made by Lehr {version}</footer>\n\
         <script type=\"application/json\" id=\"lehr-view\">{data}</script>\n\
         <script>{CHARTS}</script>\n<script>{script}</script>\n</body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
        title = escaped(&view.name),
    ))
}

/// JSON that cannot end the element that it stands in, nor open a comment.
fn embedded(value: &impl Serialize) -> Result<String, PageError> {
    Ok(serde_json::to_string(value)?.replace('<', "\\u003c"))
}

/// What a reader without scripts sees: the words.
fn fallback(view: &View) -> String {
    let words = &view.words;
    let mut text = format!("<h1>{}</h1><p>{}</p>", escaped(&view.name), escaped(&words.headline));
    for sentence in words.reasons.iter().chain(&words.doubts).chain(&words.next) {
        text += &format!("<p>{}</p>", escaped(sentence));
    }
    text + "<noscript><p>The pictures and the table of trials need JavaScript.</p></noscript>"
}

/// Text that HTML takes as text.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Given, of_sweep};
    use crate::view::Objective;
    use lehr::sweep::{Row, Sweep};

    fn hostile() -> View {
        let name = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>";
        let row = |rate: f64| Row { schedule: name.into(), rate, seed: 0, loss: rate };
        let sweep = Sweep::new([row(0.1), row(1.0)]).unwrap();
        let objective = Objective::loss(name);
        of_sweep(&sweep, Given { name: name.into(), about: name.into(), objective, steps: None })
    }

    #[test]
    fn nothing_of_a_study_becomes_markup() {
        let page = html(&hostile()).unwrap();
        assert_eq!(page.matches("<script").count(), 3, "data, charts, page");
        assert_eq!(page.matches("</script>").count(), 3);
        assert!(!page.contains("<img") && !page.contains("<!--"));
    }

    #[test]
    fn the_policy_names_what_stands_in_the_page() {
        let page = html(&hostile()).unwrap();
        let inside = |open: &str, close: &str| {
            let start = page.rfind(open).unwrap() + open.len();
            page[start..start + page[start..].find(close).unwrap()].to_owned()
        };
        assert!(page.contains(&asset::hash(&inside("<script>", "</script>"))));
        assert!(page.contains(&asset::hash(&inside("<style>", "</style>"))));
        assert!(page.contains(&asset::hash(CHARTS)));
    }

    #[test]
    fn a_page_needs_no_other() {
        let page = html(&hostile()).unwrap();
        assert!(page.len() < 1_000_000, "{}", page.len());
        // The charting library names addresses that it never asks for.
        let page = page.replace(CHARTS, "");
        for outside in ["src=\"http", "href=\"http", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}

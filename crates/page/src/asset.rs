//! What a page is made of: the style sheet, the charting library, the scripts.
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lehr_report::PALETTE;
use sha2::{Digest, Sha256};

/// Apache ECharts, as `cargo xtask charts` makes it.
pub(crate) const CHARTS: &str = include_str!("../assets/echarts.js");

const STYLE: &str = include_str!("../assets/page.css");

/// The scripts, in order: later ones use what earlier ones define.
const SCRIPTS: [&str; 14] = [
    include_str!("../assets/js/dom.js"),
    include_str!("../assets/js/format.js"),
    include_str!("../assets/js/theme.js"),
    include_str!("../assets/js/card.js"),
    include_str!("../assets/js/rates.js"),
    include_str!("../assets/js/robustness.js"),
    include_str!("../assets/js/schedules.js"),
    include_str!("../assets/js/parameters.js"),
    include_str!("../assets/js/curves.js"),
    include_str!("../assets/js/workers.js"),
    include_str!("../assets/js/budget.js"),
    include_str!("../assets/js/chart.js"),
    include_str!("../assets/js/table.js"),
    include_str!("../assets/js/page.js"),
];

/// The style sheet, with the palette's colours as variables.
pub(crate) fn style() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let hex = |(r, g, b): (u8, u8, u8)| format!("#{r:02x}{g:02x}{b:02x}");
        let variable = |(place, colour): (usize, &lehr_report::Colour)| {
            format!("--series-{place}:light-dark({},{});", hex(colour.rgb), hex(colour.dark))
        };
        let colours: String = PALETTE.iter().enumerate().map(variable).collect();
        format!(":root{{{colours}}}\n{STYLE}")
    })
}

/// The scripts as one, in a scope of their own, and with the script that starts the page at their end.
pub(crate) fn script(start: &str) -> String {
    let mut text = String::from("(() => {\n\"use strict\";\n");
    for part in SCRIPTS.iter().chain([&start]) {
        text.push_str(part);
        text.push('\n');
    }
    text + "})();\n"
}

/// The script of the live page.
#[cfg(feature = "serve")]
pub(crate) fn live_script() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        script(concat!(include_str!("../assets/js/enqueue.js"), include_str!("../assets/js/live.js")))
    })
}

/// How a content security policy names a text that may stand in the page.
pub(crate) fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

//! Makes the charting library that the page embeds: the used parts of Apache ECharts, bundled and minified.
//!
//! Neither building nor testing Lehr needs this: the result lies in the repository. Versions and hashes of the packages are
//! pinned in `xtask/charts/package-lock.json`, which npm checks; needs npm.
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Args;

use crate::root;

/// What to do.
#[derive(Args)]
pub struct ChartsArgs {
    /// Change nothing; say whether the file is what the packages make
    #[arg(long)]
    check: bool,
}

const BANNER: &str = "/*! Parts of Apache ECharts 6.1.0 (Apache-2.0), with zrender (BSD-3-Clause), d3 (BSD-3-Clause) and tslib (0BSD): \
     echarts.LICENSE. Made by `cargo xtask charts`; do not edit. */";

/// Licence texts, in the order in which they are joined.
const LICENCES: [(&str, &str); 5] = [
    ("Apache ECharts: notice", "echarts/NOTICE"),
    ("Apache ECharts: licence", "echarts/LICENSE"),
    ("d3.js, parts of which are in Apache ECharts", "echarts/licenses/LICENSE-d3"),
    ("zrender", "zrender/LICENSE"),
    ("tslib", "tslib/LICENSE.txt"),
];

/// Installs the pinned packages, bundles them and writes the file and its licences. False if `--check` found a difference.
pub fn run(args: &ChartsArgs) -> Result<bool, String> {
    let source = root::repository().join("xtask/charts");
    let work = root::build_dir()?.join("charts");
    fs::create_dir_all(&work).map_err(|why| format!("cannot create {}: {why}", work.display()))?;
    for name in ["package.json", "package-lock.json", "entry.js"] {
        fs::copy(source.join(name), work.join(name)).map_err(|why| format!("cannot copy {name}: {why}"))?;
    }
    // Scripts of packages are not run; the bundler is called by its own program file.
    execute(&work, "npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])?;
    let bundle = format!("--banner:js={BANNER}");
    execute(
        &work,
        "node",
        &[
            "node_modules/esbuild/bin/esbuild",
            "entry.js",
            "--bundle",
            "--minify",
            "--format=iife",
            "--global-name=echarts",
            "--target=es2020",
            "--legal-comments=none",
            "--define:process.env.NODE_ENV=\"production\"",
            "--log-level=warning",
            &bundle,
            "--outfile=echarts.js",
        ],
    )?;
    let mut licences = String::new();
    for (title, path) in LICENCES {
        let text = read(&work.join("node_modules").join(path))?;
        licences += &format!("{title}\n{}\n\n{}\n\n\n", "=".repeat(title.len()), text.trim());
    }
    let made = [("echarts.js", read(&work.join("echarts.js"))?), ("echarts.LICENSE", licences)];
    let mut fresh = true;
    for (name, text) in made {
        let path = root::repository().join("crates/page/assets").join(name);
        let same = fs::read_to_string(&path).is_ok_and(|before| before == text);
        fresh &= same;
        println!("{} {name}, {} kB", if same { " " } else { "*" }, text.len() / 1000);
        if !args.check {
            fs::write(&path, text).map_err(|why| format!("cannot write {}: {why}", path.display()))?;
        }
    }
    Ok(fresh || !args.check)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|why| format!("cannot read {}: {why}", path.display()))
}

fn execute(folder: &Path, program: &str, arguments: &[&str]) -> Result<(), String> {
    let status = Command::new(program).args(arguments).current_dir(folder).status();
    match status.map_err(|why| format!("cannot start {program}: {why}; install Node.js with npm"))?.success()
    {
        true => Ok(()),
        false => Err(format!("{program} {} failed", arguments.first().unwrap_or(&""))),
    }
}

//! Checks the documentation: every page is listed in the summary, every crate is named on the architecture page, and
//! every relative link leads somewhere.
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::root;
use crate::step::Tally;

/// Checks every Markdown file of the repository's root and of `docs`, and the book's summary.
pub fn check() -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut report = |what: &Path, faults: Vec<String>| {
        let shown = what.strip_prefix(root::repository()).unwrap_or(what).display().to_string();
        for fault in &faults {
            println!("{shown}: {fault}");
        }
        tally += Tally::one(faults.is_empty());
    };
    let book = root::repository().join("docs/src");
    let summary = book.join("SUMMARY.md");
    report(&summary, faults_of_summary(&summary, &book)?);
    let architecture = book.join("architecture.md");
    report(&architecture, unnamed_crates(&read(&architecture)?, &root::repository().join("crates"))?);
    for page in pages()? {
        report(&page, faults_of_page(&page)?);
    }
    Ok(tally)
}

/// The Markdown files of the repository's root and of `docs`.
pub fn pages() -> Result<Vec<PathBuf>, String> {
    let root = root::repository();
    let mut found = markdown_in(root, false)?;
    found.extend(markdown_in(&root.join("docs"), true)?);
    Ok(found)
}

/// Markdown files in a folder, sorted; built books are left out.
fn markdown_in(dir: &Path, deep: bool) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(dir).map_err(|why| format!("cannot read {}: {why}", dir.display()))?;
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && deep && !path.ends_with("docs/book") {
            found.extend(markdown_in(&path, deep)?);
        } else if path.is_file() && path.extension() == Some("md".as_ref()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn faults_of_summary(summary: &Path, book: &Path) -> Result<Vec<String>, String> {
    let listed: BTreeSet<PathBuf> = links(&read(summary)?).iter().map(|link| book.join(link)).collect();
    let mut faults = Vec::new();
    for page in markdown_in(book, true)? {
        if page != *summary && !listed.contains(&page) {
            faults.push(format!("does not list {}", page.strip_prefix(book).unwrap_or(&page).display()));
        }
    }
    Ok(faults)
}

/// Crates that the architecture page does not name.
fn unnamed_crates(architecture: &str, crates: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(crates).map_err(|why| format!("cannot read {}: {why}", crates.display()))?;
    let manifests = entries.flatten().map(|entry| entry.path()).filter(|dir| dir.join("Cargo.toml").exists());
    let names = manifests.filter_map(|dir| Some(format!("`crates/{}`", dir.file_name()?.to_string_lossy())));
    Ok(names
        .filter(|name| !architecture.contains(name.as_str()))
        .map(|name| format!("does not name {name}"))
        .collect())
}

fn faults_of_page(page: &Path) -> Result<Vec<String>, String> {
    let dir = page.parent().unwrap_or(page);
    let mut faults = Vec::new();
    for link in links(&read(page)?) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) =
            link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
        let target = if file.is_empty() { page.to_path_buf() } else { dir.join(file) };
        if !target.exists() {
            faults.push(format!("the link `{link}` leads nowhere"));
        } else if let Some(anchor) = anchor
            && target.extension() == Some("md".as_ref())
            && !headings(&read(&target)?).contains(anchor)
        {
            faults.push(format!("the link `{link}` names a heading that is not there"));
        }
    }
    Ok(faults)
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|why| format!("cannot read {}: {why}", file.display()))
}

/// The lines of a Markdown text that are not in a fenced block of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The targets of the links `[…](target)` outside of code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        // Every second piece between backticks is code.
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
        let mut rest = plain.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, after)) = after.split_once(')') else { break };
            found.push(target.split_whitespace().next().unwrap_or_default().to_owned());
            rest = after;
        }
    }
    found
}

/// The anchors of a page's headings, as mdBook and GitHub make them.
fn headings(text: &str) -> BTreeSet<String> {
    prose(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_outside_of_code() {
        let text = "a [b](c.md#d) and ![e](f.svg \"g\"), `[h](i)`\n```\n[j](k)\n```\n[l](m)";
        assert_eq!(links(text), ["c.md#d", "f.svg", "m"]);
    }

    #[test]
    fn headings_become_anchors() {
        let found = headings("# First and last\n```\n# code\n```\n## 1−√, `fill` & more\n");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["1-fill--more", "first-and-last"]);
    }

    #[test]
    fn a_dead_link_and_an_unlisted_page_are_faults() {
        let dir = std::env::temp_dir().join(format!("lehr-links-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let summary = dir.join("SUMMARY.md");
        fs::write(&summary, "- [A](a.md)").unwrap();
        fs::write(dir.join("a.md"), "# Here\n[x](b.md) [y](b.md#there) [z](#here) [w](#gone) [n](none.md)")
            .unwrap();
        fs::write(dir.join("b.md"), "# There").unwrap();
        fs::create_dir_all(dir.join("crates/x")).unwrap();
        fs::write(dir.join("crates/x/Cargo.toml"), "").unwrap();
        assert_eq!(unnamed_crates("", &dir.join("crates")).unwrap(), ["does not name `crates/x`"]);
        assert!(unnamed_crates("| `crates/x` |", &dir.join("crates")).unwrap().is_empty());
        let of_summary = faults_of_summary(&summary, &dir).unwrap();
        let of_page = faults_of_page(&dir.join("a.md")).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(of_summary, ["does not list b.md"]);
        assert_eq!(
            of_page,
            ["the link `#gone` names a heading that is not there", "the link `none.md` leads nowhere"]
        );
    }
}

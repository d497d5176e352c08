//! Makes what the documentation shows: pictures and output of the program.
//!
//! A page says how each came about, in a comment above it, and the command runs in the page's folder:
//!
//! ```text
//! <!-- picture: lehr schedule compare cosine linear --steps 1000 -o img/name.svg -->
//! <!-- output: lehr schedule check cosine --steps 1000 -->
//! ```
//!
//! A picture is the file after `-o`; output replaces what stands in the next fenced block.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::{links, root};

/// What to make.
#[derive(Args)]
pub struct PicturesArgs {
    /// Only commands that contain this text
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Change nothing; name what is not as the program makes it now
    #[arg(long)]
    check: bool,
}

/// Runs the commands of all pages. False if `--check` found something out of date.
pub fn run(args: &PicturesArgs) -> Result<bool, String> {
    let built = root::cargo().args(["build", "--quiet", "-p", "lehr-cli"]).status();
    if !built.map_err(|why| format!("cannot start cargo: {why}"))?.success() {
        return Err("cargo cannot build the program".into());
    }
    // What commands leave there (`--out target/pictures/…`) must not outlive a change of the program.
    let leavings = root::repository().join("target/pictures");
    if leavings.exists() {
        fs::remove_dir_all(&leavings)
            .map_err(|why| format!("cannot remove {}: {why}", leavings.display()))?;
    }
    let (mut made, mut stale) = (0, 0);
    for page in links::pages()? {
        let text =
            fs::read_to_string(&page).map_err(|why| format!("cannot read {}: {why}", page.display()))?;
        let mut new = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((wish, after)) = next_wish(rest) {
            let before = &rest[..rest.len() - after.len()];
            new.push_str(before);
            rest = after;
            if !wish.command.contains(&args.only) {
                continue;
            }
            made += 1;
            let fresh = match wish.kind {
                Kind::Picture => picture(&wish.command, &page, args.check),
                Kind::Output => output(&wish.command, &page, rest).map(|(block, after, fresh)| {
                    new.push_str(&block);
                    rest = after;
                    fresh
                }),
            }
            .map_err(|why| format!("{}: `{}`: {why}", shown(&page), wish.command))?;
            stale += usize::from(!fresh);
            println!("{} {}: {}", if fresh { " " } else { "*" }, shown(&page), wish.command);
        }
        new.push_str(rest);
        if new != text && !args.check {
            fs::write(&page, new).map_err(|why| format!("cannot write {}: {why}", page.display()))?;
        }
    }
    let done = if args.check { "out of date" } else { "changed" };
    println!("{made} made, {stale} {done}");
    Ok(!args.check || stale == 0)
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Picture,
    Output,
}

/// A command that a page names.
#[derive(PartialEq, Debug)]
struct Wish {
    kind: Kind,
    command: String,
}

/// The first command of a text, and what follows its comment.
fn next_wish(text: &str) -> Option<(Wish, &str)> {
    let kinds = [("<!-- picture:", Kind::Picture), ("<!-- output:", Kind::Output)];
    // Only at the beginning of a line, so that a page can speak of the comments.
    let find = |(start, kind): (&str, Kind)| {
        let places = text.match_indices(start).map(|(i, _)| i);
        let first = places.into_iter().find(|i| *i == 0 || text[..*i].ends_with('\n'))?;
        Some((first, first + start.len(), kind))
    };
    let (_, start, kind) = kinds.into_iter().filter_map(find).min_by_key(|(place, ..)| *place)?;
    let length = text[start..].find("-->")?;
    let command = text[start..start + length].split_whitespace().collect::<Vec<_>>().join(" ");
    Some((Wish { kind, command }, &text[start + length + 3..]))
}

/// Makes a picture; whether it is what was there.
fn picture(command: &str, page: &Path, check: bool) -> Result<bool, String> {
    let mut words = words(command)?;
    let place = words.iter().position(|word| word == "-o" || word == "--output").map(|i| i + 1);
    let name = place.and_then(|i| words.get_mut(i)).ok_or("says no file: add -o img/NAME.svg")?;
    let folder = page.parent().ok_or("the page lies in no folder")?;
    let file = folder.join(&*name);
    let before = fs::read(&file).ok();
    let mut written = file.clone();
    if check {
        let ending = file.extension().unwrap_or_default().to_string_lossy();
        written = root::build_dir()?.join(format!("picture-check.{ending}"));
        *name = written.display().to_string();
    } else if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|why| format!("cannot create {}: {why}", folder.display()))?;
    }
    execute(&words, folder)?;
    let after = fs::read(&written).map_err(|why| format!("made no {}: {why}", written.display()))?;
    Ok(before == Some(after))
}

/// The fenced block after a comment with new content, what follows it, and whether it is what was there.
fn output<'a>(command: &str, page: &Path, rest: &'a str) -> Result<(String, &'a str, bool), String> {
    let missing = "no fenced block (```) follows the comment";
    let open = rest.find("```").filter(|i| rest[..*i].trim().is_empty()).ok_or(missing)?;
    let body = open + rest[open..].find('\n').ok_or(missing)? + 1;
    // From the newline before the body, since the body may be empty.
    let close = body + rest[body - 1..].find("\n```").ok_or("the fenced block does not end")?;
    let new = execute(&words(command)?, page.parent().ok_or("the page lies in no folder")?)?;
    let fresh = new == rest[body..close];
    Ok((format!("{}{new}", &rest[..body]), &rest[close..], fresh))
}

/// Runs `lehr …` in a folder; what it prints.
fn execute(words: &[String], folder: &Path) -> Result<String, String> {
    let Some(("lehr", arguments)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) else {
        return Err("does not begin with `lehr`".into());
    };
    let program: PathBuf = root::built("lehr")?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("COLUMNS", "100").env("NO_COLOR", "1");
    let output = command.output().map_err(|why| format!("cannot start: {why}"))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(format!("{}\n{}", output.status, text(output.stderr))),
    }
}

/// The words of a command line; single and double quotes keep blanks.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(q) if q == c => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match quote {
        Some(quote) => Err(format!("a {quote} is not closed")),
        None => Ok(words),
    }
}

fn shown(page: &Path) -> std::path::Display<'_> {
    page.strip_prefix(root::repository()).unwrap_or(page).display()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_found_at_the_beginning_of_lines() {
        let text = "a `<!-- picture: no -->`\n<!-- output: lehr b\n  --steps 1 -->\n```\nold\n```\n<!-- picture: c -->";
        let (wish, rest) = next_wish(text).unwrap();
        assert_eq!(wish, Wish { kind: Kind::Output, command: "lehr b --steps 1".into() });
        assert_eq!(next_wish(rest).unwrap().0.command, "c");
        assert_eq!(next_wish("<!-- picture: not closed"), None);
    }

    #[test]
    fn fenced_blocks_are_found_even_if_empty() {
        let page = Path::new("page.md");
        let why = |rest| output("ls", page, rest).unwrap_err();
        assert!(why("\n```text\n```\n").contains("does not begin with `lehr`"));
        assert!(why("\n```\na\nb\n```\n").contains("does not begin with `lehr`"));
        assert!(why("\n```text\nno end").contains("does not end"));
        assert!(why("\nwords\n```text\n```\n").contains("no fenced block"));
    }

    #[test]
    fn words_keep_what_is_quoted() {
        assert_eq!(words("lehr 'a, b' \"c'd\" '' e").unwrap(), ["lehr", "a, b", "c'd", "", "e"]);
        assert!(words("lehr 'a").is_err());
    }
}

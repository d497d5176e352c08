//! The logs of runs.
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes of a log that are shown, from its end.
const SHOWN: u64 = 64 * 1024;
/// What a log may be called: a database could name any file.
const ENDINGS: [&str; 4] = ["log", "txt", "out", "err"];

/// The end of a log, or why it is not shown. Only files in `folder` are.
pub(super) fn tail(folder: &Path, path: &str) -> Result<String, String> {
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str()).unwrap_or("");
    if !ENDINGS.contains(&ending) {
        return Err(format!("{path} does not end in .log, .txt, .out or .err: it is not shown"));
    }
    let missing = |error: std::io::Error| format!("{path} cannot be read here: {error}");
    let folder =
        folder.canonicalize().map_err(|error| format!("the folder of logs cannot be read: {error}"))?;
    let real = folder.join(path).canonicalize().map_err(missing)?;
    if !real.starts_with(&folder) {
        return Err(format!("{path} lies outside of the folder of logs: start `lehr serve` with --logs"));
    }
    let mut file = File::open(&real).map_err(missing)?;
    let about = file.metadata().map_err(missing)?;
    if !about.is_file() {
        return Err(format!("{path} is no file"));
    }
    let from = about.len().saturating_sub(SHOWN);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from))
        .and_then(|_| file.take(SHOWN).read_to_end(&mut bytes))
        .map_err(missing)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(if from > 0 { format!("… the first {from} bytes are left out\n{text}") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_logs_in_the_folder_are_read() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("logs");
        fs::create_dir_all(folder.join("a")).unwrap();
        fs::write(folder.join("a/log.txt"), "<b>hello</b>").unwrap();
        fs::write(folder.join("secret.pem"), "key").unwrap();
        fs::write(outside.path().join("other.txt"), "secret").unwrap();
        assert_eq!(tail(&folder, "a/log.txt").unwrap(), "<b>hello</b>");
        let absolute = folder.join("a/log.txt");
        assert_eq!(tail(&folder, absolute.to_str().unwrap()).unwrap(), "<b>hello</b>");
        for bad in [
            "../other.txt",
            "a/../../other.txt",
            "/etc/passwd",
            "secret.pem",
            "a",
            "missing.txt",
            "",
            "a/log.txt\0",
        ] {
            assert!(tail(&folder, bad).is_err(), "{bad}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(outside.path().join("other.txt"), folder.join("link.txt")).unwrap();
            assert!(tail(&folder, "link.txt").is_err(), "a link out of the folder");
        }
    }

    #[test]
    fn of_a_long_log_the_end_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("l.log"), "x".repeat(200_000) + "end").unwrap();
        let text = tail(folder.path(), "l.log").unwrap();
        assert!(text.ends_with("end") && text.len() < 70_000 && text.starts_with('…'));
    }
}

//! URLs of storages.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::error::StudyError;
use crate::sql::Database;
use crate::sql::postgresql::PostgreSql;
use crate::sql::sqlite::Sqlite;
use crate::storage::Storage;

/// How a storage is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Whether a database that does not exist is made.
    pub create: bool,
    /// How long to wait for a lock, and for a lost connection to come back.
    pub patience: Duration,
}

impl Default for OpenOptions {
    /// Makes what does not exist, waits for a minute.
    fn default() -> Self {
        OpenOptions { create: true, patience: Duration::from_secs(60) }
    }
}

/// What a URL means.
#[derive(Debug, PartialEq)]
enum Location {
    Memory,
    File(PathBuf),
    Server(String),
}

/// Opens a storage, making it where it does not exist: `memory:`, `sqlite:///relative.db`, `sqlite:////absolute.db`, a path
/// that ends in `.db`, or `postgresql://user:password@host:port/database`.
///
/// A database of Optuna 5 is opened as it is; tables of Lehr's own (`lehr_…`) are added to it.
pub fn open(url: &str) -> Result<Box<dyn Storage>, StudyError> {
    open_with(url, &OpenOptions::default())
}

/// Opens a storage as told by the options.
pub fn open_with(url: &str, options: &OpenOptions) -> Result<Box<dyn Storage>, StudyError> {
    Ok(match open_database(url, options)? {
        Opened::Sqlite(database) => database,
        Opened::Server(database) => database,
    })
}

/// A database that is open.
pub(crate) enum Opened {
    Sqlite(Box<Database<Sqlite>>),
    Server(Box<Database<PostgreSql>>),
}

pub(crate) fn open_database(url: &str, options: &OpenOptions) -> Result<Opened, StudyError> {
    let shown = without_password(url);
    Ok(match read(url)? {
        Location::Memory => {
            let memory = Sqlite::in_memory(options)?;
            Opened::Sqlite(Box::new(Database::new(memory, "memory:".into())))
        }
        Location::File(path) => {
            let file = Sqlite::open(&path, &shown, options)?;
            Opened::Sqlite(Box::new(Database::new(file, shown)))
        }
        Location::Server(url) => {
            let server = PostgreSql::open(&url, &shown, options)?;
            Opened::Server(Box::new(Database::new(server, shown)))
        }
    })
}

/// Opens a storage for several owners; see [`open`].
pub fn open_shared(url: &str) -> Result<Arc<dyn Storage>, StudyError> {
    open(url).map(Arc::from)
}

fn read(url: &str) -> Result<Location, StudyError> {
    let wrong = |message: &str| Err(StudyError::Url { url: without_password(url), message: message.into() });
    let file = |path: &str| match path {
        "" | ":memory:" => Location::Memory,
        path => Location::File(PathBuf::from(path)),
    };
    if url.contains('\0') {
        return wrong("it contains a NUL character");
    }
    let Some((scheme, rest)) = url.split_once(':') else {
        return if url.is_empty() {
            wrong("it is empty")
        } else if is_database_path(url) {
            Ok(file(url))
        } else {
            wrong("it has no scheme and does not end in .db")
        };
    };
    // `postgresql+psycopg2` and its like, as SQLAlchemy has them: the driver is ours to choose.
    match scheme.split('+').next().unwrap_or_default() {
        "memory" if rest.is_empty() => Ok(Location::Memory),
        "memory" => wrong("nothing may follow memory:"),
        "sqlite" if rest.contains('?') => wrong("options after ? are not known here"),
        "sqlite" => match rest.strip_prefix("///") {
            Some(path) => Ok(file(path)),
            None if rest == "//" => Ok(Location::Memory),
            None => wrong("three slashes must follow sqlite:, four before an absolute path"),
        },
        "postgresql" | "postgres" => Ok(Location::Server(format!("postgresql:{rest}"))),
        "mysql" | "mariadb" => wrong("MySQL is not supported"),
        _ if is_database_path(url) && !rest.starts_with("//") => Ok(file(url)),
        scheme => wrong(&format!("the scheme '{scheme}' is not known")),
    }
}

fn is_database_path(text: &str) -> bool {
    let ending = Path::new(text).extension().and_then(|e| e.to_str()).unwrap_or_default();
    ["db", "sqlite", "sqlite3"].contains(&ending)
}

/// The URL with its password replaced by `***`.
pub(crate) fn without_password(url: &str) -> String {
    let mut shown = url.to_owned();
    if let Some(start) = url.find("://").map(|i| i + 3) {
        let authority = url[start..].find('/').map_or(url.len(), |i| start + i);
        // A password may hold a slash or an @ by mistake: the last @ decides, so that nothing of it is shown.
        let at = url[start..].rfind('@').map_or(start, |i| start + i);
        if let Some(colon) = url[start..at.max(authority.min(at))].find(':').map(|i| start + i) {
            shown.replace_range(colon + 1..at, "***");
        }
    }
    if let Some(start) = shown.find("password=").map(|i| i + "password=".len()) {
        let end = shown[start..].find(['&', ' ']).map_or(shown.len(), |i| start + i);
        shown.replace_range(start..end, "***");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let path = |p: &str| Location::File(p.into());
        for (url, location) in [
            ("memory:", Location::Memory),
            ("sqlite://", Location::Memory),
            ("sqlite:///:memory:", Location::Memory),
            ("sqlite:///lehr.db", path("lehr.db")),
            ("sqlite:////tmp/a b.db", path("/tmp/a b.db")),
            ("folder/x.db", path("folder/x.db")),
            ("C:\\folder\\x.db", path("C:\\folder\\x.db")),
            ("postgres://h/d", Location::Server("postgresql://h/d".into())),
            ("postgresql+psycopg2://u:p@h/d", Location::Server("postgresql://u:p@h/d".into())),
        ] {
            assert_eq!(read(url).unwrap(), location, "{url}");
        }
        for url in [
            "",
            "lehr",
            "sqlite:lehr.db",
            "sqlite:///a.db?x=1",
            "mysql://h/d",
            "ftp://x/y.db",
            "memory:x",
            "a\0.db",
        ] {
            let message = read(url).unwrap_err().to_string();
            assert!(message.contains("sqlite:///file.db"), "{message}");
        }
    }

    #[test]
    fn passwords_are_never_shown() {
        for (url, shown) in [
            ("postgresql://u:secret@h:5432/d", "postgresql://u:***@h:5432/d"),
            ("postgresql://u:sec@re/t:@h/d", "postgresql://u:***@h/d"),
            ("postgresql://u@h:5432/d", "postgresql://u@h:5432/d"),
            ("postgresql://h:5432/d", "postgresql://h:5432/d"),
            ("postgresql://h/d?user=u&password=secret&x=1", "postgresql://h/d?user=u&password=***&x=1"),
            ("sqlite:///a.db", "sqlite:///a.db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}

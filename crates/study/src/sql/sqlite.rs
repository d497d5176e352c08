//! SQLite: one file, or memory.
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};

use super::driver::{Arg, Body, Cell, Driver, Each, Kind, Row, Tx, Words};
use super::schema;
use crate::error::StudyError;
use crate::location::OpenOptions;
use crate::time;

const WORDS: Words = Words(&[
    ("{lock}", ""),
    // What fails undoes its transaction, so a statement need not keep what it would take to undo it alone: 64 kB from the system
    // each time.
    ("{or fail}", "OR FAIL"),
    ("{skip locked}", ""),
    ("{now}", "strftime('%Y-%m-%d %H:%M:%f000', 'now')"),
    ("{age}", "(julianday('now') - julianday(h.heartbeat)) * 86400.0"),
    ("{serial}", "INTEGER NOT NULL PRIMARY KEY"),
    ("{time}", "DATETIME"),
    ("{owned by trials}", ""),
    ("{owned by lehr_runs}", ""),
    ("{owned by studies}", ""),
]);

/// What the server does by itself through foreign keys. Optuna, which deletes studies, leaves those of SQLite off.
const TRIGGERS: &str = "
CREATE TRIGGER IF NOT EXISTS lehr_trial_gone AFTER DELETE ON trials
    BEGIN DELETE FROM lehr_runs WHERE trial_id = old.trial_id; END;
CREATE TRIGGER IF NOT EXISTS lehr_run_gone AFTER DELETE ON lehr_runs
    BEGIN DELETE FROM lehr_reports WHERE run_id = old.run_id; END;
CREATE TRIGGER IF NOT EXISTS lehr_study_gone AFTER DELETE ON studies
    BEGIN DELETE FROM lehr_workers WHERE study_id = old.study_id; END;
";

/// A connection to SQLite.
pub(crate) struct Sqlite {
    connection: Connection,
    url: String,
    patience: Duration,
    /// Whether the file is in write-ahead mode, where an ordinary commit need not wait for the disk.
    ahead: bool,
    /// Whether commits wait for the disk now.
    full: bool,
    /// When a commit last waited for the disk, and took all the earlier ones with it.
    safe: Option<Instant>,
}

/// The page of a new file, in bytes. A trial touches some twenty pages, each of which goes to the log as a whole, in two calls of
/// the system: SQLite's own pages of 4096 are more bytes to wait for, smaller ones split more often.
const PAGE: i64 = 2048;
/// How long the write-ahead log grows, in bytes, before it is copied into the file and written anew from its beginning; SQLite's
/// own 1000 pages of 4096. Each time costs three waits for the disk.
const LOG: i64 = 4_096_000;

/// How long commits that need not wait for the disk may pile up before one does.
const LAPSE: Duration = Duration::from_millis(900);

impl Sqlite {
    pub(crate) fn in_memory(options: &OpenOptions) -> Result<Self, StudyError> {
        let connection = Connection::open_in_memory().map_err(|e| failure("memory:", "opening", 0, &e))?;
        let mut sqlite = Sqlite {
            connection,
            url: "memory:".into(),
            patience: options.patience,
            ahead: false,
            full: true,
            safe: None,
        };
        sqlite.prepare()?;
        Ok(sqlite)
    }

    pub(crate) fn open(path: &Path, url: &str, options: &OpenOptions) -> Result<Self, StudyError> {
        if !options.create && !path.exists() {
            return Err(StudyError::Missing { url: url.into() });
        }
        let cannot = |e: rusqlite::Error| StudyError::Open { url: url.into(), message: e.to_string() };
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_READ_WRITE;
        let made = if options.create { OpenFlags::SQLITE_OPEN_CREATE } else { OpenFlags::empty() };
        let connection = Connection::open_with_flags(path, flags | made).map_err(cannot)?;
        let mut sqlite = Sqlite {
            connection,
            url: url.into(),
            patience: options.patience,
            ahead: false,
            full: true,
            safe: None,
        };
        sqlite.prepare()?;
        Ok(sqlite)
    }

    fn prepare(&mut self) -> Result<(), StudyError> {
        let wrong = |sqlite: &Self, e: rusqlite::Error| {
            failure(&sqlite.url, "opening", sqlite.patience.as_secs(), &e)
        };
        self.connection.busy_timeout(self.patience).map_err(|e| wrong(self, e))?;
        self.connection.set_prepared_statement_cache_capacity(256);
        // Plans do not depend on the values that are bound, or each statement would be compiled anew for each trial.
        self.connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            // Off as in Optuna: statements look for what they belong to themselves, and triggers follow deletions.
            .and_then(|_| self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false))
            .map_err(|e| wrong(self, e))?;
        // Is it ours? That is asked before anything is changed.
        let mut fresh = false;
        let url = self.url.clone();
        self.transaction(Kind::Read, "opening", &mut |tx| {
            fresh = schema::check(tx, &url, "SELECT name FROM sqlite_master WHERE type = 'table'")?;
            Ok(())
        })?;
        let read_only = self.connection.is_readonly("main").map_err(|e| wrong(self, e))?;
        if read_only {
            return self.stand_in(fresh);
        }
        if fresh {
            self.connection.pragma_update(None, "page_size", PAGE).map_err(|e| wrong(self, e))?;
        }
        // It stays as it is where another process has it open in another mode, or the folder allows no second file.
        let mode: Result<String, _> =
            self.connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        self.ahead = mode.is_ok_and(|mode| mode == "wal");
        self.limit_log().map_err(|e| wrong(self, e))?;
        if fresh || !self.is_complete()? {
            self.transaction(Kind::Durable, "making the tables", &mut |tx| {
                let optuna = include_str!("schema/sqlite.sql").split_inclusive(";\n");
                schema::make(tx, optuna, TRIGGERS.split_inclusive("END;\n"))
            })?;
        }
        Ok(())
    }

    fn limit_log(&self) -> Result<(), rusqlite::Error> {
        let page: i64 = self.connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        self.connection.pragma_update(None, "wal_autocheckpoint", LOG / page.max(512))
    }

    /// Whether Lehr's tables are there.
    fn is_complete(&self) -> Result<bool, StudyError> {
        let sql = "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('lehr_runs', 'lehr_reports', 'lehr_workers', 'lehr_study_gone')";
        let count: i64 = self
            .connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(|e| failure(&self.url, "opening", 0, &e))?;
        Ok(count == 4)
    }

    /// A file that cannot be written and lacks Lehr's tables gets empty ones in memory, so that it can be read.
    fn stand_in(&mut self, fresh: bool) -> Result<(), StudyError> {
        if fresh {
            return Err(StudyError::ReadOnly { url: self.url.clone() });
        }
        if !self.is_complete()? {
            let tables = include_str!("schema/lehr.sql").split_inclusive(";\n");
            for sql in tables.filter(|sql| sql.starts_with("CREATE TABLE")) {
                let sql = WORDS.put(sql).replacen("CREATE TABLE", "CREATE TEMP TABLE", 1);
                self.connection.execute(&sql, []).map_err(|e| failure(&self.url, "opening", 0, &e))?;
            }
        }
        Ok(())
    }

    fn set_full(&mut self, full: bool) -> Result<(), rusqlite::Error> {
        if full != self.full {
            let value = if full { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", value)?;
            self.full = full;
        }
        Ok(())
    }
}

impl Driver for Sqlite {
    fn transaction(&mut self, kind: Kind, doing: &str, body: Body<'_>) -> Result<(), StudyError> {
        let (url, seconds) = (self.url.clone(), self.patience.as_secs());
        let wrong = |e: rusqlite::Error| failure(&url, doing, seconds, &e);
        let due = kind != Kind::Read && self.safe.is_none_or(|safe| safe.elapsed() >= LAPSE);
        let full = kind == Kind::Durable || due || !self.ahead;
        self.set_full(full).map_err(wrong)?;
        let begin = if kind == Kind::Read { "BEGIN" } else { "BEGIN IMMEDIATE" };
        self.connection.prepare_cached(begin).and_then(|mut s| s.execute([])).map_err(wrong)?;
        let mut tx = Transaction { connection: &self.connection, url: &url, doing, seconds };
        let done = body(&mut tx).and_then(|()| {
            self.connection
                .prepare_cached("COMMIT")
                .and_then(|mut s| s.execute([]))
                .map_err(wrong)
                .map(|_| ())
        });
        if done.is_err() && !self.connection.is_autocommit() {
            // Where the rollback fails too, the next BEGIN says so.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        if full && kind != Kind::Read && done.is_ok() {
            self.safe = Some(Instant::now());
        }
        done
    }
}

struct Transaction<'c> {
    connection: &'c Connection,
    url: &'c str,
    doing: &'c str,
    seconds: u64,
}

impl Transaction<'_> {
    fn wrong(&self, e: &rusqlite::Error) -> StudyError {
        failure(self.url, self.doing, self.seconds, e)
    }
}

impl ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Arg::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Arg::Int(i) => ToSqlOutput::Borrowed(ValueRef::Integer(*i)),
            Arg::Float(x) => ToSqlOutput::Borrowed(ValueRef::Real(*x)),
            Arg::Text(t) => ToSqlOutput::Borrowed(ValueRef::Text(t.as_bytes())),
            Arg::Time(micros) => ToSqlOutput::from(time::to_text(*micros)),
        })
    }
}

impl Tx for Transaction<'_> {
    fn run(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, StudyError> {
        let changed = self
            .connection
            .prepare_cached(&WORDS.put(sql))
            .and_then(|mut statement| statement.execute(rusqlite::params_from_iter(args)))
            .map_err(|e| self.wrong(&e))?;
        Ok(changed as u64)
    }

    fn add(&mut self, sql: &str, _: &str, args: &[Arg<'_>]) -> Result<i64, StudyError> {
        // RETURNING would do as well, but keeps what it would take to undo the statement alone.
        self.run(sql, args)?;
        Ok(self.connection.last_insert_rowid())
    }

    fn rows(&mut self, sql: &str, args: &[Arg<'_>], each: Each<'_>) -> Result<(), StudyError> {
        let mut statement = self.connection.prepare_cached(&WORDS.put(sql)).map_err(|e| self.wrong(&e))?;
        let mut rows = statement.query(rusqlite::params_from_iter(args)).map_err(|e| self.wrong(&e))?;
        while let Some(row) = rows.next().map_err(|e| self.wrong(&e))? {
            each(&SqliteRow(row))?;
        }
        Ok(())
    }
}

struct SqliteRow<'r>(&'r rusqlite::Row<'r>);

impl Row for SqliteRow<'_> {
    fn cell(&self, column: usize) -> Result<Cell<'_>, StudyError> {
        let odd = |message: &str| StudyError::content(format!("column {column} of a row"), message);
        match self.0.get_ref(column) {
            Ok(ValueRef::Null) => Ok(Cell::Null),
            Ok(ValueRef::Integer(i)) => Ok(Cell::Int(i)),
            Ok(ValueRef::Real(x)) => Ok(Cell::Float(x)),
            Ok(ValueRef::Text(bytes)) => {
                std::str::from_utf8(bytes).map(Cell::Text).map_err(|_| odd("it is not UTF-8"))
            }
            Ok(ValueRef::Blob(_)) => Err(odd("it is binary")),
            Err(why) => Err(odd(&why.to_string())),
        }
    }
}

/// The error of a failed statement.
fn failure(url: &str, doing: &str, seconds: u64, error: &rusqlite::Error) -> StudyError {
    let url = url.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            StudyError::Foreign { url, message: "the file is no SQLite database".into() }
        }
        Some(ErrorCode::ReadOnly) => StudyError::ReadOnly { url },
        Some(ErrorCode::DiskFull) => StudyError::Full { url },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StudyError::Locked { url, seconds },
        Some(ErrorCode::CannotOpen) => StudyError::Open { url, message: error.to_string() },
        _ => StudyError::Database { url, doing: doing.to_owned(), message: error.to_string() },
    }
}

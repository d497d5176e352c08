//! PostgreSQL: a server that many machines share.
use std::collections::HashMap;
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls, SimpleQueryMessage, Statement};

use super::driver::{Arg, Body, Cell, Driver, Each, Kind, Row, Tx, Words};
use super::schema;
use crate::error::StudyError;
use crate::location::OpenOptions;

const WORDS: Words = Words(&[
    ("{lock}", "FOR UPDATE"),
    ("{or fail}", ""),
    ("{skip locked}", "FOR UPDATE SKIP LOCKED"),
    // Optuna writes heartbeats in the time zone of the session.
    ("{now}", "LOCALTIMESTAMP"),
    ("{age}", "EXTRACT(EPOCH FROM (LOCALTIMESTAMP - h.heartbeat))::float8"),
    ("{serial}", "SERIAL PRIMARY KEY"),
    ("{time}", "TIMESTAMP WITHOUT TIME ZONE"),
    ("{owned by trials}", "REFERENCES trials (trial_id) ON DELETE CASCADE"),
    ("{owned by lehr_runs}", "REFERENCES lehr_runs (run_id) ON DELETE CASCADE"),
    ("{owned by studies}", "REFERENCES studies (study_id) ON DELETE CASCADE"),
]);

/// The server's moments count from the year 2000.
const EPOCH: i64 = 946_684_800_000_000;
/// A number of our own for the lock under which the tables are made.
const MAKING: &str = "SELECT pg_advisory_xact_lock(5495148)";

/// What Optuna's own index on the study is by itself in SQLite, whose indexes end in the row's number.
const LAST_TRIALS: &str = "CREATE INDEX IF NOT EXISTS lehr_last_trials ON trials (study_id, trial_id)";

/// A connection to PostgreSQL, made anew when it is lost.
pub(crate) struct PostgreSql {
    config: Config,
    url: String,
    patience: Duration,
    client: Option<Client>,
    statements: HashMap<String, Statement>,
}

/// Why a transaction did not happen.
enum Trouble {
    /// It is known not to have happened, and may go well if it is done again.
    Again(String),
    /// The connection was lost while it was committed: it happened if this transaction did.
    Unknown { transaction: String, message: String },
    /// It did not happen, and will not.
    Final(StudyError),
}

impl PostgreSql {
    pub(crate) fn open(url: &str, shown: &str, options: &OpenOptions) -> Result<Self, StudyError> {
        let wrong = |message: String| StudyError::Url { url: shown.into(), message };
        let mut config: Config = url.parse().map_err(|e: postgres::Error| wrong(reason(&e)))?;
        config.application_name("lehr").connect_timeout(Duration::from_secs(10));
        let mut server = PostgreSql {
            config,
            url: shown.into(),
            patience: options.patience,
            client: None,
            statements: HashMap::new(),
        };
        let cannot = |message: String| StudyError::Open { url: shown.into(), message };
        // A wrong password or a wrong name is told at once; a server that is just starting is waited for.
        server.connect().map_err(|e| cannot(reason(&e)))?;
        let tables =
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()";
        let (mut fresh, mut complete) = (false, false);
        server.transaction(Kind::Read, "opening", &mut |tx| {
            fresh = schema::check(tx, shown, tables)?;
            let count = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND \
                         table_name IN ('lehr_runs', 'lehr_reports', 'lehr_workers')";
            complete = tx.row(count, &[], |row| row.int(0))? == Some(3);
            Ok(())
        })?;
        if fresh && !options.create {
            return Err(StudyError::Missing { url: shown.into() });
        }
        if fresh || !complete {
            server.transaction(Kind::Durable, "making the tables", &mut |tx| {
                tx.run(MAKING, &[])?;
                let (types, optuna) =
                    include_str!("schema/postgresql.sql").split_once("END $$;\n").unwrap_or(("", ""));
                let types = format!("{types}END $$");
                schema::make(
                    tx,
                    std::iter::once(types.as_str()).chain(optuna.split_inclusive(";\n")),
                    std::iter::once(LAST_TRIALS),
                )
            })?;
        }
        Ok(server)
    }

    fn connect(&mut self) -> Result<(), postgres::Error> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.statements.clear();
            self.client = Some(self.config.connect(NoTls)?);
        }
        Ok(())
    }

    fn attempt(&mut self, kind: Kind, doing: &str, body: Body<'_>) -> Result<(), Trouble> {
        let again = |e: postgres::Error| Trouble::Again(reason(&e));
        self.connect()
            .map_err(|e| if passes(&e) { again(e) } else { Trouble::Final(self.failure(doing, &e)) })?;
        let (url, statements) = (&self.url, &mut self.statements);
        let Some(client) = &mut self.client else { return Err(Trouble::Again("not connected".into())) };
        let begin = match kind {
            Kind::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            // Reports are written once a second at most, so they wait for the disk like everything else.
            Kind::Write | Kind::Durable => "BEGIN; SELECT txid_current()",
        };
        let started = client.simple_query(begin).map_err(again)?;
        let mut tx = Transaction { client, statements, url, doing, lost: None };
        if let Err(error) = body(&mut tx) {
            let lost = tx.lost.take();
            let rolled_back = client.batch_execute("ROLLBACK");
            return Err(match lost {
                Some(message) => Trouble::Again(message),
                None if rolled_back.is_err() => {
                    self.client = None;
                    Trouble::Final(error)
                }
                None => Trouble::Final(error),
            });
        }
        client.batch_execute("COMMIT").map_err(|e| match (kind, e.code()) {
            (Kind::Read, _) => again(e),
            // The server said no, so it did not happen.
            (_, Some(_)) if passes(&e) && !client.is_closed() => again(e),
            (_, Some(_)) if !client.is_closed() => Trouble::Final(failure(url, doing, &e)),
            _ => Trouble::Unknown { transaction: number(&started), message: reason(&e) },
        })
    }

    /// Whether a transaction of that number was committed; `None` if the server does not say yet.
    fn committed(&mut self, transaction: &str) -> Option<bool> {
        self.connect().ok()?;
        let sql = format!("SELECT txid_status({})", transaction.parse::<u64>().ok()?);
        let rows = self.client.as_mut()?.simple_query(&sql).ok()?;
        match rows.iter().find_map(|m| if let SimpleQueryMessage::Row(row) = m { row.get(0) } else { None }) {
            Some("committed") => Some(true),
            Some("aborted") => Some(false),
            _ => None,
        }
    }

    fn failure(&self, doing: &str, error: &postgres::Error) -> StudyError {
        failure(&self.url, doing, error)
    }
}

/// The number of the transaction in the answer to its beginning.
fn number(answer: &[SimpleQueryMessage]) -> String {
    let rows =
        answer.iter().filter_map(|m| if let SimpleQueryMessage::Row(row) = m { row.get(0) } else { None });
    rows.last().unwrap_or_default().to_owned()
}

impl Driver for PostgreSql {
    fn transaction(&mut self, kind: Kind, doing: &str, body: Body<'_>) -> Result<(), StudyError> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(20);
        let mut unknown: Option<String> = None;
        loop {
            if let Some(transaction) = &unknown {
                match self.committed(transaction) {
                    Some(true) => return Ok(()),
                    Some(false) => unknown = None,
                    None => {}
                }
            }
            let message = if unknown.is_some() {
                "the server does not answer".into()
            } else {
                match self.attempt(kind, doing, body) {
                    Ok(()) => return Ok(()),
                    Err(Trouble::Final(error)) => return Err(error),
                    Err(Trouble::Again(message)) => message,
                    Err(Trouble::Unknown { transaction, message }) => {
                        unknown = Some(transaction);
                        message
                    }
                }
            };
            if start.elapsed() + pause > self.patience {
                let seconds = self.patience.as_secs();
                return Err(StudyError::Disconnected { url: self.url.clone(), seconds, message });
            }
            tracing::warn!(%message, doing, "storage: trying again");
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }
}

/// Whether a failure passes by itself: a lost connection, a server that starts or stops, a deadlock.
fn passes(error: &postgres::Error) -> bool {
    match error.code() {
        // 57P03 cannot connect now, 57P01 and 57P02 shutdown, 53300 too many connections, 40001 and 40P01 conflicts.
        Some(code) => {
            ["57P01", "57P02", "57P03", "53300", "40001", "40P01"].contains(&code.code())
                || code.code().starts_with("08")
        }
        None => error.is_closed() || caused_by_io(error),
    }
}

fn caused_by_io(error: &postgres::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}

/// The words of the server, or of the first cause.
fn reason(error: &postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(db), _) => format!("{} ({})", db.message(), db.code().code()),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}

fn failure(url: &str, doing: &str, error: &postgres::Error) -> StudyError {
    let (url, message) = (url.to_owned(), reason(error));
    match error.code().map(postgres::error::SqlState::code) {
        Some("53100") => StudyError::Full { url },
        Some("25006") => StudyError::ReadOnly { url },
        _ => StudyError::Database { url, doing: doing.to_owned(), message },
    }
}

struct Transaction<'c> {
    client: &'c mut Client,
    statements: &'c mut HashMap<String, Statement>,
    url: &'c str,
    doing: &'c str,
    /// Why the connection was lost, once it was.
    lost: Option<String>,
}

impl Transaction<'_> {
    fn wrong(&mut self, error: &postgres::Error) -> StudyError {
        if passes(error) || self.client.is_closed() {
            self.lost = Some(reason(error));
        }
        failure(self.url, self.doing, error)
    }

    fn prepared(&mut self, sql: &str) -> Result<Statement, StudyError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(&WORDS.put(sql)).map_err(|e| self.wrong(&e))?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Tx for Transaction<'_> {
    fn run(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, StudyError> {
        if args.is_empty() {
            // Without parameters a statement need not be one that can be prepared.
            return self.client.batch_execute(&WORDS.put(sql)).map(|()| 0).map_err(|e| self.wrong(&e));
        }
        let statement = self.prepared(sql)?;
        let args: Vec<&(dyn ToSql + Sync)> = args.iter().map(|a| a as &(dyn ToSql + Sync)).collect();
        self.client.execute(&statement, &args).map_err(|e| self.wrong(&e))
    }

    fn add(&mut self, sql: &str, column: &str, args: &[Arg<'_>]) -> Result<i64, StudyError> {
        let mut id = None;
        self.rows(&format!("{sql} RETURNING {column}"), args, &mut |row| {
            id = Some(row.int(0)?);
            Ok(())
        })?;
        id.ok_or_else(|| StudyError::content("a new row", "it was given no number"))
    }

    fn rows(&mut self, sql: &str, args: &[Arg<'_>], each: Each<'_>) -> Result<(), StudyError> {
        let statement = self.prepared(sql)?;
        match hand_over(self.client, &statement, args, each)? {
            None => Ok(()),
            Some(e) => Err(self.wrong(&e)),
        }
    }
}

/// Hands over the rows of a statement; the inner error is the server's.
fn hand_over(
    client: &mut Client,
    statement: &Statement,
    args: &[Arg<'_>],
    each: Each<'_>,
) -> Result<Option<postgres::Error>, StudyError> {
    let mut rows = match client.query_raw(statement, args.iter().map(|a| a as &(dyn ToSql + Sync))) {
        Ok(rows) => rows,
        Err(e) => return Ok(Some(e)),
    };
    loop {
        match rows.next() {
            Ok(Some(row)) => each(&ServerRow(row))?,
            Ok(None) => return Ok(None),
            Err(e) => return Ok(Some(e)),
        }
    }
}

impl ToSql for Arg<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, ty) {
            (Arg::Null, _) => Ok(IsNull::Yes),
            (Arg::Int(i), &Type::INT2) => i16::try_from(*i)?.to_sql(ty, out),
            (Arg::Int(i), &Type::INT4) => i32::try_from(*i)?.to_sql(ty, out),
            (Arg::Int(i), _) => i.to_sql(ty, out),
            (Arg::Float(x), _) => x.to_sql(ty, out),
            // An enumeration is sent as its name.
            (Arg::Text(t), _) => t.to_sql(&Type::TEXT, out),
            (Arg::Time(micros), _) => (micros - EPOCH).to_sql(&Type::INT8, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

struct ServerRow(postgres::Row);

/// The bytes of a value and its type.
struct Raw<'a>(&'a [u8], Type);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw(raw, ty.clone()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Row for ServerRow {
    fn cell(&self, column: usize) -> Result<Cell<'_>, StudyError> {
        let odd = |message: String| StudyError::content(format!("column {column} of a row"), message);
        let Some(Raw(bytes, ty)) = self.0.try_get(column).map_err(|e| odd(e.to_string()))? else {
            return Ok(Cell::Null);
        };
        let wrong = |e: Box<dyn Error + Sync + Send>| odd(e.to_string());
        Ok(match ty {
            Type::INT2 => Cell::Int(i16::from_sql(&ty, bytes).map_err(wrong)?.into()),
            Type::INT4 => Cell::Int(i32::from_sql(&ty, bytes).map_err(wrong)?.into()),
            Type::INT8 => Cell::Int(i64::from_sql(&ty, bytes).map_err(wrong)?),
            Type::FLOAT4 => Cell::Float(f32::from_sql(&ty, bytes).map_err(wrong)?.into()),
            Type::FLOAT8 => Cell::Float(f64::from_sql(&ty, bytes).map_err(wrong)?),
            Type::TIMESTAMP => Cell::Time(i64::from_sql(&Type::INT8, bytes).map_err(wrong)? + EPOCH),
            _ => Cell::Text(std::str::from_utf8(bytes).map_err(|e| odd(e.to_string()))?),
        })
    }
}

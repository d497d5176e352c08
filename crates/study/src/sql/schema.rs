//! The tables: whether they are Optuna's, and how they are made.
use super::driver::{Arg, Tx};
use crate::error::StudyError;

/// The revision of Optuna's tables that this crate reads and writes.
pub(crate) const REVISION: &str = "v3.2.0.a";
const SCHEMA_VERSION: i64 = 12;
const LIBRARY_VERSION: &str = "5.0.0";

/// Whether the database is empty; an error if it is not one that Lehr or Optuna 5 made.
pub(crate) fn check(tx: &mut dyn Tx, url: &str, list_tables: &str) -> Result<bool, StudyError> {
    let tables = tx.all(list_tables, &[], |row| Ok(row.text(0)?.to_owned()))?;
    let has = |name: &str| tables.iter().any(|t| t == name);
    if tables.is_empty() {
        return Ok(true);
    }
    if !(has("alembic_version") && has("studies") && has("trials")) {
        let some: Vec<&str> = tables.iter().take(5).map(String::as_str).collect();
        let message = format!("it has other tables ({})", some.join(", "));
        return Err(StudyError::Foreign { url: url.into(), message });
    }
    let revision =
        tx.row("SELECT version_num FROM alembic_version", &[], |row| Ok(row.text(0)?.to_owned()))?;
    match revision {
        Some(found) if found == REVISION => Ok(false),
        // Two that make it at the same moment: the tables are there, their version is not yet.
        None if has("version_info") => Ok(true),
        found => {
            let found = found.unwrap_or_else(|| "none".into());
            Err(StudyError::Revision { url: url.into(), found, expected: REVISION })
        }
    }
}

/// Makes the tables that are not there yet.
pub(crate) fn make<'s>(
    tx: &mut dyn Tx,
    optuna: impl Iterator<Item = &'s str>,
    more: impl Iterator<Item = &'s str>,
) -> Result<(), StudyError> {
    let lehr = include_str!("schema/lehr.sql").split_inclusive(";\n");
    for sql in optuna.chain(lehr).chain(more).map(str::trim).filter(|sql| !sql.is_empty()) {
        tx.run(sql, &[])?;
    }
    let version = "INSERT INTO version_info (version_info_id, schema_version, library_version) VALUES (1, $1, $2) \
                   ON CONFLICT DO NOTHING";
    tx.run(version, &[Arg::Int(SCHEMA_VERSION), Arg::Text(LIBRARY_VERSION)])?;
    let revision = "INSERT INTO alembic_version (version_num) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM alembic_version)";
    tx.run(revision, &[Arg::Text(REVISION)])?;
    Ok(())
}

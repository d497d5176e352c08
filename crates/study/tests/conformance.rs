//! The conformance suite over memory, SQLite and PostgreSQL.
#![allow(clippy::unwrap_used, clippy::panic)]
mod common;

use std::sync::Arc;

use lehr_study::{Storage, conformance::check_storage, open_shared};

fn check(open: &dyn Fn() -> Arc<dyn Storage>) {
    let violations = check_storage(open);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn memory_conforms() {
    let storage = open_shared("memory:").unwrap();
    check(&|| storage.clone());
}

#[test]
fn sqlite_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}", folder.path().join("a b'c.db").display());
    check(&|| open_shared(&url).unwrap());
}

#[test]
fn postgresql_conforms() {
    let Some(server) = common::server() else { return };
    check(&|| open_shared(&server.url()).unwrap());
}

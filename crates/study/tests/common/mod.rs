//! What several tests need.
#![allow(dead_code)]
pub mod server;

use server::Server;

/// A PostgreSQL server, or none where it is not installed. Where `LEHR_NEED_POSTGRESQL` is set that is a failure.
pub fn server() -> Option<Server> {
    match Server::start() {
        Ok(server) => Some(server),
        Err(why) if std::env::var_os("LEHR_NEED_POSTGRESQL").is_some() => panic!("{why}"),
        Err(why) => {
            eprintln!("skipped: {why}");
            None
        }
    }
}

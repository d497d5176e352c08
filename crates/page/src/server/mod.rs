//! The live page: studies of a storage over HTTP, kept up to date while trials run.
//!
//! It only reads, unless [`Options::actions`] allows more. Whoever is not on this machine needs a token; every request is
//! held against the rules of the module `guard`.
mod api;
mod enqueue;
mod events;
mod guard;
mod live;
mod log;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use lehr::robustness::Columns;
use lehr_study::Storage;

use guard::Guard;
pub use guard::secret;
use live::Studies;

/// How the page is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// What a stranger must know; needed unless the address is of this machine alone.
    pub token: Option<String>,
    /// Names by which the server may be called beside `localhost` and addresses.
    pub names: Vec<String>,
    /// Whether trials may be stopped and added.
    pub actions: bool,
    /// Only logs in this folder are shown.
    pub logs: PathBuf,
    /// Files of results that are shown beside the studies.
    pub files: Vec<File>,
}

/// A file of results.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// Its columns, if it is a sweep.
    pub columns: Columns,
}

impl File {
    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Why the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is open to others and no token guards it.
    #[error("{0} can be reached by others: a token is needed")]
    Token(SocketAddr),
    /// The server broke down.
    #[error("the server stopped: {0}")]
    Io(#[from] std::io::Error),
}

/// What every request needs.
struct App {
    studies: Studies,
    guard: Guard,
    actions: bool,
    logs: PathBuf,
    files: Vec<File>,
}

/// Serves until the process ends.
///
/// # Errors
/// [`ServeError::Token`] if others can reach the address and there is no token; [`ServeError::Io`] if the server breaks.
pub fn serve(listener: TcpListener, storage: Arc<dyn Storage>, options: Options) -> Result<(), ServeError> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() && options.token.is_none() {
        return Err(ServeError::Token(address));
    }
    listener.set_nonblocking(true)?;
    let app = Arc::new(App {
        studies: Studies::new(storage),
        guard: Guard::new(options.token, options.names),
        actions: options.actions,
        logs: options.logs,
        files: options.files,
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        axum::serve(listener, router(app)).await
    })?;
    Ok(())
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(api::shell))
        .route("/study/{id}", get(api::shell))
        .route("/file/{id}", get(api::shell))
        .route("/page.css", get(api::style))
        .route("/charts.js", get(api::charts))
        .route("/page.js", get(api::script))
        .route("/api/studies", get(api::studies))
        .route("/api/studies/{id}/view", get(api::view))
        .route("/api/files/{id}/view", get(api::file_view))
        .route("/api/studies/{id}/form", get(enqueue::form))
        .route("/api/studies/{id}/trials", post(enqueue::enqueue))
        .route("/api/studies/{id}/events", get(events::events))
        .route("/api/studies/{id}/trials/{number}", get(api::trial))
        .route("/api/studies/{id}/trials/{number}/stop", post(api::stop))
        .route("/api/studies/{id}/trials/{number}/repeat", post(api::repeat))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard::check))
        .with_state(app)
}

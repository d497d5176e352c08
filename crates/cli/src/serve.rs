//! `lehr serve`: let me look at it, live.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use clap::Args;
use lehr::robustness::Columns;
use lehr_page::server::{self, File, Options};

use crate::failure::Failure;
use crate::output;
use crate::study::Place;

/// Serves a live page of the studies in a storage, and of files of results
///
/// The page follows trials while they run. It only shows; nothing of a study can be changed unless --allow-actions is given.
/// Only this machine can reach it, unless --host says otherwise; others then need the token that is printed.
#[derive(Args)]
pub struct Serve {
    /// Results to show beside the studies: folders of `lehr tune`, sweeps as CSV, what a command printed with --json
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Address to listen on; one that others can reach needs a token
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen on; 0 takes any that is free
    #[arg(long, value_name = "N", default_value_t = 8787)]
    port: u16,
    /// The token that others need [default: LEHR_TOKEN, else a new one, printed with the address]
    #[arg(long, value_name = "TEXT")]
    token: Option<String>,
    /// Names by which browsers may call this server, beside localhost and addresses
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Let the page stop trials and add new ones
    #[arg(long)]
    allow_actions: bool,
    /// Folder of logs; no other files are shown
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    logs: PathBuf,
}

/// Runs the command, until it is interrupted.
pub fn run(args: Serve) -> Result<(), Failure> {
    if let Some(missing) = args.files.iter().find(|file| !file.exists()) {
        return Err(Failure::usage(format!("{} does not exist", missing.display())));
    }
    let storage = match args.place.open() {
        // Files need no storage.
        Err(_) if !args.files.is_empty() && !args.place.is_named() => {
            lehr::study::open_shared("memory:").map_err(Failure::failed)?
        }
        storage => storage?,
    };
    let files = args.files.into_iter().map(|path| File { path, columns: Columns::default() }).collect();
    let given = args.token.or_else(|| std::env::var("LEHR_TOKEN").ok().filter(|token| !token.is_empty()));
    let token = match (given, args.host.is_loopback()) {
        (Some(token), _) => Some(checked(token)?),
        (None, false) => Some(server::secret()),
        (None, true) => None,
    };
    let address = SocketAddr::new(args.host, args.port);
    let listener = TcpListener::bind(address).map_err(|error| {
        Failure::failed(format!("cannot listen on {address}: {error}; give another --port"))
    })?;
    let port = listener.local_addr()?.port();
    let shown = match args.host {
        host if host.is_unspecified() => format!("http://localhost:{port}/"),
        host => format!("http://{}/", SocketAddr::new(host, port)),
    };
    let secret = token.as_ref().map_or(String::new(), |token| format!("?token={token}"));
    output::text(&format!("{shown}{secret}\n"))?;
    let options = Options { token, names: args.names, actions: args.allow_actions, logs: args.logs, files };
    server::serve(listener, storage, options).map_err(Failure::failed)
}

/// A token must be hard to guess and fit into a cookie.
fn checked(token: String) -> Result<String, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    match token.len() >= 16 && token.chars().all(plain) {
        true => Ok(token),
        false => Err(Failure::usage("the token needs 16 characters or more, of letters, digits and -_.~")),
    }
}

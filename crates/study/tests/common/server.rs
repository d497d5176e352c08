//! A PostgreSQL server of one's own, thrown away at the end: for tests, here and in Python (`--example postgresql_server`).
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A cluster in a temporary folder, on a port of the loopback interface. It ends when this is dropped.
pub struct Server {
    bin: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl Server {
    /// Starts one, or says why none can be had.
    pub fn start() -> Result<Self, String> {
        let bin = programs().ok_or("PostgreSQL is not installed (the system package postgresql)")?;
        let folder = tempfile::Builder::new().prefix("lehr-pg").tempdir().map_err(|e| e.to_string())?;
        // Its owner is another user where we are root, who may not run a server.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).map_err(|e| e.to_string())?;
        let server = Server { bin, folder, port: free_port().map_err(|e| e.to_string())? };
        let data = server.data();
        let args = ["-U", "lehr", "-A", "trust", "-E", "UTF8", "--no-sync", "-D"];
        server.run("initdb", &[&args[..], &[&data]].concat())?;
        server.up()?;
        Ok(server)
    }

    /// Starts the server after [`Server::stop`].
    pub fn up(&self) -> Result<(), String> {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 -c timezone=Asia/Tokyo",
            self.port
        );
        let (data, log) = (self.data(), self.folder.path().join("log").display().to_string());
        self.run("pg_ctl", &["-D", &data, "-l", &log, "-w", "-t", "60", "-o", &options, "start"])
            .map_err(|why| format!("{why}{}", fs::read_to_string(&log).unwrap_or_default()))
    }

    /// Stops it at once, as a crash would.
    pub fn stop(&self) -> Result<(), String> {
        let data = self.data();
        self.run("pg_ctl", &["-D", &data, "-m", "immediate", "-w", "stop"])
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        format!("postgresql://lehr:secret@127.0.0.1:{}/postgres", self.port)
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn run(&self, program: &str, args: &[&str]) -> Result<(), String> {
        let path = self.bin.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(&path);
            command
        } else {
            Command::new(&path)
        };
        // A started server keeps what it inherits: pipes would never end.
        let out = self.folder.path().join(format!("{program}.out"));
        let file = fs::File::create(&out).and_then(|f| Ok((f.try_clone()?, f))).map_err(|e| e.to_string())?;
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null()).stdout(file.0).stderr(file.1);
        let status = command.status().map_err(|e| format!("{program}: {e}"))?;
        let said = || fs::read_to_string(&out).unwrap_or_default();
        if status.success() { Ok(()) } else { Err(format!("{program} failed: {}", said())) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop();
        // Its files may belong to another user.
        let _ = fs::remove_dir_all(self.data());
    }
}

/// Where the programs of the newest PostgreSQL are.
fn programs() -> Option<PathBuf> {
    let has = |dir: &Path| dir.join("initdb").exists() && dir.join("pg_ctl").exists();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|v| v.path().join("bin")).filter(|dir| has(dir)).collect();
    found.sort_by_key(|dir| {
        dir.iter().rev().nth(1).and_then(|v| v.to_str()?.parse::<u32>().ok()).unwrap_or_default()
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.pop().or_else(|| std::env::split_paths(&path).find(|dir| has(dir)))
}

fn is_root() -> bool {
    let id: io::Result<Output> = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

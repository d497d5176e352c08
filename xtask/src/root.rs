//! Where things are: the repository and what cargo built from it.
use std::path::{Path, PathBuf};

/// The repository's root folder.
pub fn repository() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// The folder that cargo builds into: this very program lies in it.
pub fn build_dir() -> Result<PathBuf, String> {
    let program =
        std::env::current_exe().map_err(|why| format!("cannot find the path of xtask itself: {why}"))?;
    program.parent().map(Path::to_path_buf).ok_or_else(|| "xtask lies in no folder".into())
}

/// The program `name` in the build folder, with the platform's ending.
pub fn built(name: &str) -> Result<PathBuf, String> {
    Ok(build_dir()?.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

/// The folder of everything that is built: cargo's target folder.
pub fn target() -> Result<PathBuf, String> {
    let dir = build_dir()?;
    Ok(dir.parent().map_or_else(|| dir.clone(), Path::to_path_buf))
}

/// `cargo`, in the repository's root.
pub fn cargo() -> std::process::Command {
    let mut command = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(repository());
    command
}

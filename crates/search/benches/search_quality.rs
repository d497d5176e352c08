//! How good the samplers' points are, against Optuna, on the COCO bbob functions (paired seeds, intervals, resumable).
//!
//! Python: full
//!
//! Arguments go to `python/search_quality.py`, which calls the functions and Optuna; this program serves our samplers to it
//! over its standard input and output (`--serve`).
mod serve;

fn main() -> std::process::ExitCode {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/python/search_quality.py");
    serve::main("search_quality", script, |_| None)
}

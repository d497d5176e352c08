//! `lehr schedule` as a user meets it: results, messages and exit codes.
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions
use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;

/// Runs `lehr schedule …`; the exit code, stdout and stderr.
fn lehr(args: &[&str]) -> (i32, String, String) {
    with_input(args, "")
}

fn with_input(args: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::cargo_bin("lehr").unwrap();
    let output =
        command.arg("schedule").args(args).write_stdin(input).env("COLUMNS", "100").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn succeed(args: &[&str]) -> String {
    let (code, out, err) = lehr(args);
    assert_eq!(code, 0, "{args:?}: {err}");
    assert_eq!(err, "", "{args:?}");
    out
}

/// Expects an exit code and words in the message.
fn refuse(args: &[&str], code: i32, words: &[&str]) {
    let (actual, out, err) = lehr(args);
    assert_eq!(actual, code, "{args:?}: {err}");
    assert_eq!(out, "", "{args:?}");
    assert!(err.starts_with("error: "), "{args:?}: {err}");
    for word in words {
        assert!(err.contains(word), "{args:?}: no {word:?} in {err}");
    }
}

fn rates(csv: &str) -> Vec<f64> {
    csv.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect()
}

#[test]
fn values_are_csv_and_exact() {
    let csv = succeed(&["values", "warmup 500, cosine to 0.1", "--steps", "10000", "--peak", "3e-4"]);
    assert!(csv.starts_with("step,lr\n0,6e-7\n"));
    let rates = rates(&csv);
    assert_eq!(rates.len(), 10_000);
    assert_eq!(rates[499], 3e-4);
    for (t, rate) in rates.iter().enumerate().skip(500) {
        let angle = std::f64::consts::PI * (t - 500) as f64 / 9500.0;
        let closed = 3e-4 * (0.1 + 0.9 * 0.5 * (1.0 + angle.cos()));
        assert!((rate - closed).abs() <= 1e-15, "step {t}: {rate} against {closed}");
    }
}

#[test]
fn values_thin_out_and_know_units() {
    let csv = succeed(&["values", "linear", "--steps", "10", "--every", "4"]);
    assert_eq!(csv, "step,lr\n0,1\n4,0.6\n8,0.2\n");
    let by_epoch = succeed(&["values", "step every 1ep by 0.1", "--epochs", "3", "--steps-per-epoch", "2"]);
    let tokens = ["--tokens", "6k", "--tokens-per-step", "1000"];
    let by_token = succeed(&[&["values", "step every 2ktok by 0.1"], &tokens[..]].concat());
    assert_eq!(by_epoch, by_token);
    for (rate, expected) in rates(&by_epoch).iter().zip([1.0, 1.0, 0.1, 0.1, 0.01, 0.01]) {
        assert!((rate / expected - 1.0).abs() < 1e-14);
    }
    let with =
        succeed(&["values", "linear with momentum from 0.95 to 0.85 with group head by 0.1", "--steps", "2"]);
    assert_eq!(with, "step,lr,momentum,lr:head\n0,1,0.85,0.1\n1,0.5,0.8999999999999999,0.05\n");
}

#[test]
fn values_as_floats_are_those_of_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let args = ["values", "warmup 3, cosine", "--steps", "40000", "--peak", "0.1"];
    let text = rates(&succeed(&args));
    for (name, flag) in [("a.f64", None), ("b.bin", Some("--f64"))] {
        let file = path(name);
        let mut args = args.to_vec();
        args.extend(["-o", &file]);
        args.extend(flag);
        assert_eq!(succeed(&args), "");
        let bytes = std::fs::read(&file).unwrap();
        let floats: Vec<f64> =
            bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(floats, text);
    }
    let file = path("c.csv");
    succeed(&[&args[..], &["-o", &file]].concat());
    assert_eq!(rates(&std::fs::read_to_string(file).unwrap()), text);
}

#[test]
fn json_names_its_schema() {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let values = parse(&succeed(&["values", "linear", "--steps", "4", "--json"]));
    assert_eq!(values["schema"], "lehr.schedule.values/1");
    assert_eq!(values["peak"], Value::Null);
    assert_eq!(values["lr"], serde_json::json!([1.0, 0.75, 0.5, 0.25]));
    let run = ["--steps", "100", "--peak", "0.5", "--json"];
    let show = parse(&succeed(&[&["show", "warmup 10, linear"], &run[..]].concat()));
    assert_eq!(show["schema"], "lehr.schedule.show/1");
    assert_eq!(show["highest"], serde_json::json!({"step": 9, "lr": 0.5}));
    assert_eq!(show["phases"][1]["first_step"], 10);
    assert_eq!(show["phases"][1]["last_step"], 99);
    // The sum of (k + 1) / 10 over the warm-up and of 1 - k / 90 over the rest.
    assert!((show["area"].as_f64().unwrap() - (5.5 + 45.5) / 100.0).abs() < 1e-12);
    let compare = parse(&succeed(&[&["compare", "constant", "linear"], &run[..]].concat()));
    assert_eq!(compare["schema"], "lehr.schedule.compare/1");
    assert_eq!(compare["schedules"][0]["area"], 1.0);
    assert_eq!(compare["schedules"][1]["schedule"], "linear");
}

#[test]
fn schedules_come_from_files_and_stdin() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        format!("@{}", path.display())
    };
    let expected = succeed(&["values", "warmup 2, linear", "--steps", "6"]);
    let toml = "phases = [\n  { shape = \"warmup\", span = 2 },\n  { shape = \"linear\" },\n]\n";
    let json = r#"{"phases": [{"shape": "warmup", "span": 2}, {"shape": "linear"}]}"#;
    let text = "warmup 2, linear\n";
    for (name, content) in [("a.toml", toml), ("a.json", json), ("a.txt", text), ("b", toml), ("c", json)] {
        assert_eq!(succeed(&["values", &file(name, content), "--steps", "6"]), expected, "{name}");
    }
    for content in [toml, json, text] {
        assert_eq!(with_input(&["values", "-", "--steps", "6"], content).1, expected);
    }
    refuse(&["values", &file("d.toml", "phases = 3"), "--steps", "6"], 2, &["d.toml", "phases"]);
    refuse(&["values", "@/no/such/file.toml", "--steps", "6"], 2, &["/no/such/file.toml"]);
}

#[test]
fn pictures_are_drawn_and_written() {
    let spec = "warmup 10%, constant, 1-sqrt 20%";
    let text = succeed(&["show", spec, "--steps", "1000", "--peak", "3e-4"]);
    for word in
        [spec, "1,000 steps, peak 3e-4", "first update", "3e-4 at step 99", "100 to 799", "learning rate"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
    let text = succeed(&["compare", spec, "cosine", "--steps", "1000"]);
    assert!(text.contains("● warmup 10%") && text.contains("▲ cosine"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    for (name, start) in [("a.svg", &b"<svg"[..]), ("a.png", b"\x89PNG"), ("a.txt", spec.as_bytes())] {
        let path = folder.path().join(name);
        succeed(&["show", spec, "--steps", "1000", "-o", path.to_str().unwrap()]);
        assert!(std::fs::read(&path).unwrap().starts_with(start), "{name}");
    }
}

#[test]
fn wrong_usage_is_named() {
    refuse(
        &["values", "cosin", "--steps", "10"],
        2,
        &["unknown shape `cosin`", "^^^^^", "did you mean `cosine`"],
    );
    refuse(&["values", "", "--steps", "10"], 2, &["expected a shape"]);
    refuse(&["values", "cosine"], 2, &["--steps", "--epochs"]);
    refuse(&["values", "cosine", "--steps", "0"], 2, &["at least one step"]);
    refuse(&["values", "cosine", "--steps", "-1"], 2, &["negative"]);
    refuse(&["values", "cosine", "--steps", "1e17"], 2, &["2^53"]);
    refuse(&["values", "cosine", "--steps", "many"], 2, &["not a whole number"]);
    refuse(&["values", "cosine", "--steps", "9", "--every", "0"], 2, &["--every"]);
    refuse(&["values", "cosine", "--epochs", "nan", "--steps-per-epoch", "5"], 2, &["NaN steps"]);
    refuse(&["values", "cosine", "--epochs", "2"], 2, &["--steps-per-epoch"]);
    for peak in ["nan", "-1", "0", "inf"] {
        refuse(&["values", "cosine", "--steps", "9", "--peak", peak], 2, &["peak rate"]);
    }
    refuse(&["show", "warmup 20, cosine", "--steps", "10"], 2, &["warmup 20", "only 10"]);
    refuse(&["show", "warmup 1ep, cosine", "--steps", "10"], 2, &["steps per epoch"]);
    refuse(&["values", "constant", "--steps", "1e12", "--json"], 2, &["--every"]);
    refuse(&["compare", "--steps", "10"], 2, &["SCHEDULE"]);
    refuse(&["compare", "cosine", "warmup 99", "--steps", "10"], 2, &["'warmup 99'"]);
}

#[test]
fn files_that_cannot_be_written_are_named() {
    refuse(&["values", "cosine", "--steps", "9", "-o", "/no/such/a.csv"], 1, &["/no/such/a.csv"]);
    refuse(&["show", "cosine", "--steps", "9", "-o", "/no/such/a.svg"], 1, &["/no/such/a.svg"]);
    refuse(&["show", "cosine", "--steps", "9", "-o", "a.pdf"], 2, &["'.pdf'", ".svg"]);
    assert!(!Path::new("a.pdf").exists());
}

#[test]
fn long_runs_are_sampled_and_say_so() {
    let text = succeed(&["show", "warmup 1%, cosine", "--steps", "1e12", "--peak", "1"]);
    assert!(text.contains("about 50.") && text.contains("4,000,000 even steps"), "{text}");
    let csv = succeed(&["values", "linear", "--steps", "1e12", "--every", "500000000000"]);
    assert_eq!(csv, "step,lr\n0,1\n500000000000,0.5\n");
}

#[test]
#[cfg(unix)]
fn a_closed_pipe_is_no_error() {
    use std::io::Read;
    use std::process::{Command, Stdio};
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("lehr"))
        .args(["schedule", "values", "cosine", "--steps", "10000000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut some = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stderr, b"");
}

#[test]
fn check_gives_reason_and_suggestion() {
    let run = ["--steps", "1000"];
    let check = |spec: &str, more: &[&str]| lehr(&[&["check", spec], &run[..], more].concat());
    let (code, out, err) = check("warmup 10%, constant", &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("warning [") && out.contains("suggestion: "), "{out}");
    let (code, _, err) = check("warmup 10%, constant", &["--strict"]);
    assert_eq!(code, 1);
    assert!(err.contains("has warnings"), "{err}");
    let (code, out, err) = check("warmup 2000, cosine", &[]);
    assert_eq!(code, 1);
    assert!(out.starts_with("error [") && out.contains("only 1000"), "{out}");
    assert!(err.contains("cannot be run"), "{err}");
    let (code, out, _) = check("warmup 2000, cosine", &["--json"]);
    assert_eq!(code, 1);
    let object: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(object["schema"], "lehr.schedule.check/1");
    assert_eq!(object["errors"], 1);
    assert_eq!(object["lints"][0]["severity"], "error");
    let (code, out, err) = check("warmup 5%, linear", &["--strict"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    refuse(&["check", "cosin", "--steps", "10"], 2, &["did you mean"]);
    refuse(&["check", "cosine", "--steps", "0"], 2, &["at least one step"]);
    refuse(&["check", "cosine", "--steps", "9", "--peak", "nan"], 2, &["peak rate"]);
}

#[test]
fn extensions_say_what_changes() {
    let run = ["--steps", "1000", "--to", "2000", "--done", "700"];
    let text = succeed(&[&["extend", "warmup 2%, constant, 1-sqrt 20%"], &run[..]].concat());
    for words in
        ["warmup 20, constant, 1-sqrt 20%", "700 of 1000 steps", "as if the new horizon", "▲ over 2,000"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json = succeed(&[&["extend", "cosine", "--json"], &run[..]].concat());
    let object: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(object["schema"], "lehr.schedule.extend/1");
    assert_eq!(object["jumps"], true);
    assert_eq!(object["first_change"], 1);
    refuse(&["extend", "cosine", "--steps", "10", "--to", "20", "--done", "11"], 2, &["--done 11"]);
    refuse(&["extend", "cosine", "--steps", "10", "--to", "0", "--done", "1"], 2, &["at least one step"]);
    refuse(&["extend", "cosine", "--steps", "10", "--to", "1e12", "--done", "1"], 2, &["step by step"]);
    refuse(&["extend", "cosine", "--steps", "10"], 2, &["--to", "--done"]);
}

#[test]
fn notations_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let spec = "warmup 2%, min(cosine to 0.1, inverse-sqrt timescale 4000) with momentum from 0.95 to 0.85";
    for ending in ["toml", "json", "text"] {
        let path = folder.path().join(format!("a.{ending}"));
        let path = path.to_str().unwrap();
        assert_eq!(succeed(&["convert", spec, "--to", ending, "-o", path]), "");
        assert_eq!(succeed(&["convert", &format!("@{path}")]), format!("{spec}\n"));
    }
    let object: Value = serde_json::from_str(&succeed(&["convert", spec, "--json"])).unwrap();
    assert_eq!(object["schema"], "lehr.schedule.convert/1");
    assert_eq!(object["text"], spec);
    assert_eq!(object["data"]["phases"][0]["shape"], "warmup");
    refuse(&["convert", "cosin"], 2, &["did you mean"]);
    refuse(&["convert", "cosine", "--to", "yaml"], 2, &["yaml", "toml"]);
    refuse(&["convert", "cosine", "-o", "/no/such/a.toml"], 1, &["/no/such/a.toml"]);
}

#[test]
fn calls_of_other_libraries_become_schedules() {
    let (code, out, err) = lehr(&["convert", "torch.StepLR(step_size=30, gamma=0.1)", "--lr", "0.1"]);
    assert_eq!((code, out.as_str()), (0, "step every 30 by 0.1\n"), "{err}");
    assert!(err.contains("peak rate: 0.1"), "{err}");
    let call = "get_cosine_schedule_with_warmup(num_warmup_steps=500, num_training_steps=10000)";
    let object: Value = serde_json::from_str(&succeed(&["convert", call, "--lr", "3e-4", "--json"])).unwrap();
    assert_eq!(object["peak"], 3e-4);
    assert_eq!(object["steps"], 10_000);
    // What comes out is read by the other commands, and has the library's values.
    let csv = succeed(&["values", object["text"].as_str().unwrap(), "--steps", "10000", "--peak", "3e-4"]);
    let rates = rates(&csv);
    for t in [0usize, 250, 500, 5000, 9999] {
        let warm = t as f64 / 500.0;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * (t as f64 - 500.0) / 9500.0).cos());
        let theirs = 3e-4 * if t < 500 { warm } else { cosine };
        assert!((rates[t] - theirs).abs() < 3e-16, "step {t}");
    }
    refuse(&["convert", "torch.StepLr(30)"], 2, &["StepLR"]);
    refuse(&["convert", "optax.cosine_decay_schedule("], 2, &["^"]);
    refuse(&["convert", "torch.StepLR(30)", "--lr", "nan"], 2, &["--lr"]);
    refuse(&["convert", "min(cosine, linea)"], 2, &["did you mean `linear`"]);
}

#[test]
fn very_many_groups_neither_fill_the_memory_nor_the_picture() {
    let spec = "linear with layers 3000 by 0.99";
    let csv = succeed(&["values", spec, "--steps", "100", "--every", "50"]);
    assert_eq!(csv.lines().map(|line| line.split(',').count()).collect::<Vec<_>>(), [3002; 3]);
    let text = succeed(&["show", spec, "--steps", "100"]);
    assert!(text.contains("8 of 3000 groups drawn") && text.contains("group layer-2999"), "{text}");
    refuse(&["values", spec, "--steps", "10000", "--json"], 2, &["--every"]);
}

#[test]
fn a_recorded_metric_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    std::fs::write(&log, "step,loss,val_loss\n0,3,3\n1,2.9,\n2,2.8,3.5\n4,2.7,nan\n5,2.6,2\n").unwrap();
    let metric = format!("{}:val_loss", log.display());
    let spec = "warmup 1, plateau by 0.5 patience 1";
    let csv = succeed(&["values", spec, "--metric-file", &metric, "--peak", "0.1", "--steps", "7"]);
    // The metric of step 0 belongs to the warm-up; the one of step 2 is the best until that of step 5.
    assert_eq!(csv, "step,lr\n0,0.1\n1,0.1\n2,0.1\n3,0.1\n4,0.1\n5,0.1\n6,0.1\n");
    let quick = "plateau by 0.5 patience 0";
    let csv = succeed(&["values", quick, "--metric-file", &metric]);
    assert_eq!(csv, "step,lr\n0,1\n1,1\n2,1\n3,0.5\n4,0.5\n5,0.25\n");
    let shown = succeed(&["show", quick, "--metric-file", &metric]);
    for part in ["level cut to 0.25: the metric is not a finite number", "changes       2", "val_loss"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json: Value =
        serde_json::from_str(&succeed(&["show", quick, "--metrics", "2,nan,-1", "--json"])).unwrap();
    assert_eq!(json["schema"], "lehr.schedule.replay/1");
    assert_eq!((&json["observations"][1]["metric"], &json["last"]), (&Value::Null, &Value::from(0.5)));
    refuse(&["values", "plateau", "--steps", "9"], 2, &["--metric-file FILE:COLUMN"]);
    refuse(&["values", "cosine", "--steps", "9", "--metrics", "1"], 2, &["reacts to none"]);
    let column = format!("{}:acc", log.display());
    refuse(&["show", "plateau", "--metric-file", &column], 2, &["no column 'acc'", "step, loss, val_loss"]);
    std::fs::write(&log, "step,loss\n3,1\n1,1\n").unwrap();
    let metric = format!("{}:loss", log.display());
    refuse(&["show", "plateau", "--metric-file", &metric], 2, &["step 1 comes after a later one"]);
}

#[test]
fn statements_and_calls_that_react_to_a_metric_are_converted() {
    let (code, out, err) = lehr(&["convert", "s = StepLR(optimizer, step_size=30)", "--lr", "0.1"]);
    assert_eq!((code, out.as_str()), (0, "step every 30 by 0.1\n"), "{err}");
    let call = "sched = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, 'max', patience=3)";
    let out = succeed(&["convert", call]);
    assert_eq!(out, "plateau patience 3 goal max least lr 1e-8\n");
    let json: Value = serde_json::from_str(&succeed(&["convert", call, "--json"])).unwrap();
    assert_eq!(json["text"], "plateau patience 3 goal max least lr 1e-8");
    assert_eq!(json["data"]["phases"][0]["least"], "lr 1e-8");
    let toml = succeed(&["convert", call, "--to", "toml"]);
    let (code, out, err) = with_input(&["convert", "-"], &toml);
    assert_eq!((code, out.as_str()), (0, "plateau patience 3 goal max least lr 1e-8\n"), "{err}");
}

//! `lehr theory`, `lehr lab`, `lehr robustness` and `lehr diagnose` as a user runs them.
#![allow(clippy::unwrap_used)] // helpers of tests

use assert_cmd::Command;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn lehr(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("lehr").unwrap();
    command.args(arguments);
    command
}

fn json(arguments: &[&str]) -> Value {
    let output = lehr(arguments).arg("--json").assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

fn refused(arguments: &[&str], because: &str) {
    let output = lehr(arguments).assert().code(2);
    let message = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(message.contains(because), "{arguments:?}: {message}");
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// A file of the shared data, or nothing, said aloud.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is absent", path.display());
    None
}

#[test]
fn bound_gives_the_published_values() {
    for (spec, gamma, omega) in [
        ("constant", 0.0181758951, 0.1375448081),
        ("linear", 0.0495631307, 0.1006298654),
        ("constant, linear 20%", 0.0253736614, 0.1093230125),
        ("cosine", 0.0482418869, 0.1033859059),
    ] {
        let found = json(&["theory", "bound", spec, "--steps", "400"]);
        assert_eq!(found["schema"], "lehr.theory.bound/1");
        assert!((number(&found["gamma_star"]) - gamma).abs() < 1e-10, "{spec}: {found}");
        assert!((number(&found["omega_star"]) - omega).abs() < 1e-10, "{spec}: {found}");
        assert!(!found["caveats"].as_array().unwrap().is_empty());
    }
    refused(&["theory", "bound", "linear", "--steps", "0"], "at least one step");
    refused(&["theory", "bound", "linear", "--lr", "nan"], "finite and above 0");
    refused(&["theory", "bound", "sideways"], "unknown shape");
}

#[test]
fn robustness_gives_ratios_with_caveats() {
    let found = json(&["theory", "robustness", "linear", "--steps", "100000", "--rho", "2,3,5,10"]);
    for (ratio, expected) in found["ratios"].as_array().unwrap().iter().zip([1.191, 1.363, 1.616, 2.036]) {
        assert!((number(&ratio["ratio"]) - expected).abs() < 2e-3, "{ratio}");
    }
    assert!((number(&found["grids"][3]["ratio"]) - 1.48).abs() < 5e-3, "two-sided, grid 10");
    assert!((number(&found["limit_exponent"]) - 1.0 / 3.0).abs() < 1e-3);
    let codes: Vec<&str> =
        found["caveats"].as_array().unwrap().iter().map(|caveat| caveat["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"bounded-distance") && !codes.contains(&"ends-above-zero"));
    let constant = json(&["theory", "robustness", "constant", "--steps", "4000", "--rho", "100"]);
    assert!((number(&constant["ratios"][0]["ratio"]) - 19.3).abs() < 0.06);
    refused(&["theory", "robustness", "linear", "--rho", "0"], "rho is 0");
}

#[test]
fn transfer_carries_a_rate() {
    let spec = ["theory", "transfer", "--from", "constant, linear 20%", "--lr", "1e-3", "--to", "linear"];
    let found = json(&[&spec[..], &["--steps", "100000"]].concat());
    assert!((number(&found["factor"]) - 1.944).abs() < 2e-3, "{found}");
    let rungs = ["--steps", "500", "--to-steps", "8000", "--rungs", "500=0.97,2000=0.34"];
    let longer = json(&[&spec[..], &rungs].concat());
    assert!((number(&longer["horizon"]["exponent"]) - 0.756).abs() < 1e-3);
    refused(&[&spec[..], &["--rungs", "500=0.97"]].concat(), "two different horizons");
}

#[test]
fn optimal_schedules_beat_linear_decay() {
    let found = json(&["theory", "optimal", "--steps", "500", "--warmup", "50", "--floor", "0.1"]);
    let rates: Vec<f64> = found["rates"].as_array().unwrap().iter().map(number).collect();
    assert_eq!((rates.len(), rates[49]), (500, 1.0));
    assert!(rates[50..].iter().all(|rate| *rate >= 0.1 - 1e-9));
    let free = json(&["theory", "optimal", "--steps", "500"]);
    for found in [&found, &free] {
        assert!(number(&found["omega_star"]) <= number(&found["linear_omega_star"]));
    }
}

#[test]
fn rates_come_out_as_the_theory_says() {
    let small = ["--walk-steps", "20000", "--walks", "128", "--horizons", "1000000", "--points", "5"];
    let few = ["--schedules", "constant; linear; cosine", "--rho-high", "320"];
    let found = json(&[&["lab", "rates"][..], &small, &few].concat());
    assert!(number(&found["steps"]) >= 1e6 && number(&found["rho_high"]) / number(&found["rho_low"]) >= 31.0);
    for rate in found["rates"].as_array().unwrap() {
        let (exponent, theory) = (number(&rate["exponent"]), number(&rate["theory"]));
        assert!((exponent - theory).abs() < 0.05, "{rate}");
        assert!(number(&rate["low"]) <= exponent && exponent <= number(&rate["high"]));
    }
    let walked = &found["simulation"];
    assert!(number(&walked["largest_z"]) < 4.0 || number(&walked["largest_difference"]) < 0.05, "{walked}");
    refused(&["lab", "rates", "--rho-low", "0"], "lowest rho");
}

#[test]
fn a_trained_sweep_is_measured() {
    let found = json(&[
        "lab",
        "robustness",
        "--schedules",
        "constant; linear",
        "--steps",
        "500",
        "--points",
        "13",
        "--seeds",
        "3",
        "--high",
        "100",
    ]);
    let schedules = found["schedules"].as_array().unwrap();
    assert_eq!(schedules.len(), 2);
    assert!(schedules.iter().all(|entry| !entry["regrets"].as_array().unwrap().is_empty()));
    assert!(number(&found["transfers"][0]["predicted"]) > 1.5);
}

#[test]
fn real_pre_training_runs_are_measured() {
    let Some(runs) = shared("llm-schedules/runs.csv") else { return };
    let path = runs.to_str().unwrap();
    let columns = ["robustness", path, "--rate", "peak_lr", "--loss", "final_val_loss"];
    refused(&columns, "cooldown_fraction");
    let found = json(
        &[
            &columns[..],
            &["--by", "schedule,cooldown_shape,cooldown_fraction", "--noise", "0.001", "--steps", "50000"],
            &["--spec", "wsd linear 0.2=warmup 300, constant, linear 20%"],
            &["--spec", "wsd linear 0.994=warmup 300, linear"],
        ]
        .concat(),
    );
    assert_eq!(found["refused"].as_array().unwrap().len(), 5, "single rates are listed");
    let pairs = found["transfers"].as_array().unwrap();
    let pair = pairs
        .iter()
        .find(|pair| pair["from"] == "wsd linear 0.2" && pair["to"] == "wsd linear 0.994")
        .unwrap();
    assert!((number(&pair["found"]) - 1.69).abs() < 0.02 && (number(&pair["predicted"]) - 1.94).abs() < 0.01);
    assert!(number(&pair["low"]) < 1.6 && number(&pair["high"]) > 1.8);
}

#[test]
fn laws_are_fitted_kept_and_asked() {
    let Some(folder) = shared("multi-power-law/100") else { return };
    let file = |name: &str| folder.join(format!("{name}.csv")).to_str().unwrap().to_owned();
    let kept = tempfile::tempdir().unwrap();
    let out = kept.path().join("fit.json");
    let out = out.to_str().unwrap();
    let (a, b, c, d) = (file("cosine_24000"), file("constant_24000"), file("wsdcon_9"), file("cosine_72000"));
    let found = json(&[
        "theory",
        "fit",
        &a,
        &b,
        &c,
        "--held-out",
        &d,
        "--warmup",
        "2160",
        "--law",
        "tissue",
        "--out",
        out,
    ]);
    assert!(number(&found["held_out_mean"]["r_squared"]) > 0.98, "{}", found["held_out_mean"]);
    let told =
        json(&["theory", "predict", out, "warmup 2160, cosine to 0.1", "--steps", "72000", "--lr", "3e-4"]);
    let last = &told["final"];
    assert!((number(&last["loss"]) - 2.86).abs() < 0.04, "{last}");
    assert!(number(&last["low"]) < number(&last["loss"]) && number(&last["loss"]) < number(&last["high"]));
    refused(&["theory", "fit", &b, "--warmup", "2160"], "falls in none");
    refused(&["theory", "predict", &a, "linear", "--lr", "1"], "is not a fit");
}

#[test]
fn runs_are_diagnosed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.csv");
    let lines = (1..=200).map(|i| {
        let u = f64::from(i) / 200.0;
        format!("{i},{},{}\n", 1.0 / (0.1 + u), 1e-3 * (1.0 - u))
    });
    std::fs::write(&path, ["step,loss,lr\n".to_owned()].into_iter().chain(lines).collect::<String>())
        .unwrap();
    let found = json(&["diagnose", path.to_str().unwrap()]);
    assert_eq!(found["runs"][0]["findings"][0]["code"], "still_falling");
    std::fs::write(&path, "step,loss\n1,1\n2,x\n").unwrap();
    refused(&["diagnose", path.to_str().unwrap()], "line 3, loss: 'x' is not a number");
    std::fs::write(&path, "step,loss\n1,1\n2,2\n").unwrap();
    refused(&["diagnose", path.to_str().unwrap()], "2 points; at least 10");
    refused(&["diagnose", "/nowhere"], "cannot read");
}

#[test]
fn an_effect_is_measured_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.svg");
    let path = picture.display().to_string();
    let found = json(&["lab", "effects", "basins", "--seeds", "2", "--plot", &path]);
    assert_eq!(found["schema"], "lehr.lab.effects/1");
    let effect = &found["effects"][0];
    assert_eq!((&effect["name"], &effect["shown"]), (&Value::from("basins"), &Value::from(true)));
    assert!(std::fs::read_to_string(picture).unwrap().contains("<svg"));
    refused(&["lab", "effects", "gravity"], "there are edge, crawl");
    refused(&["lab", "effects", "basins", "--seeds", "1"], "intervals need 2");
    refused(&["robustness", "nothing.db"], "does not exist");
    refused(&["diagnose", "nothing.db"], "does not exist");
}

//! `cargo xtask test`: every test of the repository, in steps.
use std::path::Path;
use std::process::Command;

use crate::step::{Steps, Tally, counted};
use crate::system::{self, Lack};
use crate::venv::Kind;
use crate::{TestArgs, links, no_std, package, root};

/// Runs the steps. True if every test that ran has passed.
pub fn run(args: &TestArgs) -> Result<bool, String> {
    let mut steps = Steps::default();
    let data = root::repository().join("../shared/data");
    if !data.is_dir() {
        steps.leave_out("tests on the real data sets", "there is no ../shared/data beside the repository");
    }
    // Rust and Python tests use it.
    let postgresql = postgresql(&mut steps);
    if args.no_rust {
        steps.leave_out("Rust tests", "--no-rust");
    } else {
        rust(&mut steps, postgresql);
        candle(&mut steps, args.light);
    }
    match (args.no_python, Kind::from_light(args.light)) {
        (true, _) => steps.leave_out("Python tests", "--no-python"),
        (false, kind) => python(&mut steps, kind),
    }
    Ok(steps.close())
}

/// Whether a PostgreSQL server can be started.
fn postgresql(steps: &mut Steps) -> bool {
    let mut found = false;
    steps.run("PostgreSQL", || {
        found = system::postgresql()?;
        Ok(Tally::default())
    });
    if !found {
        steps.leave_out(
            "tests on PostgreSQL",
            "it is not installed, and only root may install it: `apt-get install postgresql`",
        );
    }
    found
}

fn rust(steps: &mut Steps, postgresql: bool) {
    steps.run("Links of the documentation", links::check);
    steps.run("Rust tests and documentation examples", || {
        let mut tests = root::cargo();
        tests.args(["test", "--workspace", "--no-fail-fast"]);
        if postgresql {
            // Where it is there, a test that cannot start a server has failed.
            tests.env("LEHR_NEED_POSTGRESQL", "1");
        }
        counted(&mut tests, Tally::of_rust_line)
    });
    if no_std::applies() {
        steps.run("lehr-schedule without the standard library", no_std::check);
    }
}

/// The feature `candle` of the crate `lehr`: a step of its own, because candle compiles for some eight minutes of processor
/// time. The selection is that of the other steps, so that nothing else is compiled twice.
fn candle(steps: &mut Steps, light: bool) {
    if light {
        return steps.leave_out("the feature candle, with its example", "--light");
    }
    steps.run("The feature candle, and its example tuned", || {
        let with = ["--workspace", "--features", "lehr/candle"];
        let mut tally = counted(root::cargo().args(["build", "--workspace", "--bin", "lehr"]), |_| None)?;
        tally += counted(root::cargo().arg("build").args(with).args(["--example", "candle"]), |_| None)?;
        if tally.failed == 0 {
            let mut tests = root::cargo();
            tally += counted(tests.arg("test").args(with).args(["--test", "candle"]), Tally::of_rust_line)?;
        }
        Ok(tally)
    });
}

fn python(steps: &mut Steps, kind: Kind) {
    // The same selection as `cargo test --workspace`, so that nothing is compiled twice.
    let mut built = false;
    steps.run("Programs for the Python tests", || {
        let tally = counted(root::cargo().args(["build", "--workspace", "--bins", "--examples"]), |_| None)?;
        built = tally.failed == 0;
        Ok(tally)
    });
    if !built {
        return steps.leave_out("Python tests", "the programs that they run do not build");
    }
    let mut interpreter = None;
    steps.run("Python environment", || match kind.python() {
        Ok(path) => {
            interpreter = Some(Ok(path));
            Ok(Tally::default())
        }
        Err(Lack::Absent(why)) => {
            interpreter = Some(Err(why));
            Ok(Tally::default())
        }
        Err(Lack::Failed(why)) => Err(why),
    });
    let interpreter = match interpreter {
        Some(Ok(path)) => path,
        Some(Err(why)) => return steps.leave_out("Python tests", &why),
        None => return steps.leave_out("Python tests", "their environment could not be made"),
    };
    browser(steps);
    if kind == Kind::Light {
        steps.leave_out("Python tests that need torch, transformers or timm", "--light");
    }
    let mut site = None;
    steps.run("Python package", || {
        site = Some(package::install(&interpreter, package::Profile::Dev)?);
        Ok(Tally::default())
    });
    let Some(site) = site else {
        return steps.leave_out("Python tests", "the Python package does not build");
    };
    steps.run("Python tests", || {
        let mut pytest = pytest(&interpreter, "tests/python");
        pytest
            .env("LEHR_BIN", root::built("lehr")?)
            .env("LEHR_EXAMPLES", root::build_dir()?.join("examples"));
        pytest.env("PYTHONPATH", &site).env("LEHR_SITE", &site);
        if kind == Kind::Light {
            pytest.env("LEHR_LIGHT", "1");
        }
        counted(&mut pytest, Tally::of_pytest_line)
    });
    if kind == Kind::Light {
        return steps.leave_out("Python tests of Ray", "--light");
    }
    steps.run("Python tests of Ray", || {
        let interpreter = Kind::Ray.python()?;
        counted(pytest(&interpreter, "tests/python/ray_tune").env("PYTHONPATH", &site), Tally::of_pytest_line)
    });
}

fn pytest(interpreter: &Path, tests: &str) -> Command {
    let mut pytest = Command::new(interpreter);
    pytest.args(["-m", "pytest", "-p", "no:cacheprovider", "-rs", "--durations=5", "--durations-min=5"]);
    pytest.arg(tests).current_dir(root::repository());
    pytest.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
    pytest
}

/// The tests of the page need a browser; they skip themselves where there is none.
fn browser(steps: &mut Steps) {
    let mut lack = None;
    steps.run("Browser for the tests of the page", || {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        if !names.iter().any(|name| system::answers(name, &["--version"])) {
            match system::install(&["chromium", "fonts-dejavu-core"]) {
                Ok(()) => {}
                Err(Lack::Absent(why)) => lack = Some(why),
                Err(Lack::Failed(why)) => return Err(why),
            }
        }
        Ok(Tally::default())
    });
    if let Some(why) = lack {
        steps.leave_out("tests of the page in a browser", &why);
    }
}

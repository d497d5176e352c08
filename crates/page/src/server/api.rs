//! What can be asked for.
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use lehr_study::{Stopping, Study, StudyError, StudySummary, Waiting};
use serde_json::{Value as Json, json};

use super::App;
use super::live::{Live, lock};
use super::log;
use crate::asset::{self, CHARTS};
use crate::source;
use crate::thin::thin;

/// Points of a single trial's curve.
const POINTS: usize = 2000;

/// An answer that says what went wrong.
pub(super) struct Problem(pub StatusCode, pub String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

impl From<StudyError> for Problem {
    fn from(error: StudyError) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

fn missing(what: &str) -> Problem {
    Problem(StatusCode::NOT_FOUND, format!("there is no such {what}"))
}

/// Does what waits for a disk or a database where nobody waits for it.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let broken = |_| Problem(StatusCode::INTERNAL_SERVER_ERROR, "the work broke off".into());
    tokio::task::spawn_blocking(work).await.map_err(broken)
}

/// The study of a number.
pub(super) async fn opened(app: &Arc<App>, id: i64) -> Result<Arc<Live>, Problem> {
    let owner = Arc::clone(app);
    aside(move || owner.studies.live(id)).await??.ok_or_else(|| missing("study"))
}

/// The page, of the list and of a study: its script looks at the address.
pub(super) async fn shell() -> Html<&'static str> {
    Html(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Lehr</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"/page.css\">\n\
         <script src=\"/charts.js\" defer></script>\n<script src=\"/page.js\" defer></script>\n</head>\n\
         <body><main><p class=\"empty\">Reading …</p></main></body>\n</html>\n",
    )
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", asset::style())
}

pub(super) async fn charts() -> Response {
    file("text/javascript; charset=utf-8", CHARTS)
}

pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", asset::live_script())
}

/// The list of studies.
pub(super) async fn studies(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let storage = Arc::clone(&app.studies.storage);
    let url = storage.url().to_owned();
    let found = aside(move || storage.studies()).await??;
    let list: Vec<Json> = found.iter().map(summary).collect();
    let proof = app.actions.then(|| app.guard.proof());
    let files: Vec<Json> =
        app.files.iter().enumerate().map(|(id, file)| json!({ "id": id, "name": file.name() })).collect();
    let all = json!({ "schema": "lehr.studies/1", "storage": url, "studies": list, "files": files, "proof": proof });
    Ok(answer(all.to_string()))
}

fn summary(study: &StudySummary) -> Json {
    let states: Vec<(String, usize)> =
        study.trials.iter().map(|(s, n)| (s.name().to_lowercase(), *n)).collect();
    json!({
        "id": study.id.get(),
        "name": study.name,
        "maximize": study.directions.first() == Some(&lehr::search::Direction::Maximize),
        "trials": states,
        "runs": study.runs,
        "best": study.best,
        "started": study.started.map(|t| t / 1000),
        "ended": study.ended.map(|t| t / 1000),
    })
}

/// An answer in JSON.
pub(super) fn answer(body: impl Into<axum::body::Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

/// The view of a study.
pub(super) async fn view(State(app): State<Arc<App>>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let live = opened(&app, id).await?;
    let snapshot = live.latest().await.ok_or_else(|| missing("study"))?;
    let body = snapshot.view.map_err(|why| Problem(StatusCode::INTERNAL_SERVER_ERROR, why))?;
    Ok(([("x-lehr-version", snapshot.version.to_string())], answer(body)).into_response())
}

/// The view of a file of results, as it is now.
pub(super) async fn file_view(
    State(app): State<Arc<App>>,
    Path(id): Path<usize>,
) -> Result<Response, Problem> {
    let file = app.files.get(id).cloned().ok_or_else(|| missing("file"))?;
    let body = aside(move || {
        let view = source::read(&file.path, &file.columns).map_err(|error| error.to_string())?;
        serde_json::to_string(&view).map_err(|error| error.to_string())
    });
    let body = body.await?.map_err(|why| Problem(StatusCode::INTERNAL_SERVER_ERROR, why))?;
    Ok(answer(body))
}

/// One trial: its runs with their curves, and the ends of their logs.
pub(super) async fn trial(
    State(app): State<Arc<App>>,
    Path((id, number)): Path<(i64, usize)>,
) -> Result<Response, Problem> {
    let live = opened(&app, id).await?;
    live.latest().await;
    let owner = Arc::clone(&app);
    let found = aside(move || detail(&owner, &lock(&live.study), number)).await?;
    found.map(|json| answer(json.to_string())).ok_or_else(|| missing("trial"))
}

fn detail(app: &App, study: &Study, number: usize) -> Option<Json> {
    let records = study.records();
    let trial = records.trials().get(number)?;
    let run = |&number: &usize| {
        let run = records.runs().get(number)?;
        let (log, problem) = match run.log.as_deref().map(|path| log::tail(&app.logs, path)) {
            Some(Ok(text)) => (Some(text), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        Some(json!({
            "run": run.number, "state": run.state.name(), "horizon": run.horizon, "seed": run.seed, "value": run.value,
            "reason": run.reason, "worker": run.worker, "attempt": run.attempt, "steps": run.steps,
            "reports": points(records.reports_of(run.number)), "log": log, "log_path": run.log, "log_problem": problem,
        }))
    };
    let runs: Vec<Json> = trial.runs.iter().filter_map(run).collect();
    let own = runs.is_empty().then(|| points(&trial.reports));
    let open = !trial.state.is_finished();
    Some(json!({ "schema": "lehr.trial/1", "trial": number, "open": open, "runs": runs, "reports": own }))
}

fn points(reports: &[(u64, f64)]) -> Vec<(f64, f64)> {
    let points: Vec<(f64, f64)> = reports.iter().map(|&(step, value)| (step as f64, value)).collect();
    thin(&points, POINTS)
}

/// Refuses where changes are not allowed. The proof was checked on the way.
pub(super) fn allowed(app: &App) -> Result<(), Problem> {
    let why = "this server only shows: start it with --allow-actions";
    if app.actions { Ok(()) } else { Err(Problem(StatusCode::FORBIDDEN, why.into())) }
}

/// Ends a trial. The worker of a running one is asked to do so.
pub(super) async fn stop(
    State(app): State<Arc<App>>,
    Path((id, number)): Path<(i64, usize)>,
) -> Result<Response, Problem> {
    allowed(&app)?;
    let live = opened(&app, id).await?;
    let stopped = aside(move || {
        let study = lock(&live.study);
        study.storage().stop_trial(study.id(), number, "stopped from the page")
    })
    .await?
    .map_err(|error| Problem(StatusCode::CONFLICT, error.to_string()))?;
    let state = match stopped {
        Stopping::Ended(state) => Some(state.name()),
        Stopping::Asked => None,
    };
    Ok(answer(json!({ "state": state }).to_string()))
}

/// Lets a trial with the same parameters wait for a worker.
pub(super) async fn repeat(
    State(app): State<Arc<App>>,
    Path((id, number)): Path<(i64, usize)>,
) -> Result<Response, Problem> {
    allowed(&app)?;
    let live = opened(&app, id).await?;
    live.latest().await;
    let added = aside(move || {
        let study = lock(&live.study);
        let trial = study.records().trials().get(number)?;
        let waiting = Waiting { fixed: trial.params.clone(), ..Waiting::default() };
        Some(study.enqueue(&waiting))
    })
    .await?
    .ok_or_else(|| missing("trial"))??;
    Ok(answer(json!({ "trial": added }).to_string()))
}

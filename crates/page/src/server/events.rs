//! Server-sent events: a line whenever a study has a new view.
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::App;
use super::api::{Problem, opened};

/// `event: view`, with the number of the view as its data. A silent study gives a sign of life now and then.
pub(super) async fn events(State(app): State<Arc<App>>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let live = opened(&app, id).await?;
    let receiver = live.snapshots.clone();
    let stream = stream::unfold((live, receiver, 0), |(live, mut receiver, told)| async move {
        loop {
            live.touch();
            let version = receiver.borrow_and_update().as_ref().map_or(0, |snapshot| snapshot.version);
            if version > told {
                let event = Event::default().event("view").data(version.to_string());
                return Some((Ok::<_, Infallible>(event), (live, receiver, version)));
            }
            // Waking up now and then keeps the study from being let go.
            if let Ok(Err(_)) = tokio::time::timeout(Duration::from_secs(20), receiver.changed()).await {
                return None;
            }
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

//! Sequencers that answer what a test says: for what a real one does only in trouble.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

/// Answers each request with the same, and counts them.
pub(crate) struct Stub {
    pub(crate) url: String,
    requests: Arc<AtomicUsize>,
}

impl Stub {
    pub(crate) async fn start(status: u16, body: Value) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let state = (StatusCode::from_u16(status).unwrap(), body, requests.clone());
        let router = Router::new().fallback(answer).with_state(state);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, requests }
    }

    /// One that stands by.
    pub(crate) async fn standby() -> Self {
        Self::start(503, json!({ "code": "not_ready", "message": "standing by", "ready": false, "reason": "standing by" })).await
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn answer(State((status, body, requests)): State<(StatusCode, Value, Arc<AtomicUsize>)>) -> Response {
    requests.fetch_add(1, Ordering::SeqCst);
    (status, Json(body)).into_response()
}

/// Takes connections and never answers, as a process that was stopped.
pub(crate) async fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            open.push(connection);
        }
    });
    url
}

/// Nobody listens there.
pub(crate) async fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

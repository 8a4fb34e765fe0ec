//! The HTTP interface through all roles: one socket from the start, behind which the role changes.

use crate::error::Refusal;
use anyhow::Context;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::net::TcpListener;
use tower::ServiceExt;

/// Seconds after which it is worth asking again.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// What the sequencer does now.
#[derive(Clone)]
enum Role {
    /// It takes nothing, and says why, and who leads as far as that is known.
    Closed { reason: String, leader: Option<String> },
    /// It leads.
    Open(Router),
}

/// The socket, and who answers on it.
#[derive(Clone)]
pub(crate) struct Front {
    address: SocketAddr,
    role: Arc<RwLock<Role>>,
}

impl Front {
    /// Listens, and serves what the role of the moment answers until the task is aborted.
    ///
    /// # Errors
    /// If the address can't be listened on.
    pub(crate) async fn open_socket(listen: SocketAddr) -> anyhow::Result<(Self, tokio::task::JoinHandle<std::io::Result<()>>)> {
        let listener = TcpListener::bind(listen).await.with_context(|| format!("can't listen on {listen}"))?;
        let role = Role::Closed { reason: "starting".to_owned(), leader: None };
        let front = Self { address: listener.local_addr()?, role: Arc::new(RwLock::new(role)) };
        let router = Router::new().fallback(dispatch).with_state(front.clone());
        let server = tokio::spawn(async { axum::serve(listener, router).await });
        Ok((front, server))
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Nothing is taken from here on. Requests that are under way are still answered by the role that they came to.
    pub(crate) fn close(&self, reason: impl ToString, leader: Option<String>) {
        self.set(Role::Closed { reason: reason.to_string(), leader });
    }

    /// `router` answers from here on.
    pub(crate) fn open(&self, router: Router) {
        self.set(Role::Open(router));
    }

    fn set(&self, role: Role) {
        *self.role.write().unwrap_or_else(PoisonError::into_inner) = role;
    }
}

async fn dispatch(State(front): State<Front>, request: Request) -> Response {
    let role = front.role.read().unwrap_or_else(PoisonError::into_inner).clone();
    match role {
        Role::Open(router) => router.oneshot(request).await.unwrap_or_else(|never| match never {}),
        Role::Closed { reason, leader } => closed(request.uri().path(), &reason, leader.as_deref()),
    }
}

/// The answer of a sequencer that does not lead.
fn closed(path: &str, reason: &str, leader: Option<&str>) -> Response {
    let body = if path == "/health" {
        json!({ "ready": false, "reason": reason, "leader": leader })
    } else {
        let hint = leader.map_or_else(String::new, |address| format!("; {address} leads"));
        let message = format!("this sequencer takes nothing now ({reason}){hint}");
        json!({ "code": Refusal::NotReady.code(), "message": message, "leader": leader })
    };
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER_S)], Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;

    async fn ask(front: &Front, path: &str) -> (u16, String) {
        let response = reqwest::get(format!("http://{}{path}", front.address())).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    #[tokio::test]
    async fn the_role_of_the_moment_answers() {
        let (front, server) = Front::open_socket("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (status, body) = ask(&front, "/health").await;
        assert_eq!((status, body.contains("starting")), (503, true), "{body}");
        front.close("standing by", Some("http://10.0.0.1:7070".to_owned()));
        let (status, body) = ask(&front, "/submit").await;
        assert_eq!(status, 503);
        assert!(body.contains("not_ready") && body.contains("http://10.0.0.1:7070"), "{body}");
        front.open(Router::new().route("/health", get(|| async { "leads" })));
        assert_eq!(ask(&front, "/health").await, (200, "leads".to_owned()));
        assert_eq!(ask(&front, "/other").await.0, 404);
        front.close("unwinding", None);
        let (status, body) = ask(&front, "/health").await;
        assert_eq!((status, body.contains("unwinding")), (503, true), "{body}");
        server.abort();
    }
}

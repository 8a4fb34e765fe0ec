//! Runs a service until it is told to stop.

use anyhow::Result;
use std::future::Future;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Sends logs to stderr: our own at `info`, or as `RUST_LOG` says.
pub fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,hyper=warn,alloy=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}

/// Runs a service, and tells it to stop on Ctrl-C or SIGTERM.
///
/// # Errors
/// The service's own.
pub async fn run<C, F>(name: &str, config: C, service: impl FnOnce(C, Shutdown) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    start_logging();
    tracing::info!(service = name, pid = std::process::id(), "starting");
    let result = service(config, Box::pin(stop_signal()?)).await;
    match &result {
        Ok(()) => tracing::info!(service = name, "stopped"),
        Err(error) => tracing::error!(service = name, error = format!("{error:#}"), "failed"),
    }
    result
}

/// Resolves when the service is to stop.
pub type Shutdown = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// Resolves on Ctrl-C or SIGTERM. Listens from the call on, so that no signal is lost before it is awaited.
///
/// # Errors
/// If the system does not let us listen.
pub fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

//! A way to the database that becomes slow, breaks, or swallows everything, when it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// How often a connection that says nothing looks whether it is still to be there.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
struct Orders {
    /// What every packet waits for, milliseconds.
    latency_ms: AtomicU64,
    /// Connections up to this one swallow everything, and stay open.
    swallowed: AtomicU64,
}

/// The way; it ends with the runtime.
pub(crate) struct Proxy {
    address: SocketAddr,
    orders: Arc<Orders>,
    connections: Arc<AtomicU64>,
}

impl Proxy {
    /// A way to `server`, `host:port`.
    pub(crate) async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (orders, connections) = (Arc::<Orders>::default(), Arc::<AtomicU64>::default());
        let (told, counted) = (orders.clone(), connections.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let (client, server) = (client.into_split(), server.into_split());
                tokio::spawn(carry(client.0, server.1, told.clone(), number));
                tokio::spawn(carry(server.0, client.1, told.clone(), number));
            }
        });
        Self { address, orders, connections }
    }

    /// The URL of a database, by this way instead of the straight one.
    pub(crate) async fn lay(url: &str) -> (Self, String) {
        let from = url.rfind('@').map_or(url.find("://").unwrap() + 3, |at| at + 1);
        let until = url[from..].find('/').map_or(url.len(), |length| from + length);
        let server = &url[from..until];
        let proxy = Self::to(if server.contains(':') { server.to_owned() } else { format!("{server}:5432") }).await;
        let url = format!("{}{}{}", &url[..from], proxy.address, &url[until..]);
        (proxy, url)
    }

    /// Makes every packet wait this long.
    pub(crate) fn slow_down(&self, latency: Duration) {
        self.orders.latency_ms.store(latency.as_millis() as u64, Ordering::SeqCst);
    }

    /// Nothing of what is open now arrives any more, and nobody is told; new connections are good.
    pub(crate) fn swallow_what_is_open(&self) {
        self.orders.swallowed.store(self.connections.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, orders: Arc<Orders>, number: u64) {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let read = tokio::time::timeout(LOOK, from.read(&mut bytes)).await;
        if orders.swallowed.load(Ordering::SeqCst) >= number {
            // Both ends stay as they are.
            return std::future::pending().await;
        }
        let Ok(read) = read else { continue };
        let Ok(count @ 1..) = read else { return };
        let latency = orders.latency_ms.load(Ordering::SeqCst);
        if latency > 0 {
            tokio::time::sleep(Duration::from_millis(latency)).await;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

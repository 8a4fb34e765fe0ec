//! What is logged on a test's own thread: for tests that run on one.

use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing::subscriber::DefaultGuard;

/// The log from when it is started to when it is dropped.
pub(crate) struct Log {
    text: Text,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn start() -> Self {
        let text = Text::default();
        let writer = text.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_env_filter("sheaf_settlement=debug");
        let guard = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
        Self { text, _guard: guard }
    }

    /// The lines with these words.
    pub(crate) fn lines(&self, words: &str) -> Vec<String> {
        let text = String::from_utf8(self.text.0.lock().expect("no panic").clone()).expect("text");
        text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }
}

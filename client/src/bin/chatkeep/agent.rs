//! One `sync --watch` and the writers beside it, who speak through a socket: a writer asks for the home, the watcher
//! gives it away where everything done is kept, and takes it back when the writer has hung up, however it ended.
//!
//! Nothing but these two lines goes over the socket. It lies in a folder of this user alone.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::sync::mpsc;

const ASK: &str = "release\n";
const GIVEN: &str = "released\n";
/// Writers that wait; one more is turned away.
const WAITING_MAX: usize = 64;
/// A writer that connects says what it wants within this.
const SAY_WAIT: Duration = Duration::from_secs(5);

/// The watcher's end.
pub struct Agent {
    path: PathBuf,
    waiting: mpsc::Receiver<Asked>,
    listening: tokio::task::JoinHandle<()>,
}

/// A writer that waits for the home, or has it.
pub struct Asked(tokio::net::UnixStream);

impl Agent {
    /// Listens. The caller holds the home's lock, so a socket that is there already is nobody's.
    pub fn listen(path: &Path) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            client::home::private_dir(dir)?;
        }
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        let (sender, waiting) = mpsc::channel(WAITING_MAX);
        let listening = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let sender = sender.clone();
                tokio::spawn(async move {
                    let asked = tokio::time::timeout(SAY_WAIT, asked(stream)).await;
                    if let Ok(Some(asked)) = asked {
                        // A queue that is full drops the stream, and so tells the writer.
                        let _ = sender.try_send(asked);
                    }
                });
            }
        });
        Ok(Self { path: path.to_path_buf(), waiting, listening })
    }

    /// Waits for a writer who wants the home.
    pub async fn asked(&mut self) -> Asked {
        match self.waiting.recv().await {
            Some(asked) => asked,
            // The listener lives as long as this does.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.listening.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn asked(mut stream: tokio::net::UnixStream) -> Option<Asked> {
    let mut line = [0; ASK.len()];
    stream.read_exact(&mut line).await.ok()?;
    (line == ASK.as_bytes()).then_some(Asked(stream))
}

impl Asked {
    /// Tells the writer that the home's lock is free, and waits until it has hung up.
    pub async fn give(mut self) {
        if self.0.write_all(GIVEN.as_bytes()).await.is_ok() {
            let mut nothing = [0; 1];
            // A writer says no more: whatever is read is its end.
            let _ = self.0.read(&mut nothing).await;
        }
    }
}

/// The writer's end; hangs up when dropped.
pub struct Given(#[allow(dead_code, reason = "held for its end")] UnixStream);

/// Asks a watcher for the home and waits until it is given; nothing where none listens or none answers in time.
pub fn ask(path: &Path, wait: Duration) -> Option<Given> {
    let mut stream = UnixStream::connect(path).ok()?;
    stream.set_read_timeout(Some(wait)).ok()?;
    stream.write_all(ASK.as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).ok()?;
    (line == GIVEN).then_some(Given(stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_writer_has_the_home_until_it_hangs_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.sock");
        let long = Duration::from_secs(30);
        assert!(ask(&path, long).is_none(), "nobody listens");
        let mut agent = Agent::listen(&path).unwrap();
        let writer = tokio::task::spawn_blocking({
            let path = path.clone();
            move || ask(&path, long)
        });
        let given = tokio::spawn(agent.asked().await.give());
        let writer = writer.await.unwrap().expect("it is given");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!given.is_finished());
        drop(writer);
        given.await.unwrap();
        assert!(
            ask(&path, Duration::from_millis(50)).is_none(),
            "a watcher that does not answer is not waited for long"
        );
        drop(agent);
        assert!(!path.exists());
    }
}

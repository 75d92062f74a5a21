//! The first interrupt ends work at its next durable point, the second ends it at once.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::context::Context;
use crate::output::Output;
use crate::problem::{Problem, Result};

const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

static EXIT: AtomicU8 = AtomicU8::new(INTERRUPTED);

type Last = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What an interrupt does before it ends the process at once.
static LAST: Mutex<Option<Last>> = Mutex::new(None);
/// It is not waited for longer.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// As long as it lives, an interrupt does something before it ends the process.
pub struct Before(());

impl Before {
    pub fn exit(last: impl Future<Output = ()> + Send + 'static) -> Self {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(last));
        Self(())
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        drop(LAST.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// 130 or 143, by the signal that came.
pub fn exit_code() -> u8 {
    EXIT.load(Ordering::Relaxed)
}

/// Watches for signals as long as the process lives.
pub fn watch(context: &Context) -> Result<()> {
    let on = |kind| signal(kind).map_err(|e| Problem::internal(e.to_string()));
    let (mut interrupt, mut terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
    let mut asked = on(SignalKind::user_defined1())?;
    let (cancel, progress) = (context.cancel.clone(), context.progress.clone());
    let (json, quiet) = (context.output.json, context.output.quiet);
    tokio::spawn(async move {
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => INTERRUPTED,
                _ = terminate.recv() => TERMINATED,
                _ = asked.recv() => {
                    progress.line();
                    continue;
                }
            };
            // Without work that can stop by itself nothing half done is on its way: a kill leaves nothing behind.
            if cancel.is_cancelled() || !progress.has_begun() || Output::is_asking() {
                progress.end();
                let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(last) = last {
                    let _ = tokio::time::timeout(LAST_WAIT, last).await;
                }
                std::process::exit(code.into());
            }
            EXIT.store(code, Ordering::Relaxed);
            cancel.cancel();
            if !json && !quiet {
                eprintln!("Stopping where everything done is kept; once more stops at once.");
            }
        }
    });
    Ok(())
}

//! `sync --watch`: stays, and exchanges what is new as it happens.

use std::time::Duration;

use client::error::Error;
use client::sync::{Inbox, LiveOptions, News};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::alert::Alert;
use crate::agent::{Agent, Asked};
use crate::args::daily::Sync;
use crate::context::{Context, Writing};
use crate::notify::{State, tell};
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result, Warning};
use crate::terminal::{counted, duration};

/// How the holder of the lock calls itself.
pub const HOLDER: &str = "sync --watch";
/// How often a home that another writer has is asked for.
const HOME_WAIT: Duration = Duration::from_millis(250);

/// Why a stretch of watching ended where it was asked to.
enum Wish {
    Home(Asked),
    Configuration,
}

pub async fn run(context: &Context, args: &Sync) -> Result<Outcome> {
    let mut reload = signal(SignalKind::hangup()).map_err(|e| Problem::internal(e.to_string()))?;
    let mut context = context.again()?;
    let mut writing = home(&context).await?;
    let path = context.settings.places.agent_socket();
    let mut agent = Agent::listen(&path).map_err(|e| Problem::io(&path, &e))?;
    let (recorder, mut inbox) = Inbox::new();
    let mut ready = false;
    let mut alert = Alert::new(&context)?;
    loop {
        let mut wish = None;
        let ended = {
            let interval = args.interval.unwrap_or(context.settings.time("sync.interval"));
            let options = LiveOptions { interval, ..LiveOptions::default() };
            let work = context.work("sync").upload_limit(context.limit_upload());
            let mut told = |news: News<'_>| {
                line(&context, &news);
                alert.hear(&context, &news);
                if !std::mem::replace(&mut ready, true) {
                    tell(State::Ready);
                }
            };
            let Writing { vault, archive, .. } = &mut writing;
            let mut watching = std::pin::pin!(vault.watch(archive, &mut inbox, options, &work, &mut told));
            loop {
                tokio::select! {
                    ended = &mut watching => break ended,
                    asked = agent.asked(), if wish.is_none() => {
                        wish = Some(Wish::Home(asked));
                        recorder.release().await;
                    }
                    _ = reload.recv(), if wish.is_none() => {
                        wish = Some(Wish::Configuration);
                        recorder.release().await;
                    }
                }
            }
        };
        if let Err(error) = ended {
            context.progress.end();
            tell(State::Stopping);
            return Err(super::backup::told(&writing, error).await);
        }
        drop(writing);
        match wish {
            Some(Wish::Home(asked)) => asked.give().await,
            Some(Wish::Configuration) => match context.again() {
                Ok(again) => context = again,
                Err(problem) => {
                    let what = format!("the configuration is not taken over: {}", problem.message);
                    context.output.warn(&Warning::new("W_CONFIG", what).hint("correct it and send SIGHUP again"));
                }
            },
            None => {}
        }
        writing = home_again(&context, &mut agent).await?;
    }
}

/// Takes the home; another watcher is the one answer to wait for nothing.
async fn home(context: &Context) -> Result<Writing> {
    loop {
        match context.writing_alone(HOLDER) {
            Err(problem) if is_writer(&problem) => {}
            other => return other,
        }
        wait(context).await?;
    }
}

/// Takes the home back, after everybody who asks for it meanwhile.
async fn home_again(context: &Context, agent: &mut Agent) -> Result<Writing> {
    loop {
        match context.writing_alone(HOLDER) {
            Err(problem) if problem.exit == 11 => {}
            other => return other,
        }
        tokio::select! {
            asked = agent.asked() => asked.give().await,
            waited = wait(context) => waited?,
        }
    }
}

fn is_writer(problem: &Problem) -> bool {
    problem.exit == 11 && !problem.message.contains(HOLDER)
}

async fn wait(context: &Context) -> Result<()> {
    tokio::time::sleep(HOME_WAIT).await;
    if context.cancel.is_cancelled() { Err(Error::Cancelled.into()) } else { Ok(()) }
}

/// One line for what happened.
fn line(context: &Context, news: &News<'_>) {
    let (pulled, pushed, waiting, text) = match news {
        News::Level(done) => {
            // Begun anew at once: work that goes on is ended by a signal, not cut off.
            context.progress.end();
            context.progress.begin("sync");
            if done.disagreed {
                super::sync::disagreed(context);
            }
            let text = format!(
                "Level   pulled {}, pushed {}\n",
                counted(done.pulled_events, "event"),
                counted(done.pushed_events, "event")
            );
            (done.pulled_events, done.pushed_events, Some(done.attachments_waiting), text)
        }
        News::Came(events) => (*events, 0, None, format!("Pulled  {}\n", counted(*events, "event"))),
        News::Sent(events) => (0, *events, None, format!("Pushed  {}\n", counted(*events, "event"))),
        News::Away { error, wait } => {
            let what = format!("{error}; next try in {}", duration(wait.as_secs_f64()));
            context.output.warn(&Warning::new(error.code(), what));
            return;
        }
        _ => return,
    };
    if context.output.json {
        let more = json!({ "pulled_events": pulled, "pushed_events": pushed, "attachments_waiting": waiting });
        context.output.print(&format!("{}\n", changed("sync", pulled + pushed > 0, more)));
    } else if !context.output.quiet {
        context.output.print(&text);
    }
}

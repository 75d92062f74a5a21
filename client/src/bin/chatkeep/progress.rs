//! How far work is: a bar on a terminal, else plain or JSON lines, or nothing.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::vault::{Phase, Progress as Told, Wait};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::output::dumb;
use crate::terminal::{clean, count, duration, size};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Mode {
    /// A bar on a terminal, else nothing
    #[default]
    Auto,
    Bar,
    Lines,
    Json,
    None,
}

/// Shared by the work that tells, the ticker, and the signal that asks.
#[derive(Clone)]
pub struct Progress(Arc<Mutex<State>>);

struct State {
    mode: Mode,
    json: bool,
    interval: Duration,
    bar: Option<ProgressBar>,
    run: Option<Run>,
}

struct Run {
    op: &'static str,
    begun: Instant,
    moved: Instant,
    told: Option<Told>,
    /// What it waits for, until when.
    waits: Option<Waits>,
}

struct Waits {
    code: &'static str,
    why: String,
    until: Instant,
}

const INTERVAL_MIN: Duration = Duration::from_secs(1);

impl Progress {
    pub fn new(mode: Mode, interval: Duration, json: bool, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && !dumb();
        let mode = match mode {
            Mode::Auto if terminal && !json && !quiet => Mode::Bar,
            Mode::Auto => Mode::None,
            // stderr holds JSON lines only.
            Mode::Bar | Mode::Lines if json => Mode::Json,
            other => other,
        };
        Self(Arc::new(Mutex::new(State { mode, json, interval: interval.max(INTERVAL_MIN), bar: None, run: None })))
    }

    /// Begins telling about one run of work.
    pub fn begin(&self, op: &'static str) {
        let now = Instant::now();
        let interval = self.with(|state| {
            let first = state.run.is_none();
            state.run = Some(Run { op, begun: now, moved: now, told: None, waits: None });
            if state.mode == Mode::Bar && state.bar.is_none() {
                let style = ProgressStyle::with_template("{msg} [{wide_bar}] {percent}%");
                let bar = ProgressBar::new(0);
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
                state.bar = Some(bar);
            }
            (first && matches!(state.mode, Mode::Lines | Mode::Json)).then_some(state.interval)
        });
        if let Some(interval) = interval {
            let progress = self.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(interval).await;
                    progress.tick();
                }
            });
        }
    }

    pub fn has_begun(&self) -> bool {
        self.with(|state| state.run.is_some())
    }

    pub fn tell(&self, told: Told) {
        self.with(|state| {
            let Some(run) = &mut state.run else { return };
            if run.told != Some(told) {
                run.moved = Instant::now();
            }
            run.told = Some(told);
            if let Some(bar) = &state.bar {
                let (done, total) = amount(&told);
                bar.set_length(total.max(done));
                bar.set_position(done);
                bar.set_message(sentence(run));
            }
        });
    }

    /// Shows what the work waits for, and how long yet; with none it goes on.
    pub fn waits(&self, wait: Option<Wait<'_>>) {
        self.with(|state| {
            let Some(run) = &mut state.run else { return };
            run.waits = wait.map(|Wait { error, left }| Waits {
                code: error.code(),
                why: without_number(&error.to_string()),
                until: Instant::now() + left,
            });
            if let Some(bar) = &state.bar {
                bar.set_message(sentence(run));
                bar.tick();
            }
        });
    }

    fn tick(&self) {
        self.with(|state| {
            let Some(run) = &state.run else { return };
            match state.mode {
                Mode::Json => eprintln!("{}", object(run)),
                Mode::Lines => eprintln!("{}", sentence(run)),
                _ => {}
            }
        });
    }

    /// Prints one line now, whatever the mode.
    pub fn line(&self) {
        self.with(|state| match &state.run {
            None if state.json => {}
            None => eprintln!("nothing has begun yet"),
            Some(run) if state.json => eprintln!("{}", object(run)),
            Some(run) => eprintln!("{}", sentence(run)),
        });
    }

    /// Takes the bar away, before something else is printed.
    pub fn end(&self) {
        self.with(|state| {
            state.run = None;
            if let Some(bar) = state.bar.take() {
                bar.finish_and_clear();
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What has a total: bytes before items.
fn amount(told: &Told) -> (u64, u64) {
    if told.total_bytes > 0 { (told.done_bytes, told.total_bytes) } else { (told.done_items, told.total_items) }
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Read => "read",
        Phase::Encrypt => "encrypt",
        Phase::Upload => "upload",
        Phase::Commit => "commit",
        Phase::Download => "download",
        Phase::Verify => "verify",
        Phase::Write => "write",
    }
}

fn eta(run: &Run) -> Option<u64> {
    let (done, total) = amount(run.told.as_ref()?);
    let spent = run.begun.elapsed().as_secs_f64();
    let left = spent * total.checked_sub(done)? as f64 / done as f64;
    (done > 0 && total > 0 && left.is_finite()).then_some(left.ceil() as u64)
}

fn sentence(run: &Run) -> String {
    if let Some(waits) = &run.waits {
        return format!("{}: {}; next try in {} s", run.op, clean(&waits.why), seconds_until(waits.until));
    }
    let Some(told) = &run.told else { return format!("{}: beginning", run.op) };
    let mut text = format!("{}: {}", run.op, name(told.phase));
    if told.total_bytes > 0 || told.done_bytes > 0 {
        text += &format!(", {}", size(told.done_bytes));
        if told.total_bytes > 0 {
            text += &format!(" of {}", size(told.total_bytes));
        }
    }
    if told.total_items > 0 || told.done_items > 0 {
        text += &format!(", {}", count(told.done_items));
        if told.total_items > 0 {
            text += &format!(" of {}", count(told.total_items));
        }
        text += " items";
    }
    if let Some(left) = eta(run) {
        text += &format!(", {} left", duration(left as f64));
    }
    let stalled = run.moved.elapsed().as_secs();
    if stalled >= 10 {
        text += &format!(", nothing moved for {}", duration(stalled as f64));
    }
    text
}

/// A message without the operating system's numbers, which help nobody.
fn without_number(text: &str) -> String {
    match text.split_once(" (os error ").and_then(|(before, rest)| Some((before, rest.split_once(')')?.1))) {
        Some((before, after)) => format!("{before}{after}"),
        None => text.to_owned(),
    }
}

fn seconds_until(moment: Instant) -> u64 {
    moment.saturating_duration_since(Instant::now()).as_secs_f64().ceil() as u64
}

fn object(run: &Run) -> Value {
    let told =
        run.told.unwrap_or(Told { phase: Phase::Read, done_bytes: 0, total_bytes: 0, done_items: 0, total_items: 0 });
    json!({
        "schema": "chatkeep.progress/1",
        "op": run.op,
        "phase": name(told.phase),
        "done_bytes": told.done_bytes,
        "total_bytes": told.total_bytes,
        "done_items": told.done_items,
        "total_items": told.total_items,
        "eta_s": eta(run),
        "stalled_s": run.moved.elapsed().as_secs(),
        "waiting": run.waits.as_ref().map(|w| json!({ "code": w.code, "retry_in_s": seconds_until(w.until) })),
    })
}

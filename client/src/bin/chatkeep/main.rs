//! `chatkeep`: the client as a program.

mod agent;
mod args;
mod commands;
mod context;
mod interrupt;
mod keyring;
mod kit;
mod logging;
mod notify;
mod output;
mod problem;
mod progress;
mod scratch;
mod secrets;
mod settings;
mod terminal;
mod usage;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use serde_json::json;

use args::Cli;
use context::Context;
use output::Outcome;
use problem::{Problem, Result, Warning};

/// The product's name in this crate.
pub const NAME: &str = "chatkeep";

/// musl's own allocator has one lock for all threads (decision 15).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before any secret is in memory.
    let dumps = no_core_dumps();
    // Two libraries bring TLS; both must use the same cryptography.
    let provider = rustls::crypto::aws_lc_rs::default_provider().install_default();
    debug_assert!(provider.is_ok(), "nothing was installed before");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::tell(&error),
    };
    if cli.global.version {
        return version(cli.global.json);
    }
    let context = match Context::new(&cli.global) {
        Ok(context) => context,
        Err(problem) => return failed(cli.global.json, &problem),
    };
    if dumps.is_err() {
        context.output.warn(&Warning::new("W_CORE_DUMPS", "core dumps could not be switched off"));
    }
    let begun = std::time::Instant::now();
    let ended = run(&cli, &context);
    context.progress.end();
    let problem = ended.as_ref().err().map_or("none", |problem| problem.code);
    let code = match ended {
        Ok(outcome) => {
            context.output.answer(&outcome);
            if outcome.exit == 0 && context.output.warned() { 3 } else { outcome.exit }
        }
        Err(problem) => {
            context.output.fail(&problem);
            if problem.exit == 130 { interrupt::exit_code() } else { problem.exit }
        }
    };
    let command = cli.command.as_ref().map_or("none", args::Command::name);
    let duration_s = begun.elapsed().as_secs_f64();
    tracing::info!(command, exit = code, problem, duration_s, version = env!("CARGO_PKG_VERSION"), "ended");
    ExitCode::from(code)
}

fn run(cli: &Cli, context: &Context) -> Result<Outcome> {
    let Some(command) = &cli.command else {
        return Err(Problem::usage("a command is missing").hint("`chatkeep --help` lists them"));
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Problem::internal(e.to_string()))?;
    let _signals = runtime.enter();
    interrupt::watch(context)?;
    if command.stays() {
        // In one thread no message waits for another to wake; signals are heard beside it, whatever it does.
        let one = tokio::runtime::Builder::new_current_thread().enable_all().build();
        return one.map_err(|e| Problem::internal(e.to_string()))?.block_on(commands::run(command, context));
    }
    runtime.block_on(commands::run(command, context))
}

fn failed(json: bool, problem: &Problem) -> ExitCode {
    let json = json || settings::asks_for_json();
    output::Output::new(json, false, true, output::Colour::Auto).fail(problem);
    ExitCode::from(problem.exit)
}

fn version(json: bool) -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    if json {
        let _ = writeln!(
            std::io::stdout(),
            "{}",
            json!({ "schema": "chatkeep.version/1", "name": NAME, "version": version })
        );
    } else {
        let _ = writeln!(std::io::stdout(), "{NAME} {version}");
    }
    ExitCode::SUCCESS
}

#[cfg(unix)]
fn no_core_dumps() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(std::io::Error::from)
}

#[cfg(not(unix))]
fn no_core_dumps() -> std::io::Result<()> {
    Ok(())
}

//! `chatkeepd`: the service as a program, and its administration.

mod admin;
mod cli;
mod output;
mod serve;
mod stores;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Parser as _;
use service::config::{Config, ConfigError, load};
use service::ops::process;

use cli::{Cli, Command, ConfigCommand};
use output::{Failure, Output};

/// musl's own allocator has one lock for all threads (decision 15).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before any secret is in memory.
    let dumps_off = process::no_core_dumps();
    // Two libraries bring TLS; both must use the same cryptography.
    let provider = rustls::crypto::aws_lc_rs::default_provider().install_default();
    debug_assert!(provider.is_ok(), "nothing was installed before");
    let json = std::env::args().any(|a| a == "--json");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error, json),
    };
    let output = Output { json: cli.global.json };
    if dumps_off.is_err() {
        output.warn("core dumps could not be switched off");
    }
    match run(&cli, &output) {
        Ok(code) => code,
        Err(failure) => output.fail(&failure),
    }
}

fn run(cli: &Cli, output: &Output) -> Result<ExitCode, Failure> {
    let config = configuration(cli)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Failure::internal(e.to_string()))?;
    match &cli.command {
        Command::Serve { .. } => runtime.block_on(serve::run(config)).map(|()| ExitCode::SUCCESS),
        Command::Config(ConfigCommand::Check) => Ok(output.config_checked(&config)),
        Command::Config(ConfigCommand::Print) => output.config(&config),
        command => runtime.block_on(admin::run(command, &config, output)),
    }
}

fn configuration(cli: &Cli) -> Result<Config, Failure> {
    // Variables that are not text are none of ours.
    let env: BTreeMap<String, String> =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
    let loaded = load(cli.global.config.as_deref(), &env, &cli.keys(), process::is_privileged());
    loaded.map_err(|e: ConfigError| Failure::new("E_CONFIG", 2, e.to_string()))
}

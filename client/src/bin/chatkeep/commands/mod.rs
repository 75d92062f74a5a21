//! The commands: one file each, with one `run`.

mod accounts;
mod backup;
mod check;
mod completions;
mod config;
mod device;
mod doctor;
mod explain;
mod forget;
mod from_bucket;
mod log;
mod login;
mod logout;
mod man;
mod passphrase;
mod recovery;
mod register;
mod restore;
mod snapshots;
mod status;
mod sync;

use crate::args::Command;
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::Result;

pub async fn run(command: &Command, context: &Context) -> Result<Outcome> {
    match command {
        Command::Register(args) => register::run(context, args).await,
        Command::Login(args) => login::run(context, args).await,
        Command::Logout(args) => logout::run(context, args).await,
        Command::Backup(args) => backup::run(context, args).await,
        Command::Restore(args) => restore::run(context, args).await,
        Command::Sync(_) => sync::run(context).await,
        Command::Status(args) => status::run(context, args).await,
        Command::Log(args) => log::run(context, args),
        Command::Device(command) => device::run(context, command).await,
        Command::Passphrase(command) => passphrase::run(context, command).await,
        Command::Recovery(command) => recovery::run(context, command).await,
        Command::Check(args) => check::run(context, args).await,
        Command::Forget(args) => forget::run(context, args).await,
        Command::Unforget(args) => forget::show_again(context, args).await,
        Command::Doctor(args) => doctor::run(context, args).await,
        Command::Config(command) => config::run(context, command),
        Command::Completions(args) => completions::run(context, args),
        Command::Man(args) => man::run(args),
        Command::Explain(args) => explain::run(args),
    }
}

//! The commands: one file each, with one `run`.

mod account;
mod accounts;
mod acts;
mod alert;
mod backup;
mod chats;
mod check;
mod completions;
mod config;
mod delete;
mod device;
mod doctor;
mod edit;
mod explain;
mod exporting;
mod follow;
mod forget;
mod formats;
mod from_bucket;
mod imports;
mod join;
mod link;
mod log;
mod login;
mod logout;
mod man;
mod messages;
mod passphrase;
mod react;
mod recovery;
mod refused;
mod register;
mod restore;
mod retention;
mod search;
mod service;
mod show;
mod snapshots;
mod status;
mod sync;
mod undelete;
mod view;
mod watch;

use crate::args::Command;
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::Result;

pub async fn run(command: &Command, context: &Context) -> Result<Outcome> {
    match command {
        Command::Register(args) => register::run(context, args).await,
        Command::Login(args) => login::run(context, args).await,
        Command::Join(args) => join::run(context, args).await,
        Command::Logout(args) => logout::run(context, args).await,
        Command::Account(command) => account::run(context, command).await,
        Command::Backup(args) => backup::run(context, args).await,
        Command::Import(args) => imports::run(context, args),
        Command::Formats(_) => Ok(formats::run()),
        Command::Restore(args) => restore::run(context, args).await,
        Command::Sync(args) if args.watch => watch::run(context, args).await,
        Command::Sync(_) => sync::run(context).await,
        Command::Service(command) => service::run(context, command),
        Command::Status(args) => status::run(context, args).await,
        Command::Log(args) => log::run(context, args),
        Command::Chats(_) => chats::run(context),
        Command::Show(args) if args.follow => follow::run(context, args).await,
        Command::Show(args) => show::run(context, args),
        Command::Search(args) => search::run(context, args),
        Command::Export(args) => exporting::run(context, args),
        Command::Edit(args) => edit::run(context, args).await,
        Command::React(args) => react::run(context, args).await,
        Command::Delete(args) => delete::run(context, args).await,
        Command::Undelete(args) => undelete::run(context, args).await,
        Command::Device(command) => device::run(context, command).await,
        Command::Passphrase(command) => passphrase::run(context, command).await,
        Command::Recovery(command) => recovery::run(context, command).await,
        Command::Check(args) => check::run(context, args).await,
        Command::Forget(args) => forget::run(context, args).await,
        Command::Unforget(args) => forget::show_again(context, args).await,
        Command::Retention(command) => retention::run(context, command).await,
        Command::Doctor(args) => doctor::run(context, args).await,
        Command::Config(command) => config::run(context, command),
        Command::Completions(args) => completions::run(context, args),
        Command::Man(args) => man::run(args),
        Command::Explain(args) => explain::run(args),
    }
}

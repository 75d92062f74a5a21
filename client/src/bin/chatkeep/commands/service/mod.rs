//! `service`: `sync --watch` as a service of the person who is signed in, by the computer's own service supervisor.

mod supervisor;

use std::fs;

use serde_json::json;

use self::supervisor::{Standing, Supervisor};
use crate::args::service::{Install, Service, Uninstall};
use crate::context::Context;
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result, Warning};

pub fn run(context: &Context, command: &Service) -> Result<Outcome> {
    let supervisor = Supervisor::of(context)?;
    match command {
        Service::Install(args) => install(context, &supervisor, args),
        Service::Uninstall(args) => uninstall(context, &supervisor, args),
        Service::Status => Ok(status(&supervisor)),
    }
}

fn install(context: &Context, supervisor: &Supervisor, args: &Install) -> Result<Outcome> {
    // Without an account the service would end at once, each time.
    context.vault()?;
    let (path, unit) = (supervisor.path(), supervisor.unit()?);
    let more = |running: bool| json!({ "path": path, "running": running, "dry_run": args.dry_run });
    if args.dry_run {
        let text = format!("Would write {}:\n\n{unit}\nand start it. Nothing changed.\n", path.display());
        return Ok(Outcome::new(changed("service-install", false, more(false)), text));
    }
    let same = fs::read_to_string(path).is_ok_and(|known| known == unit);
    if !same {
        let folder = path.parent().ok_or_else(|| Problem::internal("a service file without a folder"))?;
        fs::create_dir_all(folder).map_err(|e| Problem::io(folder, &e))?;
        fs::write(path, &unit).map_err(|e| Problem::io(path, &e))?;
    }
    let started = supervisor.start();
    let running = started.is_ok();
    let mut text = format!("Installed {}.\n", path.display());
    match started {
        Ok(()) => text += "It runs, now and whenever you sign in to this computer. `chatkeep service status` looks.\n",
        Err(why) => {
            let warning = Warning::new("W_SERVICE", format!("the service is installed, and did not start: {why}"));
            context.output.warn(&warning.hint(supervisor.by_hand()));
        }
    }
    Ok(Outcome::new(changed("service-install", !same, more(running)), text))
}

fn uninstall(context: &Context, supervisor: &Supervisor, args: &Uninstall) -> Result<Outcome> {
    let path = supervisor.path();
    let more = json!({ "path": path, "dry_run": args.dry_run });
    if !path.exists() {
        return Ok(Outcome::new(changed("service-uninstall", false, more), "No service is installed.\n"));
    }
    if args.dry_run {
        let text = format!("Would stop the service and remove {}. Nothing changed.\n", path.display());
        return Ok(Outcome::new(changed("service-uninstall", false, more), text));
    }
    if let Err(why) = supervisor.stop() {
        // Where no manager answers, nothing of it runs; the file would start it the next time.
        context.output.warn(&Warning::new("W_SERVICE", format!("the service could not be told to stop: {why}")));
    }
    fs::remove_file(path).map_err(|e| Problem::io(path, &e))?;
    supervisor.forget();
    let text = format!("Removed {}. The account and the archive are as they were.\n", path.display());
    Ok(Outcome::new(changed("service-uninstall", true, more), text))
}

fn status(supervisor: &Supervisor) -> Outcome {
    let installed = supervisor.path().exists();
    let Standing { running, enabled } = if installed { supervisor.standing() } else { Standing::default() };
    let text = match (installed, running, enabled) {
        (false, ..) => "No service is installed. `chatkeep service install` installs it.\n",
        (true, true, true) => "Running, and started whenever you sign in to this computer.\n",
        (true, true, false) => {
            "Running, and not started by itself the next time. `chatkeep service install` mends it.\n"
        }
        (true, false, _) => "Installed, and not running. `chatkeep service install` starts it.\n",
    };
    let json = json!({
        "schema": "chatkeep.service/1",
        "installed": installed,
        "running": running,
        "enabled": enabled,
        "path": supervisor.path(),
    });
    // For monitoring: something that should run and does not is not well.
    Outcome::new(json, text).exit(if installed && !running { 3 } else { 0 })
}

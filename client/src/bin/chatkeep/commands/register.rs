//! `register`: an account, its vault and its first device.

use std::path::{Path, PathBuf};

use client::crypto::RecoveryKey;
use client::crypto::passphrase::Passphrase;
use client::error::Error;
use client::vault::{Registration, Vault, Where};
use zeroize::Zeroizing;

use super::accounts::{answer, label, split};
use crate::args::account::Register;
use crate::context::Context;
use crate::kit::{Owner, Reserved};
use crate::output::{Outcome, to_terminal};
use crate::problem::{Problem, Result};
use crate::secrets::{self, Chosen};

pub async fn run(context: &Context, args: &Register) -> Result<Outcome> {
    let (name, server) = split(&args.account)?;
    if args.kit.is_none() && !args.no_recovery_key && !context.output.may_ask() {
        return Err(no_place());
    }
    let home = context.home();
    let keys = context.keys();
    Vault::check_free(&home, &*keys)?;
    let at = context.at(&server)?;
    let invite = secrets::invite(&args.invite)?;
    let given = secrets::given_passphrase(&args.passphrase)?;
    if given.is_none() && context.output.may_ask() {
        admitted(&at, invite.is_some()).await?;
    }
    let make = || Passphrase::generate(&mut context.env.entropy.clone());
    let place = place(context, args, name.as_str())?;
    let chosen = match given {
        Some(passphrase) => Chosen::Given(passphrase),
        None => secrets::first_passphrase(&context.output, &args.passphrase, make)?,
    };
    if let Chosen::Made(passphrase) = &chosen {
        to_terminal(&format!("Your passphrase:   {}\n", passphrase.text()));
    }
    let label = label(context, args.device_name.as_ref());
    // The kit first: from the moment the account exists, its owner has a way in.
    let mut kit = match &place {
        None => None,
        Some(path) => {
            let (mut kit, key) = (Reserved::new(path)?, RecoveryKey::generate(&mut context.env.entropy.clone()));
            let server = at.connector.server().to_owned();
            let account = format!("{}@{server}", name.as_str());
            kit.fill(&Owner { account: &account, server: &server, made_ms: context.now_ms() }, &key)?;
            Some((kit, key))
        }
    };
    let key = kit.as_ref().map(|(_, key)| key);
    let made = Vault::register(at, name, chosen.into_inner(), key, label, invite, None).await;
    let joined = match &mut kit {
        Some((kit, _)) => kit.settle(made)?,
        None => made?,
    };
    let account = joined.identity().shown();
    let exists =
        |problem: Box<Problem>| problem.hint(format!("the account was made: `chatkeep login {account}` gets in"));
    let _lock = context.lock("register").map_err(exists)?;
    let vault = joined.install(&home, &*keys).map_err(|error| exists(error.into()))?;
    if let Some((kit, key)) = &kit {
        show(context, key, kit.path())?;
    }
    context.tell_key_place();
    let device = vault.devices().into_iter().find(|d| d.current).map(|d| d.name).unwrap_or_default();
    let text = format!(
        "Account {account} is ready. This device: \"{device}\".\n{}Next: chatkeep backup PATH-TO-EXPORT\n",
        if kit.is_some() {
            "Nobody, including the server's operator, can recover it without one of these two.\n"
        } else {
            "There is no recovery key: without the passphrase nobody can recover it. `chatkeep recovery new` makes one.\n"
        }
    );
    Ok(Outcome::new(answer(&vault, place.as_deref(), true), text))
}

/// Where the kit goes; none where the person wants no recovery key.
fn place(context: &Context, args: &Register, name: &str) -> Result<Option<PathBuf>> {
    if args.kit.is_some() || args.no_recovery_key {
        return Ok(args.kit.clone());
    }
    let usual = format!("chatkeep-kit-{name}.txt");
    let question = format!("Write the recovery kit to (empty = {usual}, none = no recovery key): ");
    loop {
        let typed = context.output.ask(&question)?.ok_or_else(no_place)?;
        match typed.trim() {
            "" => return Ok(Some(PathBuf::from(usual))),
            "none" => {
                let question = "Without it, whoever forgets the passphrase has lost everything. No recovery key?";
                if context.output.confirm(question, false)? {
                    return Ok(None);
                }
            }
            path => return Ok(Some(crate::settings::expand(path))),
        }
    }
}

fn no_place() -> Box<Problem> {
    Problem::new("E_INPUT_REQUIRED", 2, "a place for the recovery kit is needed")
        .hint("pass --kit FILE, or --no-recovery-key to go without a second way in")
}

/// Asks the server whether it takes new accounts, before a person thinks about a passphrase.
async fn admitted(at: &Where, invited: bool) -> Result<()> {
    let facts = Vault::peek(at).await?;
    let closed = match facts.registration {
        Registration::Open => false,
        Registration::Invite => !invited,
        _ => true,
    };
    if closed { Err(Error::RegistrationClosed { server: at.connector.server().to_owned() }.into()) } else { Ok(()) }
}

/// Shows the recovery key this once, and has two of its groups typed back.
pub fn show(context: &Context, key: &RecoveryKey, kit: &Path) -> Result<()> {
    let output = &context.output;
    if !output.may_ask() {
        return Ok(());
    }
    let text = key.text();
    to_terminal(&format!("Your recovery key: {}  (written to {})\n", *text, kit.display()));
    // The groups behind the mark; which two are asked for changes with the key.
    let groups: Vec<&str> = text.split('-').skip(1).collect();
    let pick = text.bytes().fold(0usize, |sum, b| sum.wrapping_add(usize::from(b)));
    let (first, second) = (pick % 3, 3 + pick % 4);
    for _ in 0..3 {
        let question = format!("Type groups {} and {} to confirm you have it: ", first + 1, second + 1);
        let typed = Zeroizing::new(output.ask(&question)?.unwrap_or_default());
        let plain = |t: &str| {
            let kept = t.chars().filter(|c| c.is_alphanumeric());
            kept.map(|c| match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                c => c,
            })
            .collect::<String>()
        };
        let wanted: String = [first, second].iter().filter_map(|at| groups.get(*at)).copied().collect();
        if plain(&typed) == plain(&wanted) {
            return Ok(());
        }
        output.note("That is not what the kit says.");
    }
    output.note("Never mind: the account is ready. `chatkeep recovery check` tests the key at any time.");
    Ok(())
}

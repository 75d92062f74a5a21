use clap::{Command, CommandFactory as _, Parser as _};

use super::Cli;

fn walk(command: &Command, visit: &mut impl FnMut(&Command)) {
    visit(command);
    command.get_subcommands().for_each(|sub| walk(sub, visit));
}

#[test]
fn every_flag_is_explained_and_every_example_parses() {
    Cli::command().debug_assert();
    let mut examples = Vec::new();
    walk(&Cli::command(), &mut |command| {
        assert!(command.get_about().is_some(), "{} says what it does", command.get_name());
        for flag in command.get_arguments().filter(|a| !a.is_positional()) {
            assert!(flag.get_help().is_some(), "{} --{}", command.get_name(), flag.get_id());
        }
        if command.get_subcommands().next().is_none() {
            let text = command.get_after_long_help().expect("every command shows examples").to_string();
            let lines: Vec<_> = text.lines().skip(1).map(|l| l.trim().to_owned()).collect();
            assert!(lines.len() >= 2, "{}", command.get_name());
            examples.extend(lines);
        }
    });
    assert!(examples.len() > 40, "the walk sees the commands");
    for example in examples {
        let parsed = Cli::try_parse_from(example.split_whitespace());
        assert!(parsed.is_ok(), "{example}: {}", parsed.err().unwrap());
    }
}

#[test]
fn flags_of_every_command_stand_before_and_after_it() {
    for line in ["chatkeep --json --profile work status", "chatkeep status --json --profile work"] {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert!(cli.global.json && cli.global.profile.as_deref() == Some("work"), "{line}");
    }
}

/// What a flag takes stands in process lists and shell histories, so no flag takes a secret.
#[test]
fn no_flag_takes_a_secret() {
    walk(&Cli::command(), &mut |command| {
        for flag in command.get_arguments() {
            let id = flag.get_id().as_str();
            let secret = ["passphrase", "recovery_key", "invite", "pairing_code"].contains(&id);
            assert!(!secret || !flag.get_action().takes_values(), "{} {id}", command.get_name());
        }
    });
}

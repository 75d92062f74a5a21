//! `config`: what is set on this device, and why.

use serde_json::{Value, json};

use crate::args::about::Config;
use crate::context::Context;
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result};
use crate::settings::{self, Setting};

pub fn run(context: &Context, command: &Config) -> Result<Outcome> {
    let settings = &context.settings;
    let path = settings.places.config.display().to_string();
    match command {
        Config::Path => {
            let shown = |path: &std::path::Path| path.display().to_string();
            let places = &settings.places;
            let json = json!({
                "schema": "chatkeep.config-path/1",
                "path": path,
                "home": shown(&places.home),
                "log": shown(&places.state.join(crate::logging::FILE)),
                "cache": shown(&places.cache),
            });
            Ok(Outcome::new(json, format!("{path}\n")))
        }
        Config::Show(args) => {
            let list: Vec<Value> = settings.all.iter().map(Setting::to_json).collect();
            let sources: Vec<Value> = settings
                .sources
                .iter()
                .map(|s| json!({ "path": s.path.display().to_string(), "format": s.format }))
                .collect();
            let mut text = String::new();
            for Setting { key, value, origin } in &settings.all {
                let value = value.as_deref().unwrap_or("-");
                text +=
                    &if args.origin { format!("{key} = {value}  ({origin})\n") } else { format!("{key} = {value}\n") };
            }
            for source in &settings.sources {
                text += &format!("backup.sources = {} ({})\n", source.path.display(), source.format);
            }
            let json = json!({ "schema": "chatkeep.config/1", "path": path, "settings": list, "sources": sources });
            Ok(Outcome::new(json, text))
        }
        Config::Get(args) => {
            let found = settings.setting(&args.key).ok_or_else(|| unknown(&args.key))?;
            let mut json = found.to_json();
            if let Some(object) = json.as_object_mut() {
                object.insert("schema".to_owned(), json!("chatkeep.config-get/1"));
            }
            let text = found.value.as_ref().map(|v| format!("{v}\n")).unwrap_or_default();
            Ok(Outcome::new(json, text))
        }
        Config::Set(args) => {
            let before = settings.value(&args.key) == Some(args.value.as_str());
            settings::set(&settings.places.config, &args.key, &args.value, settings.profile.as_deref())?;
            let more = json!({ "key": args.key, "value": args.value, "path": path });
            let text = format!("{} = {} in {path}\n", args.key, args.value);
            Ok(Outcome::new(changed("config-set", !before, more), text))
        }
    }
}

fn unknown(key: &str) -> Box<Problem> {
    Problem::new("E_CONFIG", 2, format!("unknown key \"{key}\"")).hint("`chatkeep config show` lists all keys")
}

//! House rules that the text of a file can break.

use crate::sources::{File, code, files, is_test, production};

const LINES_MAX: usize = 600;
/// Files that may be longer, each with its reason beside it.
const LONGER: [&str; 0] = [];

/// Ends of file names that hold what people write by hand.
const WRITTEN: [&str; 7] = [".rs", ".py", ".proto", ".md", ".toml", ".sh", "/run"];

/// Unfinished or switched-off code. Put together here so that this list does not find itself.
const UNFINISHED: [&str; 5] = [
    concat!("to", "do!"),
    concat!("unimplemented", "!("),
    concat!("db", "g!("),
    concat!("FIX", "ME"),
    concat!("#[ig", "nore"),
];

/// Direct ways to time and randomness, which come in from outside everywhere but in the adapters.
const DIRECT: [&str; 9] = [
    "SystemTime::now",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "thread_rng",
    "rand::rng(",
    "getrandom",
    "from_os_rng",
    "OsRng",
];

/// Paths of one machine. The last, a folder every machine has, may stand in a sample session but not in code.
const MACHINE_PATHS: [&str; 5] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/"), concat!("/t", "mp/")];

const EMPTY_NAMES: [&str; 8] = ["common", "util", "utils", "helper", "helpers", "manager", "misc", "shared"];

type Rule = fn(&File) -> Vec<String>;

const RULES: [(&str, Rule); 6] = [
    ("is longer than 600 lines", too_long),
    ("holds unfinished or switched-off code", unfinished),
    ("allows a lint without a reason", bare_allow),
    ("takes time or randomness directly", direct),
    ("names a path of one machine", machine_path),
    ("has a name that says nothing", empty_name),
];

fn too_long(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    let held = WRITTEN.iter().any(|end| file.path.ends_with(end)) && !LONGER.contains(&file.path.as_str());
    if held && lines > LINES_MAX { vec![format!("{lines} lines")] } else { Vec::new() }
}

fn unfinished(file: &File) -> Vec<String> {
    if !file.path.ends_with(".rs") {
        return Vec::new();
    }
    UNFINISHED.iter().filter(|word| file.text.contains(**word)).map(|word| (*word).to_owned()).collect()
}

fn bare_allow(file: &File) -> Vec<String> {
    if !file.path.ends_with(".rs") {
        return Vec::new();
    }
    let code = code(&file.text);
    let mut bare = Vec::new();
    for opening in
        [concat!("#[", "allow("), concat!("#![", "allow("), concat!("#[", "expect("), concat!("#![", "expect(")]
    {
        for (at, _) in code.match_indices(opening) {
            let attribute = code[at..].split(")]").next().unwrap_or_default();
            if !attribute.contains("reason = \"") {
                bare.push(attribute.to_owned());
            }
        }
    }
    bare
}

fn direct(file: &File) -> Vec<String> {
    let adapter = ["client/src/env", "service/src/env"]
        .iter()
        .any(|env| file.path.strip_prefix(env).is_some_and(|rest| rest.starts_with('/') || rest == ".rs"));
    let library = file.path.contains("/src/") && !file.path.contains("/src/bin/");
    if adapter || !library || is_test(&file.path) || !file.path.ends_with(".rs") {
        return Vec::new();
    }
    let code = production(&file.text);
    DIRECT.iter().filter(|way| code.contains(**way)).map(|way| (*way).to_owned()).collect()
}

fn machine_path(file: &File) -> Vec<String> {
    let held = if file.path.ends_with(".md") { &MACHINE_PATHS[..4] } else { &MACHINE_PATHS[..] };
    // Behind a letter or digit it is a folder of the project's own, such as the client's for homes.
    let absolute = |at: usize| !file.text[..at].ends_with(|before: char| before.is_alphanumeric());
    let names = |path: &str| file.text.match_indices(path).any(|(at, _)| absolute(at));
    held.iter().filter(|path| names(path)).map(|path| (*path).to_owned()).collect()
}

fn empty_name(file: &File) -> Vec<String> {
    let parts = file.path.split('/').map(|part| part.split_once('.').map_or(part, |(stem, _)| stem));
    parts.filter(|stem| EMPTY_NAMES.contains(stem)).map(str::to_owned).collect()
}

#[test]
fn every_file_keeps_the_house_rules() {
    let files = files();
    let mut broken = Vec::new();
    for (says, rule) in RULES {
        for file in &files {
            broken.extend(rule(file).iter().map(|what| format!("{} {says}: {what}", file.path)));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Each rule finds its breach where it counts, and lets pass what only looks like one.
#[test]
fn every_rule_finds_its_breach() {
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let long = "line\n".repeat(LINES_MAX + 1);
    let breaches: [(Rule, &str, &str); 13] = [
        (too_long, "client/src/a.rs", &long),
        (too_long, "docs/a.md", &long),
        (unfinished, "tests/tests/a.rs", UNFINISHED[0]),
        (unfinished, "client/src/a.rs", UNFINISHED[4]),
        (bare_allow, "client/src/a.rs", concat!("#[al", "low(dead_code)]")),
        (bare_allow, "client/src/a.rs", concat!("#![", "expect(\n  dead_code,\n)]\nlet reason = \"none\";")),
        (direct, "client/src/a.rs", "let now = SystemTime::now();"),
        (direct, "client/src/environment.rs", "getrandom::fill(&mut out)"),
        (direct, "service/src/b/mod.rs", "tokio::time::Instant::now()"),
        (machine_path, "docs/a.md", MACHINE_PATHS[0]),
        (machine_path, "service/src/a.rs", MACHINE_PATHS[4]),
        (empty_name, "client/src/util/mod.rs", ""),
        (empty_name, "client/src/helpers.rs", ""),
    ];
    for (rule, path, text) in breaches {
        assert!(!rule(&file(path, text)).is_empty(), "{path}: {text:.40}");
    }
    let kept: [(Rule, &str, &str); 10] = [
        (machine_path, "docs/a.md", concat!("client/src/ho", "me/keys.rs")),
        (too_long, "client/src/a.rs", &long[5..]),
        (too_long, "proto/golden/a.txt", &long),
        (bare_allow, "client/src/a.rs", concat!("#[", "allow(dead_code, reason = \"spoken\")]")),
        (bare_allow, "client/src/a.rs", "x.expect(\"holds\")"),
        (direct, "client/src/env/mod.rs", "SystemTime::now()"),
        (direct, "client/src/bin/chatkeep/main.rs", "SystemTime::now()"),
        (direct, "client/src/log/tests/a.rs", "Instant::now()"),
        (direct, "client/src/a.rs", "// no Instant::now here\n#[cfg(test)]\nmod tests {\n    use OsRng;\n}"),
        (empty_name, "client/src/utility_bill.rs", ""),
    ];
    for (rule, path, text) in kept {
        assert_eq!(rule(&file(path, text)), [""; 0], "{path}: {text:.40}");
    }
}

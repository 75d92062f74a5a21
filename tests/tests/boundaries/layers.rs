//! The client's layers: imports go down only (the order stands in `client/src/lib.rs`).

use crate::sources::{File, is_test, production, rust_files};

/// Low to high. `event` is plain types, and `crypto` computes their ids. What stands in one line may not import its neighbours either.
const LAYERS: [&[&str]; 8] = [
    &["ids", "fields"],
    &["crypto"],
    &["event", "env"],
    &["merge", "chunk"],
    &["pack"],
    &["strata", "log"],
    &["vault"],
    &["sync", "import"],
];

/// At the edge: they may use the layers below `vault`, and only `vault`, `sync` and the binary may use them.
const ADAPTERS: [&str; 5] = ["sources", "archive", "home", "remote", "writers"];

/// The adapters that may use another: a writer writes what a source reads back, the archive takes in what a source
/// reads, and it lies in a home.
const PAIRS: [(&str, &str); 3] = [("writers", "sources"), ("archive", "sources"), ("archive", "home")];

/// Gathers what people are told from every layer's errors; the layers below `vault` do not know it.
const ERROR: &str = "error";

fn level(module: &str) -> Option<usize> {
    LAYERS.iter().position(|line| line.contains(&module))
}

/// Why `from` may not import `to`, if it may not.
fn refusal(from: &str, to: &str) -> Option<&'static str> {
    let vault = level("vault")?;
    let adapter = |module| ADAPTERS.contains(&module);
    match (level(from), level(to)) {
        _ if from == to || from == ERROR || PAIRS.contains(&(from, to)) => None,
        (None, _) if !adapter(from) => Some("the importing module has no place in the order"),
        (_, None) if !adapter(to) && to != ERROR => Some("the imported module has no place in the order"),
        (Some(low), Some(high)) if low <= high => Some("imports go down only"),
        (Some(low), None) if low < vault => Some("a layer below the vault knows no adapter and no message for people"),
        (None, Some(high)) if high >= vault => Some("an adapter stands below the vault"),
        (None, None) if to != ERROR => Some("adapters do not know each other"),
        _ => None,
    }
}

/// The client's module a file belongs to, and how deep in it the file stands; nothing for roots and binaries.
fn place(path: &str) -> Option<(&str, usize)> {
    let inner = path.strip_prefix("client/src/")?.strip_suffix(".rs")?;
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    let module = inner.split('/').next()?;
    (!matches!(module, "lib" | "bin")).then(|| (module, inner.split('/').count()))
}

/// The top modules that a file's code names by `crate::`.
fn imports(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        // A macro's own crate is not ours to follow.
        if code[..at].ends_with(|c: char| c == '$' || c == '_' || c.is_alphanumeric()) {
            continue;
        }
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            None => names.push(identifier(rest)),
            Some(group) => names.extend(heads(group)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// First identifiers of a brace group's members.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut at_start, mut out) = (0, true, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if at_start && !c.is_whitespace() => {
                out.push(identifier(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    out
}

/// The most `super::` in a row.
fn steps_up(code: &str) -> usize {
    let step = "super::";
    (1..).take_while(|n| code.contains(&step.repeat(*n))).last().unwrap_or(0)
}

/// What one file does against the order.
fn violations(file: &File) -> Vec<String> {
    let Some((module, depth)) = place(&file.path) else { return Vec::new() };
    let code = production(&file.text);
    let inline = code
        .lines()
        .any(|line| line.trim_start().trim_start_matches("pub ").starts_with("mod ") && line.ends_with('{'));
    let mut out: Vec<String> = imports(&code)
        .iter()
        .filter(|to| to.chars().all(|c| c.is_lowercase() || c == '_' || c.is_numeric()))
        .filter_map(|to| refusal(module, to).map(|why| format!("{} imports {to}: {why}", file.path)))
        .collect();
    if steps_up(&code) >= depth + usize::from(inline) {
        out.push(format!("{} leaves its module by `super`: say `crate::` there", file.path));
    }
    out
}

#[test]
fn the_clients_imports_go_down_only() {
    let files: Vec<File> =
        rust_files().into_iter().filter(|f| f.path.starts_with("client/src/") && !is_test(&f.path)).collect();
    let seen = files.iter().filter(|f| place(&f.path).is_some()).flat_map(|f| imports(&production(&f.text))).count();
    assert!(seen > 10, "the reader of imports sees some");
    let broken: Vec<String> = files.iter().flat_map(violations).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_library_takes_in_its_binary() {
    for file in rust_files() {
        let library = file.path.contains("/src/") && !file.path.contains("/src/bin/") && !is_test(&file.path);
        let code = production(&file.text);
        let taken =
            ["bin::", "mod bin", "src/bin", concat!("#[", "path"), "\"bin/"].iter().find(|way| code.contains(**way));
        assert!(!library || taken.is_none(), "{} takes in {taken:?}", file.path);
    }
}

#[test]
fn the_order_refuses_what_it_should() {
    let allowed = [
        ("event", "crypto"),
        ("archive", "home"),
        ("merge", "event"),
        ("log", "log"),
        ("sync", "vault"),
        ("vault", "remote"),
        ("sync", "archive"),
        ("import", "sources"),
        ("import", "merge"),
        ("sources", "event"),
        ("sources", "merge"),
        ("remote", "error"),
        ("writers", "sources"),
        ("error", "sync"),
    ];
    let refused = [
        ("ids", "crypto"),
        ("event", "merge"),
        ("crypto", "event"),
        ("home", "archive"),
        ("crypto", "pack"),
        ("strata", "log"),
        ("log", "vault"),
        ("pack", "archive"),
        ("log", "error"),
        ("archive", "sync"),
        ("archive", "import"),
        ("sync", "import"),
        ("sources", "archive"),
        ("sources", "writers"),
        ("remote", "vault"),
        ("event", "nowhere"),
        ("nowhere", "ids"),
    ];
    assert!(allowed.iter().all(|(from, to)| refusal(from, to).is_none()));
    for (from, to) in refused {
        assert!(refusal(from, to).is_some(), "{from} imports {to}");
    }
}

#[test]
fn imports_are_seen_in_every_form() {
    let code =
        "use crate::ids::A;\nuse crate::{event::{B, C}, merge, pack::D};\nfn f(x: &crate::vault::E) {}\nuse $crate::f;";
    assert_eq!(imports(code), ["ids", "event", "merge", "pack", "vault"]);
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    assert_eq!(violations(&file("client/src/event/row.rs", "use crate::ids::A;\n// crate::sync\n")), [""; 0]);
    assert_eq!(violations(&file("client/src/event/row.rs", "use crate::{ids::A, sync};\n")).len(), 1);
    assert_eq!(violations(&file("client/src/event/row.rs", "use super::super::sync;\n")).len(), 1);
    assert_eq!(violations(&file("client/src/event/row.rs", "use super::kind;\n")), [""; 0]);
    assert_eq!(violations(&file("client/src/event/mod.rs", "use super::sync;\n")).len(), 1);
    assert_eq!(violations(&file("client/src/bin/chatkeep/main.rs", "use crate::anything;\n")), [""; 0]);
}

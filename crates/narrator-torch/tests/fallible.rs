//! No panicking tensor operation in the code that runs models: tch has every operation twice, and the one
//! without `f_` unwraps.

use std::path::{Path, PathBuf};

/// The operations that model code is made of, where the name is tch's alone.
const PANICKING: [&str; 21] = [
    "to_kind",
    "to_device",
    "matmul",
    "softmax",
    "narrow",
    "unsqueeze",
    "squeeze",
    "index_select",
    "permute",
    "contiguous",
    "reshape",
    "layer_norm",
    "gelu",
    "silu",
    "conv1d",
    "conv2d",
    "double_value",
    "int64_value",
    "masked_fill",
    "argmax",
    "expand_as",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a listing") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Modules that exist only for tests, as their parents declare them.
fn is_for_tests(path: &Path) -> bool {
    path.components().any(|part| {
        matches!(part.as_os_str().to_string_lossy().trim_end_matches(".rs"), "parity" | "tests" | "testing")
    })
}

/// What follows the call whose arguments begin `text`, behind its closing parenthesis.
fn behind_call(text: &str) -> &str {
    let mut open = 1;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return &text[at + 1..];
        }
    }
    ""
}

#[test]
fn only_fallible_operations_run_models() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut found = Vec::new();
    for path in files.iter().filter(|path| !is_for_tests(path)) {
        let text = std::fs::read_to_string(path).expect("a source file");
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for name in PANICKING {
            let call = format!(".{name}(");
            for (at, _) in code.match_indices(&call) {
                // A tensor takes no `?`: such a call is of another type's fallible method.
                if !behind_call(&code[at + call.len()..]).starts_with('?') {
                    found.push(format!("{}:{}: {name}", path.display(), code[..at].lines().count()));
                }
            }
        }
    }
    assert!(
        found.is_empty(),
        "these panic on an error of libtorch; use their f_ forms:\n{}",
        found.join("\n")
    );
}

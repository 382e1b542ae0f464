//! The shape of the workspace: what may depend on what, and how long a file may be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Normal and build dependencies of every package of the lock file, by name.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| (package["id"].as_str().expect("id"), package["name"].as_str().expect("name")))
        .collect();
    let mut all = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().expect("nodes") {
        let needs = node["deps"].as_array().expect("deps").iter().filter(|dep| {
            dep["dep_kinds"].as_array().expect("kinds").iter().any(|kind| kind["kind"] != "dev")
        });
        let needs = needs.map(|dep| names[dep["pkg"].as_str().expect("pkg")].to_string()).collect();
        all.insert(names[node["id"].as_str().expect("id")].to_string(), needs);
    }
    all
}

fn reached(all: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut next = vec![from.to_string()];
    while let Some(name) = next.pop() {
        for need in all.get(&name).into_iter().flatten() {
            if seen.insert(need.clone()) {
                next.push(need.clone());
            }
        }
    }
    seen
}

#[test]
fn narratord_never_reaches_libtorch() {
    let all = dependencies();
    assert!(reached(&all, "narrator-worker").contains("tch"), "the worker is what links libtorch");
    for free in ["narratord", "narrator-pool", "narrator-engine", "narrator-tests"] {
        let reached = reached(&all, free);
        for torch in ["tch", "torch-sys", "torch-shim", "narrator-torch"] {
            assert!(!reached.contains(torch), "{free} reaches {torch}");
        }
    }
}

#[test]
fn narratord_needs_no_tls_of_the_system() {
    let reached = reached(&dependencies(), "narratord");
    for system in ["openssl", "openssl-sys", "native-tls"] {
        assert!(!reached.contains(system), "narratord reaches {system}");
    }
    assert!(reached.contains("rustls"));
}

#[test]
fn dependencies_point_one_way() {
    let all = dependencies();
    let ours = |name: &str| -> BTreeSet<String> {
        reached(&all, name)
            .into_iter()
            .filter(|need| need.starts_with("narrator") || need == "torch-shim")
            .collect()
    };
    let set = |names: &[&str]| -> BTreeSet<String> { names.iter().map(ToString::to_string).collect() };
    assert_eq!(ours("narrator-core"), set(&[]));
    for leaf in ["book", "script", "journal", "fidelity", "audio", "engine"] {
        assert_eq!(ours(&format!("narrator-{leaf}")), set(&["narrator-core"]), "narrator-{leaf}");
    }
    assert_eq!(ours("narrator-proto"), set(&["narrator-core"]));
    assert_eq!(ours("narrator-ipc"), set(&["narrator-core", "narrator-proto"]));
    assert_eq!(ours("narrator-pool"), set(&["narrator-core", "narrator-proto", "narrator-ipc"]));
}

#[test]
fn each_delicate_crate_is_named_in_one_place() {
    let all = dependencies();
    let users = |needed: &str| -> Vec<String> {
        let ours = all.iter().filter(|(name, needs)| name.starts_with("narrator") && needs.contains(needed));
        ours.map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(users("bincode"), ["narrator-proto"]);
    assert_eq!(users("interprocess"), ["narrator-ipc"]);
    assert_eq!(users("tch"), ["narrator-torch"]);
}

#[test]
fn no_source_file_is_longer_than_eight_hundred_lines() {
    let mut long = Vec::new();
    for folder in ["crates", "proto", "tests"] {
        visit(&root().join(folder), &mut |path| {
            let lines = std::fs::read_to_string(path).expect("a source file is UTF-8").lines().count();
            if lines > 800 {
                long.push(format!("{}: {lines}", path.display()));
            }
        });
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// `.cargo/config.toml` says where libtorch is, and cargo reads the one of the folder that it is called in.
#[cfg(unix)]
#[test]
fn scripts_build_in_the_workspace_from_wherever_they_are_called() {
    use std::os::unix::fs::PermissionsExt;

    let elsewhere = tempfile::tempdir().expect("a folder");
    let cargo = elsewhere.path().join("cargo");
    std::fs::write(&cargo, "#!/bin/sh\npwd; echo \"$CARGO_TARGET_DIR\"\n")
        .expect("a cargo that tells where it is");
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    let path = format!("{}:{}", elsewhere.path().display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new(root().join("scripts/build"))
        .args(["-p", "narratord"])
        .envs([("PATH", path.as_str()), ("CARGO_TARGET_DIR", "built")])
        .current_dir(elsewhere.path())
        .output()
        .expect("bash runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let whole = |path: &Path| path.canonicalize().expect("it is there").display().to_string();
    let built = format!("{}/built", whole(elsewhere.path()));
    assert_eq!(told.lines().collect::<Vec<_>>(), [whole(&root()), built]);
    let mut scripts = 0;
    for folder in ["scripts", "scripts/benchmarks"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            scripts += u32::from(text.contains("scripts/build\" -p"));
            assert!(!text.contains("--manifest-path"), "{} is to call scripts/build", path.display());
        }
    }
    assert!(scripts > 10, "{scripts} scripts build something");
}

fn visit(dir: &Path, each: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(dir).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") {
            visit(&path, each);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            each(&path);
        }
    }
}

//! What `scripts/setup` says and leaves behind when something is wrong, on a copy of the scripts in a folder
//! of its own. No case reaches the network.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the checkout")
}

/// A checkout that has the scripts and nothing else.
fn bare_checkout() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    copy(&root().join("scripts"), &dir.path().join("scripts"));
    dir
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a listing") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Runs set-up with the libtorch of this checkout, no network and no configuration of pip.
fn setup(checkout: &Path, arguments: &[&str], environment: &[(&str, &Path)]) -> Output {
    let mut command = Command::new("bash");
    command
        .arg(checkout.join("scripts/setup"))
        .args(arguments)
        .env("LIBTORCH", root().join(".deps/libtorch"))
        .env("PIP_CONFIG_FILE", "/dev/null")
        .env("PIP_NO_INDEX", "1")
        .env("PIP_NO_CACHE_DIR", "1")
        .env_remove("PIP_FIND_LINKS");
    for (name, value) in environment {
        command.env(name, value);
    }
    command.output().expect("set-up ran")
}

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()
}

fn assert_nothing_half_done(checkout: &Path) {
    let left: Vec<_> = std::fs::read_dir(checkout.join(".deps"))
        .expect("a listing")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name == "models" || name.starts_with("stage"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_unknown_option_gets_the_usage() {
    let output = setup(bare_checkout().path(), &["--all"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("Usage: scripts/setup"));
}

#[test]
fn a_libtorch_of_another_version_is_refused_by_both_versions() {
    let checkout = bare_checkout();
    let other = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(other.path().join("version.py"), "__version__ = '2.6.0+cu124'\n").expect("written");
    let output = setup(checkout.path(), &["--libtorch-only"], &[("LIBTORCH", other.path())]);
    assert_eq!(output.status.code(), Some(69));
    let line = last_line(&output);
    assert!(line.ends_with("which holds 2.6.0; 2.11.0 is needed: give that, or unset LIBTORCH"), "{line}");
    std::fs::remove_file(other.path().join("version.py")).expect("removed");
    let output = setup(checkout.path(), &["--libtorch-only"], &[("LIBTORCH", other.path())]);
    assert!(last_line(&output).contains("no libtorch that says its version"), "{}", last_line(&output));
}

#[test]
fn a_given_libtorch_is_linked_and_nothing_is_downloaded() {
    let checkout = bare_checkout();
    let output = setup(checkout.path(), &["--libtorch-only"], &[]);
    assert!(output.status.success(), "{}", last_line(&output));
    let deps = checkout.path().join(".deps");
    assert!(deps.join("libtorch/lib/libtorch_cpu.so").exists());
    assert!(!deps.join("python").exists() && !deps.join("models").exists());
    assert_nothing_half_done(checkout.path());
}

/// A linker that finds every library, as on a machine with CUDA.
#[test]
fn headers_that_nobody_asked_for_do_not_fail_a_set_up() {
    use std::os::unix::fs::PermissionsExt;
    let checkout = bare_checkout();
    let tools = tempfile::tempdir().expect("a temporary folder");
    let ldd = tools.path().join("ldd");
    std::fs::write(&ldd, "#!/bin/sh\necho 'libc.so.6 => /lib/libc.so.6'\n").expect("written");
    std::fs::set_permissions(&ldd, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let path = std::env::join_paths(
        std::iter::once(tools.path().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").expect("PATH"))),
    )
    .expect("a path");
    let path = [("PATH", Path::new(&path))];
    let output = setup(checkout.path(), &["--libtorch-only"], &path);
    assert!(output.status.success(), "{}", last_line(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("went on without CUDA's headers"));
    let asked = setup(checkout.path(), &["--libtorch-only", "--cuda"], &path);
    assert_eq!(asked.status.code(), Some(69));
    assert!(last_line(&asked).starts_with("setup: cannot download cuda-headers: "), "{}", last_line(&asked));
}

#[test]
fn a_failed_download_is_one_sentence_and_leaves_nothing() {
    let checkout = bare_checkout();
    let output = setup(checkout.path(), &[], &[]);
    assert_eq!(output.status.code(), Some(69));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("setup: this will download "), "{said}");
    let line = last_line(&output);
    assert!(line.starts_with("setup: cannot download starter-en: ERROR: "), "{line}");
    assert!(line.contains("check the network and pip's settings"), "{line}");
    assert_nothing_half_done(checkout.path());
}

#[test]
fn a_download_with_a_wrong_hash_is_told_and_not_used() {
    let checkout = bare_checkout();
    let wheels = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(wheels.path().join("hibari_tts-0.2.1-py3-none-any.whl"), "not what was pinned")
        .expect("written");
    let output = setup(checkout.path(), &[], &[("PIP_FIND_LINKS", wheels.path())]);
    assert_eq!(output.status.code(), Some(65));
    assert!(last_line(&output).contains("(wrong hash)"), "{}", last_line(&output));
    assert_nothing_half_done(checkout.path());
}

#[test]
fn what_an_interrupted_set_up_left_is_swept_away() {
    let checkout = bare_checkout();
    let left = checkout.path().join(".deps/stage.aaaaaa/starter-en");
    std::fs::create_dir_all(&left).expect("a folder");
    assert!(setup(checkout.path(), &["--libtorch-only"], &[]).status.success());
    assert_nothing_half_done(checkout.path());
}

#[test]
fn a_damaged_model_is_found_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = folder.path().join("starter-en");
    copy(&root().join(".deps/models/starter-en"), &model);
    let verify = || {
        Command::new("python3")
            .args([root().join("scripts/models/verify.py"), model.clone()])
            .output()
            .expect("verify ran")
    };
    assert!(verify().status.success(), "{}", last_line(&verify()));
    let config = model.join("config.json");
    let mut bytes = std::fs::read(&config).expect("read");
    bytes[10] ^= 1;
    std::fs::write(&config, bytes).expect("written");
    let output = verify();
    assert_eq!(output.status.code(), Some(65));
    assert!(
        last_line(&output).contains("config.json is missing or damaged: remove the folder, set up again"),
        "{}",
        last_line(&output)
    );
}

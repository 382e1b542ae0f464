//! The soak: see `narrator_tests::soak`.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    narrator_tests::soak::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    use std::io::Write;
    let _ =
        writeln!(std::io::stderr(), "the soak looks at processes and system calls as only Linux shows them");
    ExitCode::from(69)
}

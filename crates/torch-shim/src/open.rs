//! Shared libraries, opened when they are wanted.

use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Opens a library for as long as the process lives; `global`: its symbols serve the libraries opened after it.
/// An error is the loader's own text.
pub(crate) fn open(path: &Path, global: bool) -> Result<*mut c_void, String> {
    let name =
        CString::new(path.as_os_str().as_bytes()).map_err(|_| "a path with a zero in it".to_owned())?;
    let scope = if global { libc::RTLD_GLOBAL } else { libc::RTLD_LOCAL };
    // SAFETY: the name ends with a zero. What the library runs when it is opened is trusted as much as
    // libtorch itself.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | scope) };
    if handle.is_null() { Err(last_error()) } else { Ok(handle) }
}

/// Address of a symbol of an open library.
pub(crate) fn symbol(library: *mut c_void, name: &CStr) -> Result<*mut c_void, String> {
    // SAFETY: the handle came from `open`, which never closes, and the name ends with a zero.
    let address = unsafe { libc::dlsym(library, name.as_ptr()) };
    if address.is_null() { Err(last_error()) } else { Ok(address) }
}

fn last_error() -> String {
    // SAFETY: dlerror returns a text of this thread, or null.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "no reason given".to_owned();
    }
    // SAFETY: not null, so it is a text that ends with a zero; it is copied before anything else is called.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The folder of the libtorch that this process runs with, told from a symbol that all of it rests on.
pub(crate) fn libtorch_folder() -> Option<PathBuf> {
    /// `c10::GetAllocator(c10::DeviceType const&)`.
    const OF_C10: &CStr = c"_ZN3c1012GetAllocatorERKNS_10DeviceTypeE";
    let address = symbol(libc::RTLD_DEFAULT, OF_C10).ok()?;
    // SAFETY: Dl_info is pointers and numbers, for which zero is a value.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: the address is of a loaded library, the pointer to a live struct of our own.
    if unsafe { libc::dladdr(address, &raw mut info) } == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: dladdr gave a text that lives as long as the library.
    let file = unsafe { CStr::from_ptr(info.dli_fname) };
    Path::new(std::ffi::OsStr::from_bytes(file.to_bytes())).parent().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorch_is_found_where_it_was_loaded_from() {
        // Something of it must be used, or the linker leaves it out.
        crate::settle().expect("set");
        let folder = libtorch_folder().expect("a folder");
        assert!(folder.join("libc10.so").exists(), "{}", folder.display());
    }

    #[test]
    fn a_library_that_is_not_there_is_an_error_that_names_it() {
        let error = open(Path::new("libnowhere_at_all.so.7"), true).expect_err("not there");
        assert!(error.contains("libnowhere_at_all.so.7"), "{error}");
        let own = open(Path::new("libc.so.6"), false).expect("libc");
        assert!(symbol(own, c"no_such_symbol_of_libc").is_err());
    }
}

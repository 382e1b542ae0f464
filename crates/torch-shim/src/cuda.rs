//! Part B: a stream of our own, recorded graphs, and marks in time.

use std::ffi::{c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::time::Duration;

use thiserror::Error;

use crate::error::{ShimError, ShimErrorKind, checked};
use crate::open::{libtorch_folder, open, symbol};
use crate::{Memory, memory, settle};

/// What `graphs.cpp` counts up when a signature changes.
const VERSION: i32 = 1;

/// The library of part B.
const LIBRARY: &str = "libnarrator_cuda.so";

/// Names the library of part B, where it lies elsewhere than beside the program.
const LIBRARY_VARIABLE: &str = "NARRATOR_CUDA_LIBRARY";

/// Opens the driver and libtorch's CUDA library for this process, and asks for the device. Must be the first that
/// a process does about CUDA; later calls only ask for the device.
pub fn open_cuda(device: u16) -> Result<Memory, ShimError> {
    static OPENED: OnceLock<Result<(), ShimError>> = OnceLock::new();
    OPENED.get_or_init(open_libraries).clone()?;
    memory(device).map_err(|error| {
        ShimError::new(ShimErrorKind::Torch, format!("cuda:{device} cannot be used: {error}"))
    })
}

fn open_libraries() -> Result<(), ShimError> {
    open(Path::new("libcuda.so.1"), false).map_err(|why| {
        let text = format!("no CUDA driver: {why}; install NVIDIA's driver, or use the device cpu");
        ShimError::new(ShimErrorKind::NoDriver, text)
    })?;
    let name = "libtorch_cuda.so";
    let path = libtorch_folder().map(|folder| folder.join(name)).filter(|path| path.exists());
    open(&path.unwrap_or_else(|| PathBuf::from(name)), true).map_err(|why| {
        let text = format!(
            "libtorch's CUDA library does not load: {why}; a whole torch 2.11.0 with CUDA is needed (pip install \
             torch==2.11.0), or use the device cpu"
        );
        ShimError::new(ShimErrorKind::NoLibrary, text)
    })?;
    settle()
}

type Opaque = *mut c_void;

type Say = unsafe extern "C" fn() -> *const c_char;
type Version = unsafe extern "C" fn() -> i32;
type Enter = unsafe extern "C" fn(i32, *mut Opaque) -> i32;
type Capability = unsafe extern "C" fn(i32, *mut i32, *mut i32) -> i32;
/// Makes one thing of another.
type Make = unsafe extern "C" fn(Opaque, *mut Opaque) -> i32;
/// Does something to one thing.
type Act = unsafe extern "C" fn(Opaque) -> i32;
type Between = unsafe extern "C" fn(Opaque, Opaque, *mut f32) -> i32;

/// The functions of part B.
struct Library {
    error: Say,
    enter: Enter,
    capability: Capability,
    synchronize: Act,
    leave: Act,
    begin: Make,
    end: Act,
    replay: Act,
    free: Act,
    mark: Make,
    mark_wait: Act,
    mark_between: Between,
    mark_free: Act,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Library")
    }
}

impl Library {
    /// The library, opened once a process.
    fn get() -> Result<&'static Self, ShimError> {
        static LIBRARY: OnceLock<Result<Library, ShimError>> = OnceLock::new();
        LIBRARY.get_or_init(|| Self::load(&find()?)).as_ref().map_err(Clone::clone)
    }

    fn load(path: &Path) -> Result<Self, ShimError> {
        let wrong = |why: String| {
            let text = format!("{} does not load: {why}", path.display());
            ShimError::new(ShimErrorKind::NotBuilt, text)
        };
        let library = open(path, false).map_err(wrong)?;
        /// The symbol as a function of that type.
        macro_rules! function {
            ($type:ty, $name:literal) => {{
                let address = symbol(library, $name).map_err(wrong)?;
                // SAFETY: `graphs.cpp` defines the symbol with this signature; the version is compared before
                // any of them but the version's own is called.
                unsafe { std::mem::transmute::<*mut c_void, $type>(address) }
            }};
        }
        let version = function!(Version, c"narrator_cuda_version");
        // SAFETY: it takes nothing and returns a number, in every version.
        let version = unsafe { version() };
        if version != VERSION {
            return Err(wrong(format!("it is of version {version} and {VERSION} is needed; build it again")));
        }
        Ok(Self {
            error: function!(Say, c"narrator_cuda_error"),
            enter: function!(Enter, c"narrator_cuda_enter"),
            capability: function!(Capability, c"narrator_cuda_capability"),
            synchronize: function!(Act, c"narrator_cuda_synchronize"),
            leave: function!(Act, c"narrator_cuda_leave"),
            begin: function!(Make, c"narrator_cuda_graph_begin"),
            end: function!(Act, c"narrator_cuda_graph_end"),
            replay: function!(Act, c"narrator_cuda_graph_replay"),
            free: function!(Act, c"narrator_cuda_graph_free"),
            mark: function!(Make, c"narrator_cuda_mark"),
            mark_wait: function!(Act, c"narrator_cuda_mark_wait"),
            mark_between: function!(Between, c"narrator_cuda_mark_between"),
            mark_free: function!(Act, c"narrator_cuda_mark_free"),
        })
    }

    fn checked(&self, status: i32) -> Result<(), ShimError> {
        checked(status, self.error)
    }
}

/// Where the library of part B lies: where the environment says, beside the program, in the `lib` of an
/// installation, or where the build left it.
fn find() -> Result<PathBuf, ShimError> {
    if let Some(named) = std::env::var_os(LIBRARY_VARIABLE) {
        return Ok(PathBuf::from(named));
    }
    let program = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let places = [
        program.as_ref().map(|folder| folder.join(LIBRARY)),
        program.as_ref().map(|folder| folder.join("../lib").join(LIBRARY)),
        option_env!("NARRATOR_CUDA_BUILT").map(PathBuf::from),
    ];
    places.into_iter().flatten().find(|place| place.exists()).ok_or_else(|| {
        let why =
            option_env!("NARRATOR_CUDA_MISSING").unwrap_or("it was moved away; put it beside the program");
        ShimError::new(ShimErrorKind::NotBuilt, format!("{LIBRARY} is not built: {why}"))
    })
}

/// A device and a stream of it, which are this thread's own from here on.
#[derive(Debug)]
pub struct Session {
    library: &'static Library,
    handle: Opaque,
    device: u16,
}

impl Session {
    /// Makes `device` and a stream of it this thread's own. [`open_cuda`] comes first.
    pub fn enter(device: u16) -> Result<Self, ShimError> {
        let library = Library::get()?;
        let mut handle = null_mut();
        // SAFETY: the pointer is to a live variable of our own, which the call fills.
        library.checked(unsafe { (library.enter)(device.into(), &raw mut handle) })?;
        Ok(Self { library, handle, device })
    }

    /// The device's compute capability, such as (9, 0).
    pub fn capability(&self) -> Result<(i32, i32), ShimError> {
        let (mut major, mut minor) = (0, 0);
        // SAFETY: the pointers are to live variables of our own, which the call fills.
        let status = unsafe { (self.library.capability)(self.device.into(), &raw mut major, &raw mut minor) };
        self.library.checked(status)?;
        Ok((major, minor))
    }

    /// Waits for all that was queued.
    pub fn synchronize(&self) -> Result<(), ShimError> {
        // SAFETY: the handle is this session's, which lives.
        self.library.checked(unsafe { (self.library.synchronize)(self.handle) })
    }

    /// Records what `work` queues on the device, without running it. Whatever goes wrong, the stream is out of
    /// recording afterwards.
    pub fn record<E>(&self, work: impl FnOnce() -> Result<(), E>) -> Result<Graph, RecordError<E>> {
        let mut handle = null_mut();
        // SAFETY: the session lives and the pointer is to a live variable of our own, which the call fills.
        let begun = unsafe { (self.library.begin)(self.handle, &raw mut handle) };
        self.library.checked(begun).map_err(RecordError::Recording)?;
        // From here on the graph's drop ends the recording.
        let graph = Graph { library: self.library, handle };
        work().map_err(RecordError::Work)?;
        // SAFETY: the graph lives and is being recorded.
        let ended = unsafe { (self.library.end)(graph.handle) };
        self.library.checked(ended).map_err(RecordError::Recording)?;
        Ok(graph)
    }

    /// A mark behind all that was queued so far.
    pub fn mark(&self) -> Result<Mark, ShimError> {
        let mut handle = null_mut();
        // SAFETY: the session lives and the pointer is to a live variable of our own, which the call fills.
        self.library.checked(unsafe { (self.library.mark)(self.handle, &raw mut handle) })?;
        Ok(Mark { library: self.library, handle })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the handle is this session's and is used no more. There is nobody to tell of a failure.
        let _ = unsafe { (self.library.leave)(self.handle) };
    }
}

/// Why nothing was recorded.
#[derive(Debug, Error)]
pub enum RecordError<E> {
    /// The work itself failed.
    #[error("{0}")]
    Work(E),
    /// The work went through, but cannot be recorded.
    #[error(transparent)]
    Recording(ShimError),
}

/// Recorded work, which can be run again and again on the same tensors.
#[derive(Debug)]
pub struct Graph {
    library: &'static Library,
    handle: Opaque,
}

impl Graph {
    /// Queues the work on the stream on which it was recorded.
    pub fn replay(&self) -> Result<(), ShimError> {
        // SAFETY: the graph lives.
        self.library.checked(unsafe { (self.library.replay)(self.handle) })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: the handle is this graph's and is used no more. There is nobody to tell of a failure.
        let _ = unsafe { (self.library.free)(self.handle) };
    }
}

/// A point in a stream's time.
#[derive(Debug)]
pub struct Mark {
    library: &'static Library,
    handle: Opaque,
}

impl Mark {
    /// Waits until the device has come here.
    pub fn wait(&self) -> Result<(), ShimError> {
        // SAFETY: the mark lives.
        self.library.checked(unsafe { (self.library.mark_wait)(self.handle) })
    }

    /// The device's time from here to `later`; both must have been waited for.
    pub fn until(&self, later: &Self) -> Result<Duration, ShimError> {
        let mut milliseconds = 0_f32;
        // SAFETY: both marks live and the pointer is to a live variable of our own, which the call fills.
        let status = unsafe { (self.library.mark_between)(self.handle, later.handle, &raw mut milliseconds) };
        self.library.checked(status)?;
        Ok(Duration::from_secs_f32(milliseconds.max(0.0) / 1000.0))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // SAFETY: the handle is this mark's and is used no more. There is nobody to tell of a failure.
        let _ = unsafe { (self.library.mark_free)(self.handle) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a machine without a GPU: an error that says what is missing, and a process that lives.
    #[test]
    fn asking_for_a_gpu_that_is_not_there_is_an_error_that_says_what_is_missing() {
        let Err(error) = open_cuda(0) else { return };
        let text = error.to_string();
        let hint = match error.kind() {
            ShimErrorKind::NoDriver => "no CUDA driver",
            ShimErrorKind::NoLibrary => "CUDA library does not load",
            ShimErrorKind::NotBuilt | ShimErrorKind::Torch => "cannot be used",
        };
        assert!(text.contains(hint) && !text.contains('\n'), "{text}");
    }

    #[test]
    fn a_session_without_a_gpu_is_an_error_too() {
        if open_cuda(0).is_ok() {
            return;
        }
        let error = Session::enter(0).expect_err("there is no GPU");
        let text = error.to_string();
        assert!(text.contains(LIBRARY) || text.to_lowercase().contains("cuda"), "{text}");
    }

    #[test]
    fn a_library_of_another_build_is_refused() {
        let error = Library::load(Path::new("libc.so.6")).expect_err("not ours");
        assert_eq!(error.kind(), ShimErrorKind::NotBuilt);
        assert!(error.to_string().contains("narrator_cuda_version"), "{error}");
    }
}

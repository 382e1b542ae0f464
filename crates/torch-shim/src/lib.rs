//! C++ beside torch-sys: allocator statistics, emptying the cache, CUDA graphs.
//!
//! The room is laid and empty: what runs on a CPU needs none of it.

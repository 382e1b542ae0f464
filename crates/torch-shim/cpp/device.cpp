// Part A: what libtorch's CPU library alone can say of a GPU. No CUDA header is needed and no CUDA library is
// linked; while libtorch's CUDA library is not open, every function fails with a text that says so.

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>

#include <cstdint>

#include "guard.h"

namespace {

c10::DeviceAllocator& allocator() {
  return *c10::getDeviceAllocator(c10::DeviceType::CUDA);
}

// c10's statistics are of small, large and all allocations; these are of all.
const auto ALL = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);

std::uint64_t bytes(std::int64_t value) {
  return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

}  // namespace

extern "C" {

struct NarratorMemory {
  std::uint64_t free_bytes;
  std::uint64_t total_bytes;
};

struct NarratorHeld {
  std::uint64_t used_bytes;
  std::uint64_t reserved_bytes;
  std::uint64_t peak_reserved_bytes;
  std::uint64_t out_of_memory;
};

const char* narrator_shim_error() {
  return narrator::last_error().c_str();
}

int narrator_shim_memory(int device, NarratorMemory* memory) {
  return narrator::guarded([&] {
    // Until libtorch has set CUDA up, its allocator knows no device.
    at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
    const auto [free_bytes, total_bytes] = allocator().getMemoryInfo(static_cast<c10::DeviceIndex>(device));
    *memory = {free_bytes, total_bytes};
  });
}

int narrator_shim_held(int device, NarratorHeld* held) {
  return narrator::guarded([&] {
    const auto stats = allocator().getDeviceStats(static_cast<c10::DeviceIndex>(device));
    *held = {
        bytes(stats.allocated_bytes[ALL].current),
        bytes(stats.reserved_bytes[ALL].current),
        bytes(stats.reserved_bytes[ALL].peak),
        bytes(stats.num_ooms),
    };
  });
}

int narrator_shim_reset_peak(int device) {
  return narrator::guarded([&] { allocator().resetPeakStats(static_cast<c10::DeviceIndex>(device)); });
}

int narrator_shim_empty_cache() {
  return narrator::guarded([] { allocator().emptyCache(); });
}

int narrator_shim_settle() {
  return narrator::guarded([] {
    // cuDNN makes a plan for every shape of attention, which a recording would have to have met before.
    at::globalContext().setSDPUseCuDNN(false);
    // Float32 means float32: convolutions are otherwise rounded to ten bits of mantissa.
    at::globalContext().setAllowTF32CuDNN(false);
  });
}

}  // extern "C"

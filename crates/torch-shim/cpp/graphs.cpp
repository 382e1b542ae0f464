// Part B, libnarrator_cuda.so: a stream of our own, recorded graphs, and marks in time. Built only where the
// CUDA headers are. It links nothing: libtorch's CUDA library has been opened for everybody before this one
// is, and provides every symbol.

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <memory>

#include "guard.h"

namespace {

struct Session {
  c10::DeviceIndex device;
  c10::cuda::CUDAStream stream;
  // Shared by all graphs: each leaves its results in tensors that are older than any of them, so what one
  // replay leaves in the pool is nobody's any more when the next begins. The allocator closes a pool for good
  // with its last graph, so the graphs own it and those that come after them get another.
  std::weak_ptr<c10::MempoolId_t> pool;
};

struct Graph {
  Graph(const Session& session, std::shared_ptr<c10::MempoolId_t> pool)
      : device(session.device), stream(session.stream), pool(std::move(pool)) {}

  c10::DeviceIndex device;
  c10::cuda::CUDAStream stream;
  std::shared_ptr<c10::MempoolId_t> pool;
  at::cuda::CUDAGraph graph;
  bool recording = false;
};

// A failed recording leaves the stream in capture mode and the allocator in the pool; this leaves both.
void leave_recording(Graph& graph) noexcept {
  if (!graph.recording) {
    return;
  }
  graph.recording = false;
  cudaGraph_t half = nullptr;
  if (cudaStreamEndCapture(graph.stream, &half) == cudaSuccess && half != nullptr) {
    (void)cudaGraphDestroy(half);
  }
  try {
    c10::cuda::CUDACachingAllocator::endAllocateToPool(graph.device, *graph.pool);
  } catch (...) {
    // It had been left already.
  }
  (void)cudaGetLastError();
}

}  // namespace

extern "C" {

// Counted up whenever a signature below changes; Rust refuses any other.
int narrator_cuda_version() {
  return 1;
}

const char* narrator_cuda_error() {
  return narrator::last_error().c_str();
}

// Makes `device` and a stream of it this thread's own, for as long as the thread lives.
int narrator_cuda_enter(int device, void** session) {
  return narrator::guarded([&] {
    *session = nullptr;
    const int count = c10::cuda::device_count_ensure_non_zero();
    TORCH_CHECK(device >= 0 && device < count, "there is no cuda:", device, ", there are ", count, " devices");
    const auto index = static_cast<c10::DeviceIndex>(device);
    c10::cuda::set_device(index);
    const auto stream = c10::cuda::getStreamFromPool(/*isHighPriority=*/true, index);
    c10::cuda::setCurrentCUDAStream(stream);
    *session = new Session{index, stream, {}};
  });
}

int narrator_cuda_capability(int device, int* major, int* minor) {
  return narrator::guarded([&] {
    C10_CUDA_CHECK(cudaDeviceGetAttribute(major, cudaDevAttrComputeCapabilityMajor, device));
    C10_CUDA_CHECK(cudaDeviceGetAttribute(minor, cudaDevAttrComputeCapabilityMinor, device));
  });
}

int narrator_cuda_synchronize(void* session) {
  return narrator::guarded([&] { static_cast<Session*>(session)->stream.synchronize(); });
}

// The stream stays the thread's own: what was queued on it may still run.
int narrator_cuda_leave(void* session) {
  return narrator::guarded([&] { delete static_cast<Session*>(session); });
}

int narrator_cuda_graph_begin(void* session, void** graph) {
  return narrator::guarded([&] {
    *graph = nullptr;
    auto& own = *static_cast<Session*>(session);
    TORCH_CHECK(
        c10::cuda::getCurrentCUDAStream(own.device) == own.stream, "another stream is current than the session's");
    auto pool = own.pool.lock();
    if (pool == nullptr) {
      pool = std::make_shared<c10::MempoolId_t>(at::cuda::graph_pool_handle());
      own.pool = pool;
    }
    auto fresh = std::make_unique<Graph>(own, pool);
    // Only this thread's calls are recorded and restricted.
    fresh->graph.capture_begin(*pool, cudaStreamCaptureModeThreadLocal);
    fresh->recording = true;
    *graph = fresh.release();
  });
}

int narrator_cuda_graph_end(void* graph) {
  auto& own = *static_cast<Graph*>(graph);
  const int result = narrator::guarded([&] {
    own.graph.capture_end();
    own.recording = false;
  });
  leave_recording(own);
  return result;
}

int narrator_cuda_graph_replay(void* graph) {
  return narrator::guarded([&] { static_cast<Graph*>(graph)->graph.replay(); });
}

int narrator_cuda_graph_free(void* graph) {
  return narrator::guarded([&] {
    std::unique_ptr<Graph> own(static_cast<Graph*>(graph));
    leave_recording(*own);
  });
}

// A mark in the stream, which can be waited for and whose time can be compared.
int narrator_cuda_mark(void* session, void** mark) {
  return narrator::guarded([&] {
    *mark = nullptr;
    cudaEvent_t event = nullptr;
    C10_CUDA_CHECK(cudaEventCreate(&event));
    const auto recorded = cudaEventRecord(event, static_cast<Session*>(session)->stream);
    if (recorded != cudaSuccess) {
      (void)cudaEventDestroy(event);
    }
    C10_CUDA_CHECK(recorded);
    *mark = event;
  });
}

int narrator_cuda_mark_wait(void* mark) {
  return narrator::guarded([&] { C10_CUDA_CHECK(cudaEventSynchronize(static_cast<cudaEvent_t>(mark))); });
}

int narrator_cuda_mark_between(void* from, void* to, float* milliseconds) {
  return narrator::guarded([&] {
    C10_CUDA_CHECK(cudaEventElapsedTime(milliseconds, static_cast<cudaEvent_t>(from), static_cast<cudaEvent_t>(to)));
  });
}

int narrator_cuda_mark_free(void* mark) {
  return narrator::guarded([&] { C10_CUDA_CHECK(cudaEventDestroy(static_cast<cudaEvent_t>(mark))); });
}

}  // extern "C"

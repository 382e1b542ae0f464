// What every function that Rust calls is wrapped in: no exception passes the border, whatever its type.
#pragma once

#include <exception>
#include <string>

namespace narrator {

inline std::string& last_error() {
  static thread_local std::string text;
  return text;
}

inline void note(const char* text) noexcept {
  try {
    last_error() = text;
  } catch (...) {
    // No memory even for the text: what was said before stays.
  }
}

// Runs `work`: 0 when it returned, 1 when it threw; `last_error` then says what.
template <class Work>
int guarded(Work&& work) noexcept {
  try {
    work();
    return 0;
  } catch (const std::exception& error) {
    note(error.what());
  } catch (...) {
    note("an exception that says nothing");
  }
  return 1;
}

}  // namespace narrator

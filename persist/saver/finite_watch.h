// Looks for NaN and infinity in what a save writes, while the bytes pass through the cache for
// their checksum.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/tensor.h"

namespace cairn {

// Counts in one tensor, piece by piece; a piece holds whole elements. Real and imaginary parts
// count apart.
class NonfiniteCounter {
 public:
  explicit NonfiniteCounter(DType dtype) : dtype_(dtype) {}
  void add(std::string_view bytes);
  int64_t nan() const { return nan_; }
  int64_t infinite() const { return infinite_; }

 private:
  template <class Bits>
  void add_as(std::string_view bytes, Bits exponent);

  DType dtype_;
  int64_t nan_ = 0, infinite_ = 0;
};

// What one save found.
class FiniteWatch {
 public:
  // The watch of the save that runs on this thread, or null. It belongs to the call, not to the
  // graph or the session, and a run's kernels are called on its own thread.
  static FiniteWatch* current();
  class Scope {
   public:
    explicit Scope(FiniteWatch* watch);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    FiniteWatch* before_;
  };

  void note(const std::string& name, const Tensor& tensor, const NonfiniteCounter& counter);
  // For writers that do not count themselves.
  void look_at(const std::string& name, const Tensor& tensor);

  bool all_finite() const { return found_.empty(); }
  // "'W' (float [2,2]): 1 NaN and 2 infinite of 4 values; 'b' ..."
  std::string report() const;

 private:
  std::vector<std::string> found_;
};

}  // namespace cairn

// Finds NaN and infinity in the values of a save while their bytes are in the cache for the
// checksum.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/tensor.h"

namespace cairn {

// Counts the values in one tensor, in pieces of whole elements. Real and imaginary parts are
// counted separately.
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

// The tensors with NaN or infinity that one save found.
class FiniteWatch {
 public:
  // The watch of the save that runs on this thread, or null. It is thread-local, since it belongs
  // to a call of save() and not to the graph or session; a run calls its kernels on the thread that
  // started it.
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
  // Counts and notes; for writers that do not count while writing.
  void look_at(const std::string& name, const Tensor& tensor);

  bool all_finite() const { return found_.empty(); }
  // "'W' (float [2,2]): 1 NaN and 2 infinite of 4 values; 'b' ..."
  std::string report() const;

 private:
  std::vector<std::string> found_;
};

}  // namespace cairn

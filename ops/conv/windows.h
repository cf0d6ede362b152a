// Sliding windows over images [batch, height, width, channels], for the kernels of ops/conv.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <tuple>

#include "runtime/exec/context.h"

namespace cairn {

// The windows along one extent of an image.
struct WindowExtent {
  int64_t in = 0, window = 1, stride = 1, out = 0;
  int64_t before = 0;  // padding in front of the image

  // The part of window `o` that is inside the image: [begin, end).
  int64_t begin(int64_t o) const { return std::max<int64_t>(0, o * stride - before); }
  int64_t end(int64_t o) const { return std::min(in, o * stride - before + window); }
};

// Unknown extents stay unknown. Throws InvalidArgument if the window is larger than the extent
// (without padding).
inline WindowExtent slide(int64_t in, int64_t window, int64_t stride, bool same) {
  WindowExtent e{.in = in, .window = window, .stride = stride};
  if (in < 0 || window < 0) {
    e.out = kUnknownDim;
  } else if (same) {
    e.out = in / stride + (in % stride != 0);
    e.before = in == 0 ? 0 : std::max<int64_t>(0, window - (in - (e.out - 1) * stride)) / 2;
  } else {
    if (in < window - stride)
      fail(Code::kInvalidArgument, "a window of ", window, " does not fit an extent of ", in,
           " without padding");
    e.out = in < window ? 0 : (in - window) / stride + 1;
  }
  return e;
}

struct Images {
  int64_t count = 0, channels = 0;
  WindowExtent height, width;
  int64_t in_size() const { return height.in * width.in * channels; }
};

// The window attributes of an op: strides, padding, data_format, dilations, and ksize if it has
// one.
struct WindowAttrs {
  // height, width: of ksize, if the op has one
  int64_t stride_height = 1, stride_width = 1, height = 0, width = 0;
  bool same = false, nchw = false;
  std::string unusual;  // the feature that no kernel supports, if there is one

  explicit WindowAttrs(const AttrReader& attrs) {
    const std::string &format = attrs.str("data_format"), &padding = attrs.str("padding");
    nchw = format == "NCHW";
    same = padding == "SAME";
    if (format != "NHWC" && !nchw) unusual = str_cat("data format ", format);
    if (padding == "EXPLICIT") unusual = "explicit padding";
    if (attrs.find("dilations")) {
      for (int64_t n : attrs.integers("dilations")) {
        if (n != 1) unusual = str_cat("a dilation of ", n);
      }
    }
    std::tie(stride_height, stride_width) = spatial(attrs, "strides");
    if (attrs.find("ksize")) std::tie(height, width) = spatial(attrs, "ksize");
  }

  // Extents of a shape [batch, height, width, channels], or [batch, channels, height, width].
  int64_t height_of(const Shape& s) const { return s[nchw ? 2 : 1]; }
  int64_t width_of(const Shape& s) const { return s[nchw ? 3 : 2]; }
  int64_t channels_of(const Shape& s) const { return s[nchw ? 1 : 3]; }
  Shape shape(int64_t batch, int64_t h, int64_t w, int64_t channels) const {
    return nchw ? Shape{batch, channels, h, w} : Shape{batch, h, w, channels};
  }

  // Windows of `h` by `w` over images of that shape.
  Images images(const Shape& s, int64_t h, int64_t w) const {
    return {.count = s[0],
            .channels = channels_of(s),
            .height = slide(height_of(s), h, stride_height, same),
            .width = slide(width_of(s), w, stride_width, same)};
  }
  Images images(const Shape& s) const { return images(s, height, width); }

 private:
  std::pair<int64_t, int64_t> spatial(const AttrReader& attrs, std::string_view name) {
    const auto& all = attrs.integers(name);
    for (int64_t n : all) {
      if (n <= 0) fail(Code::kInvalidArgument, name, " must be positive, has ", n);
      if (n > INT32_MAX) fail(Code::kInvalidArgument, name, " has ", n, ", which is no int32");
    }
    if (all.size() != 4) {
      if (unusual.empty())
        fail(Code::kInvalidArgument, name, " must have 4 elements, has ", all.size());
      return {1, 1};
    }
    if (all[0] != 1 || all[nchw ? 1 : 3] != 1)
      unusual = str_cat(name, " other than 1 along batch or channels");
    return {all[nchw ? 2 : 1], all[nchw ? 3 : 2]};
  }
};

// The attributes, for a kernel. Throws Unimplemented for a feature that no kernel supports.
inline WindowAttrs runnable_windows(const KernelSetup& s) {
  const WindowAttrs attrs(s);
  if (!attrs.unusual.empty()) s.unimplemented(attrs.unusual);
  if (attrs.nchw) s.unimplemented("data format NCHW");
  return attrs;
}

// The shape of images given by the four numbers of an int32 vector at input i. Throws through
// c.fail.
inline Shape sizes_input(const KernelContext& c, int i) {
  const Tensor& sizes = c.input(i);
  if (sizes.rank() != 1 || sizes.dim(0) != 4)
    c.fail(str_cat("expected 4 sizes, got a tensor of shape ", sizes.shape()));
  const auto* s = sizes.data<int32_t>();
  for (int k = 0; k < 4; ++k) {
    if (s[k] < 0) c.fail(str_cat("a size is negative: ", s[k]));
  }
  return {s[0], s[1], s[2], s[3]};
}

// Shape function: the output is of the shape that input i gives as four numbers.
template <int i>
void shape_by_sizes(ShapeContext& c) {
  c.set_output(merge(c.shape_from(i), Shape::unknown(4)));
}

// These attributes of `op`, those that it has, for the node of its gradient.
inline Attrs copied(const Operation& op, std::initializer_list<const char*> names) {
  Attrs attrs;
  for (const char* name : names) {
    if (const Attr* attr = op.attrs().find(name)) attrs.set(name, *attr);
  }
  return attrs;
}

}  // namespace cairn

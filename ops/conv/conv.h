// Convolution and pooling of images: tensors [batch, height, width, channels], which TensorFlow
// calls NHWC. The layout NCHW can be built and imported; running it throws Unimplemented, as do
// dilations and explicit paddings.
//
//   auto hidden = relu(bias_add(conv2d(images, w), b));                          // w: [5,5,1,32]
//   auto halved = max_pool(hidden, {.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}});
//
// Calls that fail, with InvalidArgument:
//
//   conv2d(images, w3);    // the input [?,28,28,1] has 1 channels, the filter [5,5,3,32] takes 3
//   conv2d(images, w, {.strides = {1, 0, 1, 1}});    // strides must be positive, has 0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct Conv2DOptions {
  // along batch, height, width, channels; the first and the last are 1
  std::vector<int64_t> strides = {1, 1, 1, 1};
  // "SAME": ceil(extent / stride) windows; the image is padded with zeros, evenly on both sides, an
  // odd one at the end. "VALID": only windows that lie inside the image.
  std::string padding = "SAME";
  std::string data_format = "NHWC";
  std::string name = "";
};

// The cross-correlation of input [batch, height, width, in] with filter [height, width, in, out]:
// [batch, out height, out width, out] (TensorFlow's Conv2D). float or double. The result is the
// same for every number of threads. Throws InvalidArgument if the channels differ or, with "VALID",
// a window is larger than the image.
Output conv2d(const Operand& input, const Operand& filter, const Conv2DOptions& options = {});

struct PoolOptions {
  std::vector<int64_t> ksize = {1, 2, 2, 1};  // the window
  std::vector<int64_t> strides = {1, 2, 2, 1};
  std::string padding = "VALID";  // as for conv2d, but padding is ignored
  std::string data_format = "NHWC";
  std::string name = "";
};

// The greatest value, or the mean, of each window: [batch, out height, out width, channels]
// (TensorFlow's MaxPool, AvgPool). Padding is not counted. Floating dtypes; max_pool also integers
// other than uint32 and uint64. The gradient of max_pool goes to the first of equal values. Throw
// as conv2d().
Output max_pool(const Operand& value, const PoolOptions& options = {});
Output avg_pool(const Operand& value, const PoolOptions& options = {});

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> conv_ops();
std::span<const OpDef* const> pool_ops();

}  // namespace cairn

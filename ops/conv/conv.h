// Convolution and pooling of images: tensors [batch, height, width, channels], which TensorFlow
// calls NHWC. The layout NCHW is understood in files; running it throws Unimplemented, as do
// dilations and explicit paddings.
//
//   auto hidden = relu(bias_add(conv2d(images, w), b));                          // w: [5,5,1,32]
//   auto halved = max_pool(hidden, {.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}});
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct Conv2DOptions {
  // along batch, height, width, channels; the outer two are 1
  std::vector<int64_t> strides = {1, 1, 1, 1};
  // "SAME": ceil(extent / stride) windows, the image framed with zeros as evenly as can be, more of
  // them after it; "VALID": windows inside the image only.
  std::string padding = "SAME";
  std::string data_format = "NHWC";
  std::string name = "";
};

// The correlation of input [batch, height, width, in] with filter [height, width, in, out]
// (TensorFlow's Conv2D). float or double. Throws InvalidArgument where the channels differ or a
// window does not fit.
Output conv2d(const Operand& input, const Operand& filter, const Conv2DOptions& options = {});

struct PoolOptions {
  std::vector<int64_t> ksize = {1, 2, 2, 1};  // the window
  std::vector<int64_t> strides = {1, 2, 2, 1};
  std::string padding = "VALID";  // as for conv2d, but a frame counts for nothing
  std::string data_format = "NHWC";
  std::string name = "";
};

// The greatest value, or the mean, in each window (TensorFlow's MaxPool, AvgPool). Where values are
// equal the gradient of max_pool goes to the first.
Output max_pool(const Operand& value, const PoolOptions& options = {});
Output avg_pool(const Operand& value, const PoolOptions& options = {});

std::span<const OpDef* const> conv_ops();

}  // namespace cairn

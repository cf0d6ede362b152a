#include "samples/mnist_data.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>
#include <numeric>

#include "samples/random.h"

namespace cairn {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kSide = 28, kPixels = kSide * kSide, kClasses = 10;
// MNIST's largest file has 47,040,016 bytes.
constexpr size_t kMostBytes = size_t{64} << 20;

// The unpacked bytes of one file.
struct File {
  fs::path path;
  std::string bytes;

  template <class... Args>
  [[noreturn]] void refuse(size_t offset, const Args&... what) const {
    fail(Code::kDataLoss, path.string(), ": at byte ", offset, ": ", what...,
         "; samples/get_mnist.sh fetches the originals");
  }
  // The big-endian number at `offset`, which must be within the bytes.
  uint32_t number(size_t offset) const {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[offset + i]);
    return value;
  }
};

std::string unpack(const File& packed) {
  z_stream stream{};
  constexpr int kGzip = 15 + 16;  // the largest window, and a gzip header
  if (inflateInit2(&stream, kGzip) != Z_OK)
    fail(Code::kResourceExhausted, "no memory to unpack ", packed.path.string());
  const std::unique_ptr<z_stream, int (*)(z_stream*)> closer(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.bytes.data()));
  stream.avail_in = static_cast<uInt>(packed.bytes.size());

  std::string bytes;
  int status = Z_OK;
  while (status == Z_OK) {
    const size_t filled = bytes.size();
    if (filled > kMostBytes)
      packed.refuse(stream.total_in, "expected at most ", kMostBytes,
                    " unpacked bytes, found more");
    bytes.resize(std::max<size_t>(2 * filled, 1 << 16));
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data() + filled);
    stream.avail_out = static_cast<uInt>(bytes.size() - filled);
    status = inflate(&stream, Z_NO_FLUSH);
    bytes.resize(bytes.size() - stream.avail_out);
  }
  if (status == Z_BUF_ERROR)
    packed.refuse(stream.total_in, "expected more compressed data, found the end of the file");
  if (status != Z_STREAM_END) {
    packed.refuse(stream.total_in, "expected gzip data, found ",
                  stream.msg ? stream.msg : "something else");
  }
  if (stream.avail_in > 0) {
    packed.refuse(stream.total_in, "expected the end of the file, found ", stream.avail_in,
                  " more bytes");
  }
  return bytes;
}

File read_file(const fs::path& folder, const std::string& name) {
  File file{folder / name, ""};
  if (!fs::is_regular_file(file.path)) file.path += ".gz";
  std::ifstream in(file.path, std::ios::binary);
  if (!fs::is_regular_file(file.path) || !in) {
    fail(Code::kNotFound, "cannot read ", name, " or ", name, ".gz in ", folder.string(),
         "; samples/get_mnist.sh DIR fetches MNIST's files");
  }
  const size_t size = fs::file_size(file.path);
  if (size > kMostBytes) file.refuse(0, "expected at most ", kMostBytes, " bytes, found ", size);
  file.bytes.resize(size);
  if (!in.read(file.bytes.data(), static_cast<std::streamsize>(size))) {
    file.refuse(0, "expected ", size, " bytes, found ", in.gcount());
  }
  if (file.path.extension() == ".gz") file.bytes = unpack(file);
  return file;
}

std::string hex(uint32_t value) {
  char text[11];
  std::snprintf(text, sizeof text, "0x%08x", value);
  return text;
}

// Checks the header of an IDX file whose items have the extents `item`, and its length against it;
// returns the items.
std::span<const uint8_t> items_of(const File& file, std::initializer_list<uint32_t> item) {
  const size_t header = 4 * (2 + item.size());
  const uint32_t magic = static_cast<uint32_t>(0x0801 + item.size());
  if (file.bytes.size() < header) {
    file.refuse(file.bytes.size(), "expected a header of ", header,
                " bytes, found the end of the file");
  }
  if (file.number(0) != magic) {
    file.refuse(0, "expected the magic number ", hex(magic), ", found ", hex(file.number(0)));
  }
  uint64_t item_bytes = 1;
  size_t offset = 8;
  for (const uint32_t extent : item) {
    if (file.number(offset) != extent)
      file.refuse(offset, "expected ", extent, ", found ", file.number(offset));
    item_bytes *= extent;
    offset += 4;
  }
  const uint64_t count = file.number(4);
  if (count == 0) file.refuse(4, "expected a count of items, found 0");
  if (file.bytes.size() != header + count * item_bytes) {
    file.refuse(4, "expected ", header + count * item_bytes, " bytes for the ", count,
                " items announced here, found ", file.bytes.size());
  }
  return {reinterpret_cast<const uint8_t*>(file.bytes.data()) + header, count * item_bytes};
}

Digits load_part(const fs::path& folder, const std::string& part) {
  const File image_file = read_file(folder, part + "-images-idx3-ubyte");
  const File label_file = read_file(folder, part + "-labels-idx1-ubyte");
  const auto pixels = items_of(image_file, {kSide, kSide});
  const auto classes = items_of(label_file, {});
  const int64_t count = static_cast<int64_t>(classes.size());
  if (pixels.size() != classes.size() * kPixels) {
    label_file.refuse(4, "expected ", pixels.size() / kPixels, " labels, one per image in ",
                      image_file.path.string(), ", found ", count);
  }
  Digits digits{Tensor::uninitialized(DType::kFloat, {count, kPixels}),
                Tensor::zeros(DType::kFloat, {count, kClasses})};
  std::transform(pixels.begin(), pixels.end(), digits.images.data<float>(),
                 [](uint8_t pixel) { return static_cast<float>(pixel) / 255.0f; });
  auto labels = digits.labels.mat<float>();
  for (int64_t i = 0; i < count; ++i) {
    if (classes[i] >= kClasses) {
      label_file.refuse(label_file.bytes.size() - count + i, "expected a label from 0 to 9, found ",
                        int{classes[i]});
    }
    labels(i, classes[i]) = 1;
  }
  return digits;
}

}  // namespace

DigitData load_mnist(const fs::path& folder) {
  return {load_part(folder, "train"), load_part(folder, "t10k"), "MNIST in " + folder.string()};
}

BatchOrder::BatchOrder(int count, int batch, uint64_t seed) : batch_(batch), seed_(seed) {
  if (batch < 1 || batch > count) {
    fail(Code::kInvalidArgument, "the batch size must be from 1 to ", count,
         ", the number of examples; got ", batch);
  }
  steps_per_epoch_ = count / batch;
  order_.resize(count);
}

std::span<const int> BatchOrder::at(int64_t step) {
  if (step < 0) fail(Code::kInvalidArgument, "steps count from 0, got ", step);
  if (step / steps_per_epoch_ != epoch_) shuffle(step / steps_per_epoch_);
  return {order_.data() + step % steps_per_epoch_ * batch_, static_cast<size_t>(batch_)};
}

void BatchOrder::shuffle(int64_t epoch) {
  std::iota(order_.begin(), order_.end(), 0);
  SplitMix random = random_stream(seed_, static_cast<uint64_t>(epoch));
  for (size_t left = order_.size(); left > 1; --left)
    std::swap(order_[left - 1], order_[random.next() % left]);
  epoch_ = epoch;
}

Batches::Batches(const Digits& digits, int batch, uint64_t seed)
    : digits_(digits),
      order_(digits.count(), batch, seed),
      batch_{Tensor::zeros(DType::kFloat, {batch, kPixels}),
             Tensor::zeros(DType::kFloat, {batch, kClasses})} {}

const Digits& Batches::at(int64_t step) {
  const auto copy_rows = [&](const Tensor& from, Tensor& to, std::span<const int> rows) {
    const int64_t width = from.dim(1);
    float* out = to.data<float>();
    for (const int row : rows) out = std::copy_n(from.data<float>() + row * width, width, out);
  };
  const auto rows = order_.at(step);
  copy_rows(digits_.images, batch_.images, rows);
  copy_rows(digits_.labels, batch_.labels, rows);
  return batch_;
}

}  // namespace cairn

// MNIST's files: images, a part of the input, and labels, the rest. Bits of the first byte: gzipped
// images (1) and labels (2). The other two files are the same.
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "samples/mnist_data.h"
#include "tests/fuzz/fuzz.h"

namespace cairn::fuzz {
namespace {

namespace fs = std::filesystem;

// The reader reads files of the machine.
struct Folder {
  Folder() : path(fs::temp_directory_path() / str_cat("cairn-idx-", getpid())) {
    fs::create_directories(path);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  void put(const std::string& name, std::string_view bytes, bool packed) const {
    fs::remove(path / (name + (packed ? "" : ".gz")));
    std::ofstream(path / (name + (packed ? ".gz" : "")), std::ios::binary)
        .write(bytes.data(), std::ssize(bytes));
  }
  fs::path path;
};

void one(std::string_view bytes) {
  static const Folder folder;
  const std::string_view flags = take(bytes, 1), images = take_part(bytes);
  const int packed = flags.empty() ? 0 : flags[0];
  for (const std::string set : {"train", "t10k"}) {
    folder.put(set + "-images-idx3-ubyte", images, packed & 1);
    folder.put(set + "-labels-idx1-ubyte", bytes, packed & 2);
  }
  accepted([&] {
    const DigitData data = load_mnist(folder.path);
    require(data.train.count() > 0, "no digits were read");
    require(data.train.images.dim(0) == data.train.labels.dim(0), "images without labels");
    require(bit_equal(data.train.images, data.test.images), "one file was read in two ways");
    for (int64_t i = 0; i < data.train.labels.num_elements(); i += 10) {
      float sum = 0;
      for (int64_t k = i; k < i + 10; ++k) sum += data.train.labels.data<float>()[k];
      require(sum == 1.0f, "a label that is not one of ten");
    }
  });
}

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::vector<std::string> seeds() {
  const std::string images =
      big_endian(0x803) + big_endian(1) + big_endian(28) + big_endian(28) + std::string(784, '\7');
  const std::string labels = big_endian(0x801) + big_endian(1) + '\3';
  const std::string none = big_endian(0x803) + big_endian(0) + big_endian(28) + big_endian(28);
  return {'\0' + part(images) + labels, '\1' + part(gzip(images)) + labels,
          '\3' + part(gzip(images)) + gzip(labels),
          '\0' + part(none) + big_endian(0x801) + big_endian(0),
          '\2' + part(images) + gzip(std::string(2000, 'x'))};
}

}  // namespace

const Target idx{"idx", one, seeds};

}  // namespace cairn::fuzz

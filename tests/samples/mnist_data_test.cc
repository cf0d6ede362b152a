#include "samples/mnist_data.h"

#include <zlib.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "tests/samples/idx_files.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;
namespace fs = std::filesystem;

namespace {

constexpr int kTrain = 30, kTest = 20;

std::string gzipped(const std::string& bytes) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// A folder with four good files, plain or gzipped.
struct Folder : TempDir {
  explicit Folder(bool packed = false) {
    put("train-images-idx3-ubyte", image_file(kTrain), packed);
    put("train-labels-idx1-ubyte", label_file(kTrain), packed);
    put("t10k-images-idx3-ubyte", image_file(kTest), packed);
    put("t10k-labels-idx1-ubyte", label_file(kTest), packed);
  }
  void put(const std::string& name, const std::string& bytes, bool packed = false) const {
    write_bytes(path() / (packed ? name + ".gz" : name), packed ? gzipped(bytes) : bytes);
  }
  Error error() const {
    return error_of([&] { load_mnist(path()); });
  }
};

// The message names the file and each of `parts`.
void check_refused(const Error& error, const std::string& file,
                   const std::vector<std::string>& parts) {
  const std::string message = error.what();
  INFO(message);
  CHECK(error.code() == Code::kDataLoss);
  CHECK(message.find(file) != std::string::npos);
  for (const std::string& part : parts) CHECK(message.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("MNIST's files are read plain and gzipped alike", "[mnist]") {
  const Folder plain, packed(true);
  const DigitData a = load_mnist(plain.path()), b = load_mnist(packed.path());
  REQUIRE(a.train.count() == kTrain);
  REQUIRE(a.test.count() == kTest);
  CHECK(bit_equal(a.train.images, b.train.images));
  CHECK(bit_equal(a.train.labels, b.train.labels));
  CHECK(bit_equal(a.test.images, b.test.images));
  CHECK(bit_equal(a.test.labels, b.test.labels));
}

TEST_CASE("Pixels become fractions of 255 and labels one-hot rows", "[mnist]") {
  const Digits digits = load_mnist(Folder().path()).train;
  const auto images = digits.images.mat<float>(), labels = digits.labels.mat<float>();
  REQUIRE(digits.images.shape() == Shape{kTrain, 784});
  REQUIRE(digits.labels.shape() == Shape{kTrain, 10});
  CHECK(images(0, 250) == 250 / 255.0f);
  CHECK(images(1, 0) == (784 % 251) / 255.0f);
  for (int i = 0; i < kTrain; ++i) {
    for (int j = 0; j < 10; ++j) CHECK(labels(i, j) == (i % 10 == j ? 1 : 0));
  }
}

TEST_CASE("A missing MNIST file is named, and the script that fetches it", "[mnist]") {
  const Folder folder;
  fs::remove(folder / "t10k-labels-idx1-ubyte");
  const Error error = folder.error();
  CHECK(error.code() == Code::kNotFound);
  CHECK(std::string(error.what()).find("t10k-labels-idx1-ubyte") != std::string::npos);
  CHECK(std::string(error.what()).find("get_mnist.sh") != std::string::npos);
}

TEST_CASE("An IDX file cut off anywhere is refused", "[mnist]") {
  const Folder folder;
  const std::string whole = label_file(kTrain);
  for (size_t length = 0; length < whole.size(); ++length) {
    folder.put("train-labels-idx1-ubyte", whole.substr(0, length));
    check_refused(folder.error(), "train-labels-idx1-ubyte", {"expected", "found"});
  }
}

TEST_CASE("An IDX file with another magic number is refused", "[mnist]") {
  const Folder folder;
  folder.put("train-images-idx3-ubyte", label_file(2000));
  check_refused(folder.error(), "train-images-idx3-ubyte",
                {"at byte 0", "0x00000803", "0x00000801"});
}

TEST_CASE(
    "An IDX file that announces more than it holds is refused without taking that much memory",
    "[mnist]") {
  const Folder folder;
  folder.put("train-images-idx3-ubyte", image_file(kTrain).replace(4, 4, big_endian(0xffffffff)));
  check_refused(folder.error(), "train-images-idx3-ubyte", {"at byte 4", "4294967295", "23536"});
}

TEST_CASE("An IDX file with bytes after its last item is refused", "[mnist]") {
  const Folder folder;
  folder.put("t10k-images-idx3-ubyte", image_file(kTest) + "x");
  check_refused(folder.error(), "t10k-images-idx3-ubyte", {"15696", "15697"});
}

TEST_CASE("Images of another size than 28 by 28 are refused", "[mnist]") {
  const Folder folder;
  folder.put("t10k-images-idx3-ubyte", image_file(kTest).replace(12, 4, big_endian(32)));
  check_refused(folder.error(), "t10k-images-idx3-ubyte",
                {"at byte 12", "expected 28", "found 32"});
}

TEST_CASE("Labels that are not one per image are refused", "[mnist]") {
  const Folder folder;
  folder.put("train-labels-idx1-ubyte", label_file(kTrain - 1));
  check_refused(folder.error(), "train-labels-idx1-ubyte", {"expected 30", "found 29"});
}

TEST_CASE("A label above 9 is refused with its place", "[mnist]") {
  const Folder folder;
  folder.put("train-labels-idx1-ubyte", label_file(kTrain).replace(8 + 7, 1, "\x0a"));
  check_refused(folder.error(), "train-labels-idx1-ubyte", {"at byte 15", "found 10"});
}

TEST_CASE("An empty IDX file is refused", "[mnist]") {
  const Folder folder;
  folder.put("train-labels-idx1-ubyte", label_file(0));
  check_refused(folder.error(), "train-labels-idx1-ubyte", {"at byte 4", "found 0"});
}

TEST_CASE("A gzipped file cut off anywhere is refused", "[mnist]") {
  const Folder folder(true);
  const std::string whole = gzipped(label_file(kTrain));
  for (size_t length = 0; length < whole.size(); ++length) {
    write_bytes(folder / "train-labels-idx1-ubyte.gz", whole.substr(0, length));
    check_refused(folder.error(), "train-labels-idx1-ubyte.gz", {"found"});
  }
}

TEST_CASE("A gzipped file with bytes after its end is refused", "[mnist]") {
  const Folder folder(true);
  write_bytes(folder / "train-labels-idx1-ubyte.gz", gzipped(label_file(kTrain)) + "more");
  check_refused(folder.error(), "train-labels-idx1-ubyte.gz", {"found 4 more bytes"});
}

TEST_CASE("A gzipped file that unpacks without end is refused", "[mnist]") {
  const Folder folder(true);
  write_bytes(folder / "train-labels-idx1-ubyte.gz", gzipped(std::string(130 << 20, '\0')));
  check_refused(folder.error(), "train-labels-idx1-ubyte.gz", {"at most 67108864"});
}

TEST_CASE(
    "A gzipped file with a flipped bit is refused, or reads the same where the bit means nothing",
    "[mnist]") {
  const Folder folder(true);
  const Tensor labels = load_mnist(folder.path()).train.labels;
  const std::string whole = gzipped(label_file(kTrain));
  size_t refused = 0;
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    write_bytes(folder / "train-labels-idx1-ubyte.gz", flipped);
    std::optional<Tensor> read;
    const Error error = error_of([&] { read = load_mnist(folder.path()).train.labels; });
    if (read) {
      CHECK(bit_equal(*read, labels));
    } else {
      check_refused(error, "train-labels-idx1-ubyte.gz", {});
      ++refused;
    }
  }
  // Only the header's time, system and flags of no consequence can differ unnoticed.
  CHECK(refused > 8 * (whole.size() - 10));
}

TEST_CASE("The same seed draws the same digits and another seed others", "[mnist]") {
  const DigitData once = draw_digits(3), again = draw_digits(3), other = draw_digits(4);
  CHECK(bit_equal(once.train.images, again.train.images));
  CHECK(bit_equal(once.test.labels, again.test.labels));
  CHECK_FALSE(bit_equal(once.train.images, other.train.images));
}

TEST_CASE("Drawn digits have ink between 0 and 1, every class, and one label each", "[mnist]") {
  const DigitData data = draw_digits();
  REQUIRE(data.train.count() == 10000);
  REQUIRE(data.test.count() == 2000);
  for (const Digits* part : {&data.train, &data.test}) {
    const auto pixels = part->images.span<float>();
    const auto [least, most] = std::minmax_element(pixels.begin(), pixels.end());
    CHECK(*least == 0);
    CHECK(*most == 1);
    std::vector<float> per_class(10);
    const auto labels = part->labels.mat<float>();
    for (int64_t i = 0; i < part->count(); ++i) {
      for (int64_t j = 0; j < 10; ++j) per_class[j] += labels(i, j);
    }
    CHECK(std::accumulate(per_class.begin(), per_class.end(), 0.0f) == part->count());
    CHECK(*std::min_element(per_class.begin(), per_class.end()) > part->count() * 0.07);
  }
}

TEST_CASE("No drawn test digit is among those trained on", "[mnist]") {
  const DigitData data = draw_digits();
  std::vector<size_t> train;
  const auto hash = [](const Tensor& row) {
    const auto pixels = row.span<float>();
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(pixels.data()), pixels.size_bytes()});
  };
  for (int i = 0; i < data.train.count(); ++i)
    train.push_back(hash(data.train.images.rows(i, i + 1)));
  std::sort(train.begin(), train.end());
  for (int i = 0; i < data.test.count(); ++i) {
    if (std::binary_search(train.begin(), train.end(), hash(data.test.images.rows(i, i + 1))))
      FAIL(i);
  }
}

TEST_CASE("A batch depends on its step alone, not on the batches before it", "[mnist]") {
  BatchOrder all(103, 10, 7);
  for (int64_t step = 0; step < 45; ++step) {
    const auto indices = all.at(step);
    const std::vector<int> in_order(indices.begin(), indices.end());
    BatchOrder fresh(103, 10, 7);
    const auto alone = fresh.at(step);
    CHECK(in_order == std::vector<int>(alone.begin(), alone.end()));
  }
}

TEST_CASE(
    "An epoch takes every example at most once, in an order that the epoch and the seed decide",
    "[mnist]") {
  const auto epoch = [](int number, uint64_t seed) {
    BatchOrder order(100, 10, seed);
    std::vector<int> taken;
    for (int64_t step = number * 10; step < (number + 1) * 10; ++step) {
      const auto indices = order.at(step);
      taken.insert(taken.end(), indices.begin(), indices.end());
    }
    return taken;
  };
  std::vector<int> first = epoch(0, 1);
  CHECK(first != epoch(1, 1));
  CHECK(first != epoch(0, 2));
  std::sort(first.begin(), first.end());
  for (int i = 0; i < 100; ++i) CHECK(first[i] == i);
}

TEST_CASE("Batches hold the rows that the order names", "[mnist]") {
  const Digits digits = load_mnist(Folder().path()).train;
  Batches batches(digits, 7, 5);
  BatchOrder order(kTrain, 7, 5);
  for (const int64_t step : {0, 3, 4, 11}) {
    const Digits& batch = batches.at(step);
    const auto rows = order.at(step);
    for (int i = 0; i < 7; ++i) {
      CHECK(bit_equal(batch.images.rows(i, i + 1), digits.images.rows(rows[i], rows[i] + 1)));
      CHECK(bit_equal(batch.labels.rows(i, i + 1), digits.labels.rows(rows[i], rows[i] + 1)));
    }
  }
}

TEST_CASE("A batch larger than the examples, an empty one and a negative step are refused",
          "[mnist]") {
  CHECK(error_of([] { BatchOrder(10, 11, 0); }).code() == Code::kInvalidArgument);
  CHECK(error_of([] { BatchOrder(10, 0, 0); }).code() == Code::kInvalidArgument);
  CHECK(error_of([] { BatchOrder(10, 5, 0).at(-1); }).code() == Code::kInvalidArgument);
}

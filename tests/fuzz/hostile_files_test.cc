// Files that were made to cost whoever looks at them: at most 64 MB and 50 times the file's bytes
// of memory, at most a second and 5 microseconds per byte. What is said of them does not matter
// here.
#include <snappy.h>

#include <ctime>
#include <functional>

#include "cairn/checkpoint.pb.h"
#include "cairn/meta_graph.pb.h"
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/extras/checkpoint_doctor.h"
#include "persist/graph/meta_graph.h"
#include "runtime/graph/graph.h"
#include "tests/fuzz/heap.h"
#include "tests/support/catch.h"
#include "tests/support/sanitized.h"
#include "tests/support/table_bytes.h"

namespace cairn {
namespace {

#if defined(CAIRN_SANITIZED)
constexpr double kSlower = 20;
#else
constexpr double kSlower = 4;  // tests and library are built without optimization, too
#endif

// Runs `look`, which may throw Errors, on a file system that holds `bytes` bytes.
void check_cost(const char* what, size_t bytes, const std::function<void()>& look) {
  INFO(what << ", " << bytes << " bytes");
  const std::clock_t begin = std::clock();
  const size_t peak = peak_heap_of([&] {
    try {
      look();
    } catch (const Error&) {
    }
  });
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  CHECK(peak <= (size_t{64} << 20) + 50 * bytes);
  CHECK(seconds <= kSlower * (1 + 5e-6 * static_cast<double>(bytes)));
}

size_t size_of(const MemoryFileSystem& fs) {
  size_t bytes = 0;
  for (const auto& [path, content] : fs.contents()) bytes += content.size();
  return bytes;
}

// All that readers do with a checkpoint.
void check_checkpoint(const char* what, MemoryFileSystem& fs) {
  const size_t bytes = size_of(fs);
  const auto each = [&](const std::function<void(const CheckpointReader&)>& use) {
    check_cost(what, bytes, [&] { use(CheckpointReader("/run/m", &fs)); });
  };
  each([](const CheckpointReader& reader) { reader.verify(); });
  each([](const CheckpointReader& reader) { reader.debug_string(); });
  each([](const CheckpointReader& reader) {
    for (const std::string& name : reader.names()) {
      try {
        reader.get_tensor(name);
      } catch (const Error&) {
      }
    }
  });
  each([](const CheckpointReader& reader) { reader.get_tensor(std::string(400'000, 'n')); });
  check_cost(what, bytes, [&] { examine_directory("/run", &fs); });
}

void check_graph(const char* what, const std::string& content) {
  check_cost(what, content.size(), [&] {
    Graph graph;
    import_meta_graph_def(graph, MetaGraph::parse(content, "m.meta"));
  });
}

std::string field(int number, const std::string& bytes) {
  std::string text;
  put_varint(text, static_cast<uint64_t>(number) << 3 | 2);
  put_varint(text, bytes.size());
  return text + bytes;
}

std::string repeated(const std::string& bytes, size_t times) {
  std::string text;
  text.reserve(bytes.size() * times);
  for (size_t i = 0; i < times; ++i) text += bytes;
  return text;
}

std::string bundle_header(int shards = 1) {
  pb::BundleHeaderProto header;
  header.set_num_shards(shards);
  header.mutable_version()->set_producer(1);
  return header.SerializeAsString();
}

pb::BundleEntryProto entry_of(std::initializer_list<int64_t> shape, uint64_t size = 0,
                              DType dtype = DType::kFloat) {
  pb::BundleEntryProto entry;
  entry.set_dtype(static_cast<pb::DataType>(dtype));
  for (const int64_t extent : shape) entry.mutable_shape()->add_dim()->set_size(extent);
  entry.set_size(static_cast<int64_t>(size));
  entry.set_crc32c(mask_crc(crc32c("")));
  return entry;
}

// A bundle of `items` beside its header, and `data`.
void set_bundle(MemoryFileSystem& fs, std::map<std::string, std::string> items,
                const std::string& data = "", int shards = 1) {
  fs.create_dirs("/run");
  items[""] = bundle_header(shards);
  fs.set("/run/m.index", table_of(items));
  if (shards == 1) fs.set(bundle_data_path("/run/m", 0, 1), data);
}

}  // namespace

TEST_CASE("Tensors of extents beyond all memory cost what their bytes do", "[hostile]") {
  MemoryFileSystem fs;
  constexpr int64_t kHuge = int64_t{1} << 62;
  set_bundle(fs, {{"a", entry_of({kHuge}).SerializeAsString()},
                  {"b", entry_of({kHuge, 0}).SerializeAsString()},
                  {"c", entry_of({0, kHuge, 4, 0}).SerializeAsString()},
                  {"d", entry_of({kHuge}, uint64_t{1} << 62, DType::kBool).SerializeAsString()},
                  {"e", entry_of({kHuge, 0}, 0, DType::kString).SerializeAsString()}});
  check_checkpoint("huge extents", fs);
}

TEST_CASE("A bundle that counts more data files than there are costs what its bytes do",
          "[hostile]") {
  for (const int shards : {INT32_MAX, 99'999, 5'000}) {
    MemoryFileSystem fs;
    set_bundle(fs, {{"a", entry_of({}, 4).SerializeAsString()}}, "", shards);
    check_checkpoint("many shards", fs);
  }
}

TEST_CASE("A tensor of very many slices costs what its bytes do", "[hostile]") {
  constexpr int kSlices = 15'000;
  for (const char* kind : {"of a scalar", "that lie side by side", "that are the same",
                           "of no elements", "in a cube"}) {
    const std::string what = kind;
    MemoryFileSystem fs;
    std::map<std::string, std::string> items;
    pb::BundleEntryProto entry = what == "of a scalar"      ? entry_of({})
                                 : what == "of no elements" ? entry_of({0, kSlices})
                                 : what == "in a cube"      ? entry_of({32, 32, 32})
                                                            : entry_of({1, kSlices});
    for (int i = 0; i < kSlices; ++i) {
      auto& slice = *entry.add_slices();
      std::vector<Extent> extents;
      const auto add = [&](int64_t start, int64_t length) { extents.push_back({start, length}); };
      if (what == "that lie side by side") add(0, 1), add(i, 1);
      if (what == "that are the same") add(0, 1), add(0, 1);
      if (what == "of no elements") add(0, 0), add(i, 1);
      if (what == "in a cube") add(i % 32, 1), add(i / 32 % 32, 1), add(i / 32 / 32, 1);
      const TensorSlice part(extents);
      pb::BundleEntryProto own = entry_of({}, what == "of no elements" ? 0 : 4);
      for (const Extent& e : extents) {
        auto& extent = *slice.add_extent();
        extent.set_start(e.start);
        extent.set_length(e.length);
        own.mutable_shape()->add_dim()->set_size(e.length);
      }
      own.set_offset(what == "that are the same" ? 0 : 4 * i);
      items[slice_key("W", part)] = own.SerializeAsString();
    }
    items["W"] = entry.SerializeAsString();
    set_bundle(fs, std::move(items), std::string(4 * kSlices, '\0'));
    check_checkpoint(kind, fs);
  }
}

TEST_CASE("Names of 400 kB, and many that share their beginnings, cost what their bytes do",
          "[hostile]") {
  MemoryFileSystem fs;
  std::map<std::string, std::string> items;
  const std::string entry = entry_of({}, 4).SerializeAsString();
  for (int i = 0; i < 200; ++i) items[std::string(400'000, 'a') + str_cat("/", i)] = entry;
  set_bundle(fs, items);
  check_checkpoint("long names", fs);
  items.clear();
  for (int i = 0; i < 30; ++i)
    items[repeated(str_cat(static_cast<char>('a' + i), "/"), 200'000)] = entry;
  set_bundle(fs, items);
  check_checkpoint("deep names", fs);
}

TEST_CASE("Compressed blocks that grow cost what their bytes do", "[hostile]") {
  for (const size_t length : {size_t{1} << 20, size_t{1} << 24, size_t{1} << 28}) {
    MemoryFileSystem fs;
    fs.create_dirs("/run");
    std::string compressed;
    snappy::Compress(std::string(length, '\0').data(), length, &compressed);
    const std::string block = block_of(compressed, 1);
    fs.set("/run/m.index", table_around(block, index_entry(0, block.size() - 5)));
    check_checkpoint("zeros", fs);
    std::string claim;
    put_varint(claim, uint64_t{1} << 31);
    const std::string small = block_of(claim + std::string(100, '\0'), 1);
    fs.set("/run/m.index", table_around(small, index_entry(0, small.size() - 5)));
    check_checkpoint("a claim", fs);
  }
}

TEST_CASE("Messages of many empty parts cost what their bytes do", "[hostile]") {
  constexpr size_t kMany = 1'000'000;
  const std::string empty(2, '\0');
  const auto empties = [&](int number) { return repeated(field(number, ""), kMany); };
  check_graph("nodes", field(2, empties(1)));
  check_graph("nodes of a GraphDef", field(1, field(1, "n") + field(2, "NoOp")) + empties(1));
  check_graph("functions", field(2, field(2, empties(1))));
  check_graph(
      "ops", field(1, field(2, empties(1))) + field(2, field(1, field(1, "n") + field(2, "NoOp"))));
  check_graph("collections", empties(4));
  check_graph("assets", empties(6));
  const std::string attr = field(1, "a") + field(2, field(1, repeated(field(8, ""), kMany)));
  check_graph("tensors in an attribute",
              field(2, field(1, field(1, "n") + field(2, "NoOp") + field(5, attr))));
  check_graph("text", repeated("node{}", 1'000'000));
  check_graph("unknown fields", field(2, field(1, field(1, "n") + field(2, "NoOp"))) +
                                    repeated(field(99, ""), kMany));
  const auto small_nodes = [](int count) {
    std::string many;
    for (int i = 0; i < count; ++i) many += field(1, field(1, str_cat("n", i)) + field(2, "X"));
    return field(2, many);
  };
  check_graph("small nodes", small_nodes(100'000));
  check_graph("small nodes", small_nodes(60'000));
  // which is no attack
  CHECK(MetaGraph::parse(small_nodes(60'000), "m.meta").num_nodes() == 60'000);
}

TEST_CASE("Deep nests cost what their bytes do", "[hostile]") {
  // A function's attributes hold functions.
  std::string nest;
  for (int i = 0; i < 20'000; ++i)
    nest = field(10, field(1, "f") + field(2, field(1, "a") + field(2, nest)));
  check_graph("functions in functions",
              field(2, field(1, field(1, "n") + field(2, "NoOp") +
                                    field(5, field(1, "a") + field(2, nest)))));
  check_graph("text",
              "node { attr { value { list { " + repeated("func { attr { value { list { ", 100'000));
  check_graph("JSON", "{\"graph_def\":" + repeated("[", 1'000'000));
}

TEST_CASE("A checkpoint file of many names costs what its bytes do", "[hostile]") {
  for (const char* name : {"m", "/x/m", "m.index", "C:\\\\m"}) {
    MemoryFileSystem fs;
    fs.create_dirs("/run");
    std::string text = "model_checkpoint_path: \"m\"\n";
    for (int i = 0; i < 20'000; ++i)
      text += str_cat("all_model_checkpoint_paths: \"", name, i % 2 ? "" : "x", "\"\n");
    fs.set("/run/checkpoint", text);
    check_cost(name, text.size(), [&] { get_checkpoint_state("/run", kCheckpointFileName, &fs); });
    check_cost(name, text.size(),
               [&] { latest_checkpoint("/run", {.verify = true, .file_system = &fs}); });
    check_cost(name, text.size(), [&] { examine_directory("/run", &fs); });
  }
}

TEST_CASE("A V1 file that names a record again and again costs what its bytes do", "[hostile]") {
  constexpr int kTimes = 50'000;
  MemoryFileSystem fs;
  fs.create_dirs("/run");
  pb::SavedTensorSlices contents;
  auto& meta = *contents.mutable_meta()->add_tensor();
  meta.set_name("W");
  meta.set_type(pb::DT_FLOAT);
  meta.mutable_shape()->add_dim()->set_size(0);
  std::map<std::string, std::string> items;
  for (int i = 0; i < kTimes; ++i) {
    auto& extent = *meta.add_slice()->add_extent();
    extent.set_length(0);
    items[str_cat("x", i)] = "";
  }
  items[""] = contents.SerializeAsString();
  pb::SavedTensorSlices record;
  record.mutable_data()->set_name("W");
  record.mutable_data()->mutable_slice()->add_extent()->set_length(0);
  items[slice_key("W", TensorSlice(std::vector<Extent>{{0, 0}}))] =
      record.SerializeAsString() + field(99, std::string(1 << 20, 'x'));
  fs.set("/run/m", table_of(items));
  check_checkpoint("one record", fs);
  std::string metas = repeated(field(1, ""), 1'000'000);
  fs.set("/run/m", table_of({{"", field(1, metas)}}));
  check_checkpoint("empty entries", fs);
}

}  // namespace cairn

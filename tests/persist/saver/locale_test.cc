// Files say the same whatever locale the program has set.
#include <clocale>
#include <locale>

#include "ops/array/array.h"
#include "ops/math/math.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/saver/saver.h"
#include "tests/support/catch.h"
#include "tests/support/memory_fs.h"
#include "train/optimizers.h"

using namespace cairn;

namespace {

struct German : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

// Numbers in C++ streams as in Germany, and as the C library has any locale with a decimal comma
// that is installed.
class GermanProgram {
 public:
  GermanProgram() : streams_(std::locale::global(std::locale(std::locale::classic(), new German))) {
    for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"}) {
      if (std::setlocale(LC_ALL, name)) break;
    }
  }
  ~GermanProgram() {
    std::locale::global(streams_);
    std::setlocale(LC_ALL, "C");
  }

 private:
  std::locale streams_;
};

// Saves of a model with slices, metrics, a large step and a graph of many numbers; then what is in
// the directory.
std::map<std::string, std::string> files_of_a_run() {
  MemoryFileSystem fs;
  fs.create_dirs("/run");
  Graph graph;
  const auto parts = get_partitioned_variable(graph, "W", {2000, 3}, fixed_size_partitioner(2),
                                              {.initializer = zeros_initializer()});
  for (int i = 0; i < 1200; ++i) constant(graph, 1234.5f, {.name = "c"});
  const auto pieces = split(placeholder(graph, DType::kFloat, {1500}), 1500);
  identity(pieces[1200]);
  graph.add_to_collection("rate", 1234567.5f);
  double now = 1e9;
  Saver saver(graph, {.max_to_keep = 2, .keep_checkpoint_every_n_hours = 1500.5, .clock = [&] {
                        return now += 3600.25;
                      }});
  saver.keep_best("acc", 1500);
  Session session(graph, {.file_system = &fs});
  session.run(global_variables_initializer(graph));
  std::string last;
  for (int i = 0; i < 3; ++i)
    last = saver.save(session, "/run/m",
                      {.global_step = 1234567 + i, .metrics = {{"acc", 1000.5 + i}}});
  saver.restore(session, last);
  export_meta_graph(graph, {.filename = "/run/text", .as_text = true, .file_system = &fs});
  export_meta_graph(graph, {.filename = "/run/json", .as_json = true, .file_system = &fs});
  Graph again;
  import_meta_graph(again, last + ".meta", {.file_system = &fs});
  Graph from_text;
  import_meta_graph_def(from_text, "/run/text", {.file_system = &fs});
  CHECK(from_text.num_nodes() == graph.num_nodes());
  Graph later;
  const Saver resumed = import_meta_graph(later, last + ".meta", {.file_system = &fs});
  Session other(later, {.file_system = &fs});
  const RestoreReport report = resumed.restore(other, "/run", {.rename = "s/^nothing/at all/"});
  CHECK(report.step == 1234569);
  CHECK(kept_checkpoints("/run", &fs).size() == 3);
  std::map<std::string, std::string> files;
  for (const std::string& name : fs.list_dir("/run")) files[name] = read_file(fs, "/run/" + name);
  files["report"] = report.str();
  return files;
}

}  // namespace

TEST_CASE("A run writes and reads the same bytes under a locale that groups digits",
          "[saver][locale]") {
  const auto plain = files_of_a_run();
  const auto german = [] {
    const GermanProgram here;
    return files_of_a_run();
  }();
  REQUIRE(plain.size() == german.size());
  for (const auto& [name, bytes] : plain) {
    INFO(name);
    CHECK((german.count(name) == 1 && german.at(name) == bytes));
  }
  CHECK(plain.count("m-1234567.index") == 1);
}

TEST_CASE("Messages have plain numbers under a locale that groups digits", "[locale]") {
  const GermanProgram here;
  CHECK(str_cat(1234567, " ", 1234.5, " ", int64_t{-9876543210}) == "1234567 1234.5 -9876543210");
}

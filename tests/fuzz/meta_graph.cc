// A .meta file: parsed, imported, exported, and all that once more.
#include "persist/graph/meta_graph.h"

#include "ops/array/array.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/state/state.h"
#include "persist/saver/saver.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/memory_fs.h"
#include "train/optimizers.h"

namespace cairn::fuzz {
namespace {

void one(std::string_view bytes) {
  accepted([&] {
    const MetaGraph meta = MetaGraph::parse(std::string(bytes), "m.meta");
    accepted([&] { meta.json(); });
    accepted([&] { MetaGraph::parse(meta.text(), "m.txt"); });
    Graph graph;
    import_meta_graph_def(graph, meta);
    const MetaGraph once = export_meta_graph(graph);
    Graph other;
    const bool again = accepted(
        [&] { import_meta_graph_def(other, MetaGraph::parse(once.bytes(), "what was exported")); });
    require(again, "what was exported is refused");
    require(export_meta_graph(other).bytes() == once.bytes(),
            "what was exported comes back otherwise");
    const int nodes = graph.num_nodes();
    if (!accepted([&] { import_meta_graph_def(graph, meta, {.import_scope = "again"}); })) {
      require(graph.num_nodes() == nodes, "an import that failed has left nodes");
    }
    accepted([&] { export_meta_graph(graph, {.export_scope = "again", .clear_devices = true}); });
    accepted([&] {
      export_meta_graph(other, {.clear_extraneous_savers = true, .strip_default_attrs = true});
    });
  });
  MemoryFileSystem fs;
  fs.set("m.meta", std::string(bytes));
  accepted([&] {
    Graph graph;
    import_meta_graph(graph, "m.meta", {.file_system = &fs});
  });
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  Graph sum;
  add(constant(sum, Tensor::vector<float>({1, 2}), {.name = "a"}),
      placeholder(sum, DType::kFloat, {-1, 2}));
  seeds.push_back(as_graph_def(sum));
  seeds.push_back(export_meta_graph(sum).bytes());
  seeds.push_back(export_meta_graph(sum).text());
  Graph model;
  const auto x = placeholder(model, DType::kFloat, {-1, 3}, {.name = "x"});
  const auto w = variable(zeros(model, {3, 2}), {.name = "W"});
  GradientDescentOptimizer(0.5).minimize(reduce_mean(matmul(x, w)));
  model.add_to_collection("x", x);
  const Saver saver(model);
  seeds.push_back(export_meta_graph(model, {.saver_def = saver.as_saver_def()}).bytes());
  return seeds;
}

}  // namespace

const Target meta_graph{"meta_graph", one, seeds};

}  // namespace cairn::fuzz

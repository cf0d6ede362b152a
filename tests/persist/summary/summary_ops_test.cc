// Summaries, read back with protobuf.
#include "persist/summary/summary_ops.h"
#include "cairn/event.pb.h"
#include "ops/array/array.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"
#include "persist/graph/meta_graph.h"
#include "persist/messages/message.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/memory_fs.h"

namespace cairn {
namespace {

// "tag=value …" of a serialized Summary.
std::string values_of(const Tensor& message) {
  pb::Summary summary;
  REQUIRE(parse_bytes(message.scalar<std::string>(), summary));
  std::string text;
  for (const auto& value : summary.value()) {
    text += str_cat(text.empty() ? "" : " ", value.tag(), "=", value.simple_value());
  }
  return text;
}

std::string inputs_of(const Output& output) {
  std::string text = output.op().type();
  for (const Output& input : output.op().inputs()) text += " " + input.name();
  return text;
}

}  // namespace

TEST_CASE("A scalar summary has the nodes, the tag and the bytes that TensorFlow gives it",
          "[persist][summary]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2});
  const Output loss = identity(reduce_mean(x), {.name = "value"});
  const Output s = summary::scalar("loss", loss);
  CHECK(s.name() == "loss:0");
  CHECK(inputs_of(s) == "ScalarSummary loss/tags:0 value:0");
  CHECK(s.shape() == Shape{});
  CHECK(graph.collection<Output>(GraphKeys::kSummaries) == std::vector{s});
  Session session(graph);
  // Summary { value { tag: "loss" simple_value: 1.5 } }
  CHECK(session.run(s, {{x, Tensor::vector<float>({1, 2})}}).scalar<std::string>() ==
        std::string("\x0a\x0b\x0a\x04loss\x15\x00\x00\xc0\x3f", 13));
}

TEST_CASE("A summary's tag is its name in the graph: scopes, a number, a family",
          "[persist][summary]") {
  Graph graph;
  const Output x = constant(graph, 2.0f, {.name = "loss"});
  Session session(graph);
  CHECK(values_of(session.run(summary::scalar("loss", x))) == "loss_1=2");
  const Scope scope = graph.name_scope("train");
  CHECK(values_of(session.run(summary::scalar("learning rate", x))) == "train/learning_rate=2");
  const Output in_family = summary::scalar("loss", x, {.collections = {}, .family = "eval"});
  CHECK(in_family.name() == "train/eval/loss:0");
  CHECK(values_of(session.run(in_family)) == "eval/train/eval/loss=2");
  CHECK(graph.collection<Output>(GraphKeys::kSummaries).size() == 2);
}

TEST_CASE("ScalarSummary takes the tag unchanged, and several at once", "[persist][summary]") {
  Graph graph;
  const Output x = constant(graph, Tensor::vector<int64_t>({3, -4}));
  const Output one = scalar_summary("a b", reduce_sum(x)),
               again = scalar_summary("c", reduce_sum(x));
  CHECK(one.name() == "ScalarSummary:0");
  CHECK(inputs_of(again) == "ScalarSummary ScalarSummary_1/tags:0 " + again.op().input(1).name());
  const Output both = scalar_summary(constant(graph, Tensor::vector<std::string>({"p", "q"})), x,
                                     {.collections = {}});
  Session session(graph);
  CHECK(values_of(session.run(one)) == "a b=-1");
  CHECK(values_of(session.run(both)) == "p=3 q=-4");
  CHECK(graph.collection<Output>(GraphKeys::kSummaries) == std::vector{one, again});
}

TEST_CASE("Tags and values of different shapes are refused, when added or when run",
          "[persist][summary]") {
  Graph graph;
  const Output x = constant(graph, Tensor::vector<float>({3, 4})),
               y = placeholder(graph, DType::kFloat);
  CHECK_THROWS_WITH(scalar_summary("t", x), Catch::Contains("ScalarSummary") &&
                                                Catch::Contains("tags []") &&
                                                Catch::Contains("values [2]"));
  const Output late = scalar_summary("t", y);
  Session session(graph);
  CHECK_THROWS_WITH(session.run(late, {{y, Tensor::vector<float>({3, 4})}}),
                    Catch::Contains("values [2]"));
  CHECK(values_of(session.run(late, {{y, Tensor(5.0f)}})) == "t=5");
}

TEST_CASE("MergeSummary of merge_all gathers a collection's summaries into one message",
          "[persist][summary]") {
  Graph graph;
  CHECK_FALSE(summary::merge_all(graph));
  const Output x = constant(graph, 2.0f, {.name = "x"});
  summary::scalar("a", x);
  summary::scalar("b", x * 2.0f);
  const Output all = summary::merge_all(graph);
  CHECK(all.name() == "Merge/MergeSummary:0");
  CHECK(inputs_of(all) == "MergeSummary a:0 b:0");
  Session session(graph);
  CHECK(values_of(session.run(all)) == "a=2 b=4");
  CHECK(inputs_of(summary::merge_all(graph, GraphKeys::kSummaries, "b")) == "MergeSummary b:0");
  CHECK_THROWS_WITH(merge_summary({}), Catch::Contains("no summaries"));
}

TEST_CASE("A tag that two summaries have, and what is no summary, fail the run",
          "[persist][summary]") {
  Graph graph;
  const Output x = constant(graph, 2.0f);
  const Output twice = merge_summary({scalar_summary("t", x), scalar_summary("t", x)});
  const Output wrong = merge_summary({scalar_summary("t", x), constant(graph, "\xff\xff")});
  Session session(graph);
  CHECK_THROWS_WITH(session.run(twice), Catch::Contains("duplicate tag t"));
  CHECK_THROWS_WITH(session.run(wrong), Catch::Contains("input 1 is not a Summary"));
  const Output not_text = scalar_summary("\xff", x);
  CHECK_THROWS_WITH(session.run(not_text), Catch::Contains("UTF-8"));
}

TEST_CASE("Summaries are added to an imported graph and go back into its file",
          "[persist][summary]") {
  MemoryFileSystem fs;
  {
    Graph graph;
    summary::scalar("loss", constant(graph, 3.0f, {.name = "value"}));
    export_meta_graph(graph, {.filename = "m.meta", .file_system = &fs});
  }
  Graph graph;
  import_meta_graph_def(graph, "m.meta", {.file_system = &fs});
  summary::scalar("more", graph.find("value:0") * 2.0f);
  Session session(graph);
  CHECK(values_of(session.run(summary::merge_all(graph))) == "loss=3 more=6");
}

}  // namespace cairn

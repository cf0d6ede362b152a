// Collections of messages of one's own, and of TensorFlow's own kinds.
#include "persist/messages/proto_collection.h"

#include "cairn/control_flow.pb.h"
#include "ops/array/array.h"
#include "persist/graph/convert.h"
#include "persist/graph/meta_graph_rep.h"
#include "persist/messages/message.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;

namespace {

// The schema's own messages serve as a user's.
struct Slice {
  std::string name;
  int64_t length = 0;
  friend bool operator==(const Slice&, const Slice&) = default;
};
pb::SaveSliceInfoDef to_message(const Slice& slice) {
  pb::SaveSliceInfoDef proto;
  proto.set_full_name(slice.name);
  proto.add_full_shape(slice.length);
  return proto;
}
Slice from_message(const pb::SaveSliceInfoDef& proto) {
  return {proto.full_name(), proto.full_shape(0)};
}

const auto kSlices = register_proto<Slice>("slices", to_message, from_message);

// A message of the collection `key` as text, after import under a scope.
template <class M>
std::string scoped(const std::string& key, const std::string& text) {
  M message;
  std::string why;
  if (!parse_text(text, message, &why)) fail(Code::kInternal, why);
  pb::MetaGraphDef meta;
  for (const char* name : {"q", "pred_id", "switch_t", "x", "inner"}) {
    auto& node = *meta.mutable_graph_def()->add_node();
    node.set_name(name);
    node.set_op("NoOp");
  }
  (*meta.mutable_collection_def())[key].mutable_bytes_list()->add_value(to_bytes(message));
  Graph graph;
  import_meta_graph_def(graph, MetaGraph::parse(to_bytes(meta), "m"), {.import_scope = "s"});
  const MetaGraph written = export_meta_graph(graph);
  M read;
  if (!parse_bytes(written.rep().def.collection_def().at(key).bytes_list().value(0), read))
    return "no message";
  // And back out of the scope: the same bytes as before.
  const MetaGraph cut = export_meta_graph(graph, {.export_scope = "s"});
  CHECK(same_message(cut.rep().def.collection_def().at(key), meta.collection_def().at(key)));
  return to_line(read);
}

}  // namespace

TEST_CASE("Values of one's own go into a file as messages and come back",
          "[persist][collections]") {
  Graph graph, again;
  kSlices.add(graph, {"a", 3});
  kSlices.add(graph, {"b", 4});
  const MetaGraph written = export_meta_graph(graph);
  CHECK(written.rep().def.collection_def().at("slices").bytes_list().value(0) ==
        to_bytes(to_message({"a", 3})));
  import_meta_graph_def(again, MetaGraph::parse(written.bytes(), "m"));
  CHECK(kSlices.get(again) == std::vector<Slice>{{"a", 3}, {"b", 4}});
  CHECK(kSlices.get(Graph()).empty());
}

TEST_CASE("Messages themselves and plain bytes are values too", "[persist][collections]") {
  Graph graph;
  const auto messages = register_proto<pb::SaveSliceInfoDef>("messages");
  messages.add(graph, to_message({"a", 3}));
  CHECK(messages.get(graph).at(0).full_name() == "a");
  const auto numbers = register_proto<int>(
      "numbers", [](int n) { return std::to_string(n); },
      [](const std::string& bytes) { return std::stoi(bytes); });
  numbers.add(graph, 42);
  CHECK(graph.collection<std::string>("numbers") == std::vector<std::string>{"42"});
  CHECK(numbers.get(graph) == std::vector<int>{42});
}

TEST_CASE("An item that is no such message is named by its place", "[persist][collections]") {
  Graph graph;
  kSlices.add(graph, {"a", 3});
  graph.add_to_collection("slices", std::string("\xff\xff"));
  const Error error = error_of([&] { kSlices.get(graph); });
  CHECK(error.code() == Code::kDataLoss);
  CHECK_THAT(error.what(), Catch::Contains("collection 'slices', item 1"));
  graph.clear_collection("slices");
  graph.add_to_collection("slices", int64_t{1});
  CHECK(error_of([&] { kSlices.get(graph); }).code() == Code::kInvalidArgument);
}

TEST_CASE("Messages that nobody registered keep every byte, under a scope too",
          "[persist][collections]") {
  Graph graph;
  const std::string odd = from_hex("fa07 03 616263 00ff");
  graph.add_to_collection("theirs", odd);
  const MetaGraph first = export_meta_graph(graph);
  Graph again;
  import_meta_graph_def(again, first, {.import_scope = "s"});
  CHECK(export_meta_graph(again).rep().def.collection_def().at("theirs").bytes_list().value(0) ==
        odd);
}

TEST_CASE("Queue runners follow an import scope", "[persist][collections]") {
  CHECK(
      scoped<pb::QueueRunnerDef>(
          "queue_runners",
          R"(queue_name: "q" enqueue_op_name: "x" close_op_name: "inner" cancel_op_name: "x"
                                      queue_closed_exception_types: OUT_OF_RANGE)") ==
      R"(queue_name: "s/q" enqueue_op_name: "s/x" close_op_name: "s/inner" cancel_op_name: "s/x" )"
      R"(queue_closed_exception_types: OUT_OF_RANGE)");
}

TEST_CASE("Contexts of conditions and loops follow an import scope, those inside them too",
          "[persist][collections]") {
  CHECK(
      scoped<pb::CondContextDef>(
          "cond_context",
          R"(context_name: "cond_text" pred_name: "pred_id:0" pivot_name: "switch_t:0" branch: 1
                               values_def { values: "x:0" external_values { key: "x:0" value: "inner:0" } }
                               nested_contexts { cond_ctxt { context_name: "inner" } })") ==
      R"(context_name: "s/cond_text" pred_name: "s/pred_id:0" pivot_name: "s/switch_t:0" branch: 1 )"
      R"(values_def { values: "s/x:0" external_values { key: "s/x:0" value: "s/inner:0" } } )"
      R"(nested_contexts { cond_ctxt { context_name: "s/inner" } })");
  CHECK(
      scoped<pb::WhileContextDef>(
          "while_context",
          R"(context_name: "while_context" parallel_iterations: 10 back_prop: true
                                pivot_name: "switch_t:0" loop_exit_names: "x:0" loop_enter_names: "q:0"
                                nested_contexts { while_ctxt { context_name: "inner" } })") ==
      R"(context_name: "s/while_context" parallel_iterations: 10 back_prop: true pivot_name: "s/switch_t:0" )"
      R"(loop_exit_names: "s/x:0" loop_enter_names: "s/q:0" nested_contexts { while_ctxt { context_name: "s/inner" } })");
}

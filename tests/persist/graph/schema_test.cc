#include "persist/messages/schema.h"

#include <google/protobuf/descriptor.h>

#include "cairn/checkpoint.pb.h"
#include "cairn/event.pb.h"
#include "cairn/meta_graph.pb.h"
#include "persist/graph/convert.h"
#include "persist/messages/message.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"

using namespace cairn;

TEST_CASE("The library enters no schema into the table that the process has once",
          "[persist][schema]") {
  const auto* table = google::protobuf::DescriptorPool::generated_pool();
  descriptor_of(pb::MetaGraphDef());
  for (const char* file :
       {"cairn/graph.proto", "cairn/tensor.proto", "proto/graph.proto", "graph.proto"}) {
    CHECK(table->FindFileByName(file) == nullptr);
  }
  CHECK(table->FindMessageTypeByName("cairn.pb.GraphDef") == nullptr);
  CHECK(find_message_type("cairn.pb.GraphDef") == &descriptor_of(pb::GraphDef()));
}

TEST_CASE("Types are found by name: ours, and those that the program has", "[persist][schema]") {
  CHECK(descriptor_of(pb::Event()).full_name() == "cairn.pb.Event");
  CHECK(descriptor_of(pb::CheckpointState()).FindFieldByName("model_checkpoint_path") != nullptr);
  REQUIRE(find_message_type("google.protobuf.FileDescriptorProto") != nullptr);
  CHECK(find_message_type("google.protobuf.Any") != nullptr);
  CHECK(find_message_type("cairn.pb.Nothing") == nullptr);
  CHECK(find_message_type("") == nullptr);
}

TEST_CASE("A copy with reflection has every field, and those that the schema does not name",
          "[persist][schema]") {
  pb::NodeDef node;
  node.set_name("n");
  (*node.mutable_attr())["b"].set_i(1);
  (*node.mutable_attr())["a"].set_s("x");
  add_unknown_fields(node, from_hex("fa07 03 616263"));
  const auto copy = reflected(node);
  CHECK(copy->GetTypeName() == "cairn.pb.NodeDef");
  CHECK(to_hex(to_bytes(*copy)) == to_hex(to_bytes(node)));
  CHECK(copy->GetReflection()->GetUnknownFields(*copy).field_count() == 1);
  CHECK(to_line(node) ==
        R"(name: "n" attr { key: "a" value { s: "x" } } attr { key: "b" value { i: 1 } })");
}

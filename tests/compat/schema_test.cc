// The schemas in proto/ against what TensorFlow wrote: nothing unknown, nothing lost, every name in
// text.
#include <google/protobuf/unknown_field_set.h>

#include "cairn/checkpoint.pb.h"
#include "cairn/meta_graph.pb.h"
#include "persist/messages/message.h"
#include "persist/messages/schema.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

namespace cairn {
namespace {

using google::protobuf::Message;

// How many unknown fields there are in a message and all messages in it.
int unknown_fields(const Message& message) {
  const auto* reflection = message.GetReflection();
  int count = reflection->GetUnknownFields(message).field_count();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != field->CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      count += unknown_fields(reflection->GetMessage(message, field));
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      count += unknown_fields(reflection->GetRepeatedMessage(message, field, i));
    }
  }
  return count;
}

std::vector<std::filesystem::path> files(bool (*wanted)(const std::string& name)) {
  std::vector<std::filesystem::path> found;
  if (!fixtures()) return found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*fixtures())) {
    if (wanted(entry.path().filename())) found.push_back(entry.path());
  }
  return found;
}

}  // namespace

TEST_CASE(
    "Every binary .meta of TensorFlow 1.x is known field for field, and its text form is whole",
    "[compat][schema]") {
  const auto metas = files([](const std::string& name) { return name.ends_with(".meta"); });
  if (metas.empty()) return skip("no fixtures: build with -Dfixtures=DIR");
  for (const auto& path : metas) {
    CAPTURE(path.string());
    pb::MetaGraphDef meta;
    REQUIRE(meta.ParseFromString(read_bytes(path)));
    CHECK(meta.graph_def().node_size() > 0);
    if (!meta.meta_info_def().tensorflow_version().starts_with("2."))
      CHECK(unknown_fields(*reflected(meta)) == 0);
    pb::MetaGraphDef again;
    REQUIRE(again.ParseFromString(meta.SerializeAsString()));
    CHECK(again.ByteSizeLong() == static_cast<size_t>(std::filesystem::file_size(path)));
    const std::string text = to_text(meta);
    if (unknown_fields(*reflected(meta)) > 0) continue;
    REQUIRE(parse_text(text, again));
    CHECK(to_text(again) == text);
  }
}

TEST_CASE("Every `checkpoint` file of TensorFlow's is read by name and printed the same",
          "[compat][schema]") {
  const auto states = files([](const std::string& name) { return name == "checkpoint"; });
  if (states.empty()) return skip("no fixtures: build with -Dfixtures=DIR");
  for (const auto& path : states) {
    CAPTURE(path.string());
    const std::string text = read_bytes(path);
    pb::CheckpointState state;
    REQUIRE(parse_text(text, state));
    CHECK(to_text(state) == text);
  }
}

TEST_CASE("What TensorFlow printed as text is read by its names", "[compat][schema]") {
  const auto twin = fixture("add-v1-book-text"), metrics = fixture("tf-metrics-meta-text"),
             model = fixture("tf-sm-half-plus-two-pbtxt");
  if (!twin || !metrics || !model) return;
  const auto parsed = [](const std::filesystem::path& file, auto& message) {
    return parse_text(read_bytes(file), message);
  };
  pb::MetaGraphDef text, binary;
  REQUIRE(parsed(*twin / "model.ckpt.meta.json", text));
  REQUIRE(binary.ParseFromString(read_bytes(*twin / "model.ckpt.meta")));
  CHECK(text.saver_def().SerializeAsString() == binary.saver_def().SerializeAsString());
  CHECK(parsed(*metrics / "metrics_export_meta_graph.pb", text));
  pb::SavedModel saved_model;
  REQUIRE(parsed(*model / "saved_model.pbtxt", saved_model));
  pb::AssetFileDef asset;
  const auto& assets =
      saved_model.meta_graphs(0).collection_def().at("saved_model_assets").any_list();
  CHECK(assets.value(0).type_url() == "type.googleapis.com/tensorflow.AssetFileDef");
  REQUIRE(asset.ParseFromString(assets.value(0).value()));
  CHECK(asset.filename() == "foo.txt");
}

}  // namespace cairn

// SavedModels: loaded, and taken where a graph or a checkpoint is asked for.
#include "persist/graph/saved_model.h"

#include <algorithm>

#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/extras/checkpoint_doctor.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/saved_model.h"

namespace cairn {
namespace {

TEST_CASE("A SavedModel is loaded with its values, and run by the names of its signature",
          "[persist][saved_model]") {
  const TempDir dir;
  write_saved_model(dir.path());
  Graph graph;
  Session session(graph);
  const SavedModel model = load_saved_model(session, dir.path().string());
  CHECK(static_cast<bool>(model.saver));
  CHECK(model.tags == std::vector<std::string>{"serve"});
  const Signature& serving = model.signatures.at("serving_default");
  CHECK(serving.method_name == "tensorflow/serving/predict");
  CHECK(serving.inputs.at("number").name == "x:0");
  CHECK(serving.inputs.at("number").dtype == DType::kFloat);
  CHECK(serving.inputs.at("number").shape == Shape{});
  CHECK(session.run(serving.outputs.at("product").name, {{serving.inputs.at("number").name, 3.0f}})
            .scalar<float>() == 6.0f);
}

TEST_CASE(
    "The init op of a SavedModel is run once its variables have values, and told where its assets "
    "are",
    "[persist][saved_model]") {
  const TempDir dir;
  write_saved_model(dir.path());
  Graph graph;
  Session session(graph);
  const SavedModel model = load_saved_model(session, dir.path().string());
  const std::string vocabulary = (dir / "assets/vocab.txt").string();
  CHECK(model.initialized_by == "init_all_tables");
  CHECK(model.assets == std::map<std::string, std::string>{{"asset:0", vocabulary}});
  CHECK(session.run("remembered/read:0").scalar<std::string>() == vocabulary);
}

TEST_CASE("A SavedModel is loaded into a scope", "[persist][saved_model]") {
  const TempDir dir;
  write_saved_model(dir.path());
  Graph graph;
  Session session(graph);
  const SavedModel model =
      load_saved_model(session, dir.path().string(), {.tags = {}, .import_scope = "served"});
  const Signature& serving = model.signatures.at("serving_default");
  CHECK(serving.inputs.at("number").name == "served/x:0");
  CHECK(model.initialized_by == "served/init_all_tables");
  CHECK(session.run(serving.outputs.at("product").name, {{"served/x:0", 2.0f}}).scalar<float>() ==
        4.0f);
}

TEST_CASE(
    "Of several graphs the one with exactly the tags is taken, and by default the one to serve",
    "[persist][saved_model]") {
  const TempDir dir;
  write_saved_model(dir.path(), {.first_tag = "train"});
  const auto tags = [&](std::vector<std::string> wanted) {
    return MetaGraph::read(dir.path().string(), {.tags = std::move(wanted), .file_system = nullptr})
        .tags();
  };
  CHECK(tags({}) == std::vector<std::string>{"serve"});
  CHECK(tags({"train"}) == std::vector<std::string>{"train"});
  CHECK(MetaGraph::read(dir.path().string()).all_tags() ==
        std::vector<std::vector<std::string>>{{"train"}, {"serve"}});
  const Error error = error_of([&] { tags({"serve", "gpu"}); });
  CHECK(error.code() == Code::kNotFound);
  CHECK(says(error, "it has graphs tagged: train and serve"));
}

TEST_CASE("Where no graph is tagged serve the first is taken", "[persist][saved_model]") {
  const MetaGraph meta = MetaGraph::parse(
      "saved_model_schema_version: 1 meta_graphs { meta_info_def { tags: 'b' tags: 'a' } graph_def "
      "{ node { name: 'n' "
      "op: "
      "'NoOp' } } } meta_graphs { meta_info_def { tags: 'c' } graph_def {} }",
      "saved_model.pbtxt");
  CHECK(meta.num_nodes() == 1);
  CHECK(meta.all_tags() == std::vector<std::vector<std::string>>{{"a", "b"}, {"c"}});
  const Error none = error_of([] {
    MetaGraph::parse("saved_model_schema_version: 1 meta_graphs {}", "saved_model.pbtxt");
  });
  CHECK(none.code() == Code::kDataLoss);
}

TEST_CASE("A SavedModel whose values are gone is refused before the graph is touched",
          "[persist][saved_model]") {
  const TempDir dir;
  write_saved_model(dir.path());
  std::filesystem::remove_all(dir / "variables");
  Graph graph;
  Session session(graph);
  const Error error = error_of([&] { load_saved_model(session, dir.path().string()); });
  CHECK(error.code() == Code::kNotFound);
  CHECK(says(error, "variables/variables.index"));
  CHECK(graph.num_nodes() == 0);
}

TEST_CASE("A directory without a graph is no SavedModel", "[persist][saved_model]") {
  const TempDir dir;
  Graph graph;
  Session session(graph);
  const Error error = error_of([&] { load_saved_model(session, dir.path().string()); });
  CHECK(error.code() == Code::kNotFound);
  CHECK(says(error, "saved_model.pb"));
  CHECK(saved_model_graph_path(dir.path().string()).empty());
}

TEST_CASE("An asset outside of the directory is refused", "[persist][saved_model]") {
  for (const char* file : {"../secret", "/etc/passwd", "a/../../secret", ""}) {
    CAPTURE(file);
    const TempDir dir;
    write_saved_model(dir.path(), {.asset = file});
    Graph graph;
    Session session(graph);
    const Error error = error_of([&] { load_saved_model(session, dir.path().string()); });
    CHECK(error.code() == Code::kDataLoss);
    CHECK(says(error, "asset"));
  }
}

TEST_CASE("An init op that this build cannot run is left", "[persist][saved_model]") {
  const TempDir dir;
  write_bytes(dir / "saved_model.pbtxt",
              "saved_model_schema_version: 1 meta_graphs { meta_info_def { tags: 'serve' } "
              "graph_def { node { name: 'init' "
              "op: 'Mystery' } } collection_def { key: 'legacy_init_op' value { node_list { value: "
              "'init' } } } }");
  Graph graph;
  Session session(graph);
  const SavedModel model = load_saved_model(session, dir.path().string());
  CHECK(!model.saver);
  CHECK(model.initialized_by.empty());
  CHECK(graph.contains("init"));
}

TEST_CASE(
    "A SavedModel's directory is a graph where one is imported, and a checkpoint where one is "
    "restored",
    "[persist][saved_model]") {
  const TempDir dir;
  write_saved_model(dir.path());
  Graph graph;
  Saver saver = import_meta_graph(graph, dir.path().string());
  Session session(graph);
  saver.restore(session, dir.path().string());
  CHECK(session.run("w/read:0").scalar<float>() == 2.0f);
  const std::string variables = (dir / "variables/variables").string();
  for (const auto& path : {dir.path(), dir / "saved_model.pbtxt", dir / "variables"}) {
    CHECK(CheckpointReader(path.string()).prefix() == variables);
  }
}

TEST_CASE(
    "The doctor finds nothing wrong with a whole SavedModel, and what is wrong with a damaged one",
    "[persist][saved_model][doctor]") {
  const TempDir dir;
  write_saved_model(dir.path());
  const DirectoryReport whole = examine_directory(dir.path().string());
  CHECK(whole.healthy());
  REQUIRE(whole.checkpoints.size() == 1);
  CHECK(whole.checkpoints[0].prefix == (dir / "variables/variables").string());
  CHECK(whole.checkpoints[0].size > 0);
  CHECK(std::count_if(whole.files.begin(), whole.files.end(),
                      [](const auto& file) { return file.role == FileRole::kSavedModel; }) == 1);
  CHECK(examine_directory((dir / "variables").string()).healthy());
  CHECK(repair_directory((dir / "variables").string()).empty());
  CHECK(!std::filesystem::exists(dir / "variables/checkpoint"));

  std::filesystem::remove(dir / "variables/variables.data-00000-of-00001");
  write_bytes(dir / "saved_model.pbtxt", "saved_model_schema_version: ?");
  const DirectoryReport damaged = examine_directory(dir.path().string());
  REQUIRE(damaged.problems.size() == 2);
  CHECK(damaged.problems[0].what.find("saved_model.pbtxt") != std::string::npos);
  CHECK(damaged.problems[1].what.find("missing: variables.data-00000-of-00001") !=
        std::string::npos);
}

TEST_CASE("SavedModels that TensorFlow wrote are loaded", "[persist][saved_model][compat]") {
  const auto folder = fixtures();
  if (!folder) return skip("no fixtures (-Dfixtures=DIR)");
  Graph graph;
  Session session(graph);
  const auto half = *folder / "tf-sm-half-plus-two-pbtxt";
  const SavedModel model = load_saved_model(session, half.string());
  CHECK(model.assets.begin()->second == (half / "assets/foo.txt").string());
  CHECK(model.initialized_by == "group_deps");
  const Signature& serving = model.signatures.at("serving_default");
  CHECK(session
            .run(serving.outputs.at("y").name,
                 {{serving.inputs.at("x").name, Tensor::matrix<float>({{1}, {5}})}})
            .str() == "[[2.5]\n [4.5]]");
  for (const char* name :
       {"est-basics/saved_model/1567058744", "est-export", "tf-sm-2shard-tf20"}) {
    CAPTURE(name);
    const auto path = *folder / name;
    CHECK(!MetaGraph::read(path.string()).signatures().empty());
    CHECK(examine_directory(path.string()).healthy());
    CHECK(!CheckpointReader(path.string()).names().empty());
  }
}

}  // namespace
}  // namespace cairn

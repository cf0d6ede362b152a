#include <algorithm>
#include <iostream>
#include <map>

#include "persist/catalog.h"
#include "persist/checkpoint_state.h"
#include "persist/meta_graph.h"
#include "tools/commands.h"
#include "tools/json.h"

namespace cairn {
namespace {

struct Options {
  std::string meta;
  bool text = false, collections = false, ops = false, json = false;
};

struct Summary {
  MetaGraph meta;
  Graph graph;
  std::vector<std::string> unknown_ops;
  std::map<std::string, int> ops;
};

// Ops that read or write files, whose names are attributes, inputs or both: what to look at before a stranger's graph
// is run.
bool touches_files(std::string_view op) {
  static constexpr std::string_view kOps[] = {"CacheDataset",
                                              "CacheDatasetV2",
                                              "CreateSummaryDbWriter",
                                              "CreateSummaryFileWriter",
                                              "DatasetToTFRecord",
                                              "DebugIdentity",
                                              "DebugIdentityV2",
                                              "DebugNanCount",
                                              "DebugNumericSummary",
                                              "DebugNumericSummaryV2",
                                              "FixedLengthRecordDataset",
                                              "FixedLengthRecordDatasetV2",
                                              "FixedLengthRecordReader",
                                              "FixedLengthRecordReaderV2",
                                              "GenerateVocabRemapping",
                                              "ImmutableConst",
                                              "InitializeTableFromTextFile",
                                              "InitializeTableFromTextFileV2",
                                              "LMDBDataset",
                                              "LMDBReader",
                                              "LoadAndRemapMatrix",
                                              "LoadDataset",
                                              "LoadDatasetV2",
                                              "MatchingFiles",
                                              "MatchingFilesDataset",
                                              "MergeV2Checkpoints",
                                              "PrintV2",
                                              "ReadFile",
                                              "ReaderRead",
                                              "ReaderReadUpTo",
                                              "ReaderReadUpToV2",
                                              "ReaderReadV2",
                                              "Restore",
                                              "RestoreSlice",
                                              "RestoreV2",
                                              "Save",
                                              "SaveDataset",
                                              "SaveDatasetV2",
                                              "SaveSlices",
                                              "SaveV2",
                                              "Skipgram",
                                              "SnapshotDataset",
                                              "SnapshotDatasetV2",
                                              "SqlDataset",
                                              "TFRecordDataset",
                                              "TFRecordDatasetV2",
                                              "TFRecordReader",
                                              "TFRecordReaderV2",
                                              "TextLineDataset",
                                              "TextLineReader",
                                              "TextLineReaderV2",
                                              "WholeFileReader",
                                              "WholeFileReaderV2",
                                              "WriteFile"};
  return std::find(std::begin(kOps), std::end(kOps), op) != std::end(kOps);
}

const char* format_name(CheckpointFormat format) { return format == CheckpointFormat::kV2 ? "V2" : "V1"; }

// One item of a collection in a line.
std::string item_text(const CollectionItem& item) {
  if (const auto* output = std::get_if<Output>(&item)) return output->name();
  if (const auto* op = std::get_if<Operation>(&item)) return op->name();
  if (const auto* variable = std::get_if<Variable>(&item)) return variable->name();
  if (const auto* bytes = std::get_if<std::string>(&item)) return str_cat(bytes->size(), " bytes");
  if (const auto* number = std::get_if<int64_t>(&item)) return str_cat(*number);
  if (const auto* real = std::get_if<float>(&item)) return str_cat(*real);
  if (const auto* any = std::get_if<AnyItem>(&item)) return any->type_url;
  return std::get<UnresolvedName>(item).name + " (no such node)";
}

std::vector<std::string> item_texts(const Graph& graph, const std::string& key) {
  std::vector<std::string> texts;
  for (const CollectionItem& item : graph.items(key)) texts.push_back(item_text(item));
  return texts;
}

// The variables that collections speak of, each once.
std::vector<Variable> variables_of(const Graph& graph) {
  std::vector<Variable> variables;
  for (const char* key : {GraphKeys::kGlobalVariables, GraphKeys::kLocalVariables, GraphKeys::kTrainableVariables}) {
    for (const CollectionItem& item : graph.items(key)) {
      const auto* v = std::get_if<Variable>(&item);
      if (v && std::find(variables.begin(), variables.end(), *v) == variables.end()) variables.push_back(*v);
    }
  }
  return variables;
}

void print_json(const Summary& s, const std::string& file, const Options& o) {
  const bool all = !o.collections && !o.ops;
  Json j;
  j.object().key("file").value(file).key("tensorflow_version").value(s.meta.tensorflow_version());
  j.key("producer").value(s.graph.versions.producer).key("min_consumer").value(s.graph.versions.min_consumer);
  j.key("nodes").value(s.meta.num_nodes());
  if (const auto saver = s.meta.saver_def()) {
    j.key("saver").object().key("filename_tensor").value(saver->filename_tensor_name);
    j.key("save_tensor").value(saver->save_tensor_name).key("restore_op").value(saver->restore_op_name);
    j.key("format").value(format_name(saver->version)).key("max_to_keep").value(saver->max_to_keep);
    j.key("sharded").value(saver->sharded).end();
  }
  if (all || o.collections) {
    j.key("collections").object();
    for (const std::string& key : s.graph.collection_keys()) j.key(key).value(item_texts(s.graph, key));
    j.end();
  }
  if (all || o.ops) {
    j.key("ops").object();
    for (const auto& [op, count] : s.ops) j.key(op).value(count);
    j.end().key("unknown_ops").value(s.unknown_ops).key("file_ops").array();
    for (const auto& [op, count] : s.ops) {
      if (touches_files(op)) j.value(op);
    }
    j.end();
  }
  if (all) {
    j.key("variables").array();
    for (const Variable& v : variables_of(s.graph)) {
      j.object().key("name").value(v.name()).key("dtype").value(dtype_name(v.dtype()));
      j.key("shape").value(v.shape()).key("trainable").value(v.trainable()).end();
    }
    j.end();
  }
  std::cout << j.end().text() << "\n";
}

void print_collections(const Graph& graph) {
  std::cout << "collections:\n";
  for (const std::string& key : graph.collection_keys()) {
    std::cout << "  " << printable(key) << ":\n";
    for (const std::string& text : item_texts(graph, key)) std::cout << "    " << printable(text) << "\n";
  }
}

void print_ops(const Summary& s) {
  std::cout << "ops:\n";
  for (const auto& [op, count] : s.ops) {
    const bool unknown = std::find(s.unknown_ops.begin(), s.unknown_ops.end(), op) != s.unknown_ops.end();
    std::cout << "  " << count << "  " << printable(op) << (unknown ? "  (carried, not run)" : "")
              << (touches_files(op) ? "  (touches files)" : "") << "\n";
  }
}

void print_text(const Summary& s, const std::string& file, const Options& o) {
  const bool all = !o.collections && !o.ops;
  const std::string& version = s.meta.tensorflow_version();
  std::cout << file << ": " << s.meta.num_nodes() << " nodes, written by "
            << (version.empty() ? "a TensorFlow before 0.12" : "TensorFlow " + printable(version)) << ", producer "
            << s.graph.versions.producer << ", min_consumer " << s.graph.versions.min_consumer << "\n";
  if (const auto saver = s.meta.saver_def()) {
    std::cout << "saver: " << printable(saver->filename_tensor_name) << ", " << printable(saver->save_tensor_name)
              << ", " << printable(saver->restore_op_name) << ", " << format_name(saver->version)
              << (saver->sharded ? ", sharded" : "") << ", max_to_keep " << saver->max_to_keep << "\n";
  } else {
    std::cout << "saver: none\n";
  }
  if (all || o.collections) print_collections(s.graph);
  if (all || o.ops) print_ops(s);
  if (!all) return;
  std::cout << "variables:\n";
  for (const Variable& v : variables_of(s.graph)) {
    std::cout << "  " << printable(v.name()) << "  " << dtype_name(v.dtype()) << "  " << v.shape()
              << (v.trainable() ? "  trainable" : "") << "\n";
  }
}

int show_meta(const Options& o) {
  if (o.text && (o.collections || o.ops)) throw UsageError("--text is the whole; give it without --collections, --ops");
  const std::string file = find_meta_graph(o.meta);
  Summary s{.meta = MetaGraph::read(file), .graph = {}, .unknown_ops = {}, .ops = {}};
  if (o.text) {
    std::cout << (o.json ? s.meta.json() : s.meta.text());
    return kFine;
  }
  s.unknown_ops = import_meta_graph_def(s.graph, s.meta).carried_ops;
  for (const Operation& op : s.graph.operations()) ++s.ops[op.type()];
  o.json ? print_json(s, file, o) : print_text(s, file, o);
  return kFine;
}

}  // namespace

std::string find_meta_graph(const std::string& path) {
  FileSystem& fs = posix_file_system();
  const auto info = fs.stat(path);
  if (path.ends_with(".meta") || path.ends_with(".pb") || path.ends_with(".pbtxt") || path.ends_with(".json")) {
    return path;
  }
  if (info && !info->is_directory && base_name(path) != kCheckpointFileName) {
    // A V1 checkpoint, or a file of a V2 one, has its meta graph beside it; anything else is one itself.
    const std::string beside = meta_graph_path(checkpoint_prefix(path));
    return fs.exists(beside) ? beside : path;
  }
  return meta_graph_path(checkpoint_prefix(path));
}

Work make_meta(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("META", o->meta, "a .meta file, SavedModel or GraphDef, or a checkpoint that has one")->required();
  app.add_flag("--text", o->text, "all of it as protobuf text; with --json, in protobuf's JSON");
  app.add_flag("--collections", o->collections, "only the collections, with every item");
  app.add_flag("--ops", o->ops,
               "only how many nodes there are of each op; says which this build cannot run, and which touch files");
  app.add_flag("--json", o->json, "one JSON object");
  return [o] { return show_meta(*o); };
}

}  // namespace cairn

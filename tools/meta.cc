#include <algorithm>
#include <iostream>
#include <map>

#include "persist/catalog.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/files/file_kind.h"
#include "persist/graph/meta_graph.h"
#include "persist/graph/saved_model.h"
#include "tools/columns.h"
#include "tools/commands.h"
#include "tools/json.h"
#include "tools/outline.h"

namespace cairn {
namespace {

struct MetaArguments {
  std::string meta;
  std::vector<std::string> tags;
  bool text = false, collections = false, ops = false, json = false;
};

struct Summary {
  MetaGraph meta;
  Graph graph;
  std::vector<std::string> unknown_ops;
  std::map<std::string, int> ops;
};

// Ops that read or write files, named by attributes, inputs or both: to be checked before a graph
// of unknown origin is run.
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

// Short text in quotes; for other strings, such as serialized messages, their length.
std::string string_text(const std::string& bytes) {
  constexpr size_t kMost = 80;
  const bool is_text = bytes.size() <= kMost && is_plain_text(bytes) &&
                       bytes.find_first_of("\t\n\v\f\r") == std::string::npos &&
                       printable(bytes) == bytes;
  return is_text ? str_cat('"', bytes, '"') : str_cat(bytes.size(), " bytes");
}

// One item of a collection, as one line.
std::string item_text(const CollectionItem& item) {
  if (const auto* output = std::get_if<Output>(&item)) return output->name();
  if (const auto* op = std::get_if<Operation>(&item)) return op->name();
  if (const auto* variable = std::get_if<Variable>(&item)) return variable->name();
  if (const auto* bytes = std::get_if<std::string>(&item)) return string_text(*bytes);
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

// The variables in the collections, each once.
std::vector<Variable> variables_of(const Graph& graph) {
  std::vector<Variable> variables;
  for (const char* key :
       {GraphKeys::kGlobalVariables, GraphKeys::kLocalVariables, GraphKeys::kTrainableVariables}) {
    for (const CollectionItem& item : graph.items(key)) {
      const auto* v = std::get_if<Variable>(&item);
      if (v && std::find(variables.begin(), variables.end(), *v) == variables.end())
        variables.push_back(*v);
    }
  }
  return variables;
}

// The TensorFlow releases that wrote this producer version, for files that do not name their
// writer.
std::string releases_of(int producer) {
  static constexpr struct {
    int last;
    const char* releases;
  } kReleases[] = {{0, ""},
                   {17, "0.12 or before"},
                   {21, "about 1.0"},
                   {23, "about 1.1 or 1.2"},
                   {24, "1.3 to 1.5"},
                   {26, "about 1.6 to 1.10"},
                   {27, "1.11 to 1.13"},
                   {38, "about 1.14"}};
  for (const auto& [last, releases] : kReleases) {
    if (producer <= last) return releases;
  }
  return "1.15 or later";
}

// "TensorFlow 1.8.0"; if the file names no writer, a guess from the producer version.
std::string writer_of(const Summary& s) {
  const std::string &version = s.meta.tensorflow_version(), &git = s.meta.tensorflow_git_version();
  constexpr std::string_view kCairn = "cairn-";
  if (git.starts_with(kCairn))
    return str_cat("Cairn ", printable(git.substr(kCairn.size())), ", as TensorFlow ",
                   printable(version));
  if (!version.empty()) return "TensorFlow " + printable(version);
  const std::string releases = releases_of(s.graph.versions.producer);
  return releases.empty() ? "a version that it does not name"
                          : str_cat("a version that it does not name (by its producer, TensorFlow ",
                                    releases, ")");
}

const char* kind_of(const MetaGraph& meta) {
  return !meta.all_tags().empty() ? "SavedModel"
         : meta.is_graph_def()    ? "GraphDef"
                                  : "MetaGraphDef";
}

// Dtype and shape, as far as they are known.
std::string type_text(DType dtype) {
  return dtype == DType::kInvalid ? "?" : std::string(dtype_name(dtype));
}
std::string shape_text(const Shape& shape) { return str_cat(shape); }
void put_type(Json& j, DType dtype, const Shape& shape) {
  j.key("dtype").value(type_text(dtype)).key("shape");
  shape.has_rank() ? j.value(shape) : j.value("unknown");
}

void put_items(Json& j, const char* key, const std::vector<OutlineItem>& items) {
  j.key(key).array();
  for (const OutlineItem& item : items) {
    j.object().key("name").value(item.name);
    if (item.name.find(':') != std::string::npos) put_type(j, item.dtype, item.shape);
    if (!item.why.empty()) j.key("why").value(item.why);
    j.end();
  }
  j.end();
}

void put_tensors(Json& j, const char* key, const std::map<std::string, TensorInfo>& tensors) {
  j.key(key).object();
  for (const auto& [name, info] : tensors) {
    j.key(name).object().key("name").value(info.name);
    put_type(j, info.dtype, info.shape);
    j.end();
  }
  j.end();
}

void put_signatures(Json& j, const std::map<std::string, Signature>& signatures) {
  j.key("signatures").object();
  for (const auto& [name, signature] : signatures) {
    j.key(name).object().key("method_name").value(signature.method_name);
    put_tensors(j, "inputs", signature.inputs);
    put_tensors(j, "outputs", signature.outputs);
    j.end();
  }
  j.end();
}

void put_variables(Json& j, const Graph& graph) {
  j.key("variables").array();
  for (const Variable& v : variables_of(graph)) {
    j.object().key("name").value(v.name()).key("dtype").value(dtype_name(v.dtype()));
    j.key("shape").value(v.shape()).key("trainable").value(v.trainable()).end();
  }
  j.end();
}

void print_json(const Summary& s, const std::string& file, const MetaArguments& o) {
  const bool all = !o.collections && !o.ops;
  Json j;
  j.object().key("file").value(file).key("kind").value(kind_of(s.meta));
  j.key("tensorflow_version").value(s.meta.tensorflow_version()).key("writer").value(writer_of(s));
  j.key("producer")
      .value(s.graph.versions.producer)
      .key("min_consumer")
      .value(s.graph.versions.min_consumer);
  j.key("nodes").value(s.meta.num_nodes());
  if (!s.meta.left_out().empty()) j.key("left_out").value(s.meta.left_out());
  if (!s.meta.all_tags().empty()) {
    j.key("tags").value(s.meta.tags()).key("all_tags").array();
    for (const auto& tags : s.meta.all_tags()) j.value(tags);
    j.end();
  }
  if (const auto saver = s.meta.saver_def()) {
    j.key("saver").object().key("filename_tensor").value(saver->filename_tensor_name);
    j.key("save_tensor")
        .value(saver->save_tensor_name)
        .key("restore_op")
        .value(saver->restore_op_name);
    j.key("format").value(format_name(saver->version)).key("max_to_keep").value(saver->max_to_keep);
    j.key("sharded").value(saver->sharded).end();
  }
  if (all) {
    const Outline outline = outline_of(s.graph, s.meta);
    put_items(j, "inputs", outline.inputs);
    put_items(j, "outputs", outline.outputs);
    put_items(j, "losses", outline.losses);
    put_items(j, "train_ops", outline.train_ops);
    put_signatures(j, s.meta.signatures());
  }
  if (all || o.collections) {
    j.key("collections").object();
    for (const std::string& key : s.graph.collection_keys())
      j.key(key).value(item_texts(s.graph, key));
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
  if (all) put_variables(j, s.graph);
  std::cout << j.end().text() << "\n";
}

void print_items(const char* title, const std::vector<OutlineItem>& items) {
  constexpr size_t kMost = 12;
  std::cout << title << ":" << (items.empty() ? " none found" : "") << "\n";
  Columns table({Columns::kLeft, Columns::kLeft, Columns::kLeft, Columns::kLeft});
  for (size_t i = 0; i < std::min(items.size(), kMost); ++i) {
    const bool tensor = items[i].name.find(':') != std::string::npos;
    table.add({items[i].name, tensor ? type_text(items[i].dtype) : "",
               tensor ? shape_text(items[i].shape) : "", items[i].why});
  }
  table.print(std::cout, "  ");
  if (items.size() > kMost)
    std::cout << "  and " << items.size() - kMost << " more, which --json lists\n";
}

void print_signatures(const std::map<std::string, Signature>& signatures) {
  std::cout << "signatures:" << (signatures.empty() ? " none" : "") << "\n";
  for (const auto& [name, signature] : signatures) {
    if (name.starts_with("__")) continue;  // used by loaders only
    std::cout << "  " << printable(name)
              << (signature.method_name.empty() ? "" : "  " + printable(signature.method_name))
              << "\n";
    Columns table({Columns::kLeft, Columns::kLeft, Columns::kLeft, Columns::kLeft, Columns::kLeft});
    for (const auto& [side, tensors] :
         {std::pair("input", &signature.inputs), {"output", &signature.outputs}}) {
      for (const auto& [key, info] : *tensors) {
        table.add({side, key, info.name.empty() ? "(several tensors)" : info.name,
                   type_text(info.dtype), shape_text(info.shape)});
      }
    }
    table.print(std::cout, "    ");
  }
}

void print_outline(const Summary& s) {
  const Outline outline = outline_of(s.graph, s.meta);
  print_items("inputs", outline.inputs);
  print_items("outputs", outline.outputs);
  print_items("losses", outline.losses);
  print_items("train ops", outline.train_ops);
  print_signatures(s.meta.signatures());
}

void print_collections(const Graph& graph) {
  std::cout << "collections:\n";
  for (const std::string& key : graph.collection_keys()) {
    std::cout << "  " << printable(key) << ":\n";
    for (const std::string& text : item_texts(graph, key))
      std::cout << "    " << printable(text) << "\n";
  }
}

void print_ops(const Summary& s) {
  std::cout << "ops:\n";
  Columns table({Columns::kRight, Columns::kLeft, Columns::kLeft});
  for (const auto& [op, count] : s.ops) {
    const bool unknown =
        std::find(s.unknown_ops.begin(), s.unknown_ops.end(), op) != s.unknown_ops.end();
    table.add(
        {str_cat(count), op,
         str_cat(unknown ? "(carried, not run)" : "", unknown && touches_files(op) ? "  " : "",
                 touches_files(op) ? "(touches files)" : "")});
  }
  table.print(std::cout, "  ");
}

void print_variables(const Graph& graph) {
  std::cout << "variables:\n";
  Columns table({Columns::kLeft, Columns::kLeft, Columns::kLeft, Columns::kLeft});
  for (const Variable& v : variables_of(graph)) {
    table.add({v.name(), std::string(dtype_name(v.dtype())), str_cat(v.shape()),
               v.trainable() ? "trainable" : ""});
  }
  table.print(std::cout, "  ");
}

void print_text(const Summary& s, const std::string& file, const MetaArguments& o) {
  const bool all = !o.collections && !o.ops;
  std::cout << file << ": " << kind_of(s.meta) << ", " << s.meta.num_nodes()
            << " nodes, written by " << writer_of(s) << ", producer " << s.graph.versions.producer
            << ", min_consumer " << s.graph.versions.min_consumer << "\n";
  if (!s.meta.all_tags().empty()) {
    std::vector<std::string> others;
    for (const auto& tags : s.meta.all_tags())
      others.push_back(tags.empty() ? "(none)" : join_for_people(tags));
    std::cout << "tags: "
              << (s.meta.tags().empty() ? "none" : printable(join_for_people(s.meta.tags())));
    if (others.size() > 1) {
      std::cout << "; the file has graphs tagged: " << printable(join_for_people(others))
                << " (see --tag)";
    }
    std::cout << "\n";
  }
  for (const std::string& what : s.meta.left_out())
    std::cout << "left out: " << printable(what) << "\n";
  if (const auto saver = s.meta.saver_def()) {
    std::cout << "saver: " << printable(saver->filename_tensor_name) << ", "
              << printable(saver->save_tensor_name) << ", " << printable(saver->restore_op_name)
              << ", " << format_name(saver->version) << (saver->sharded ? ", sharded" : "")
              << ", max_to_keep " << saver->max_to_keep << "\n";
  } else {
    std::cout << "saver: none\n";
  }
  if (all) print_outline(s);
  if (all || o.collections) print_collections(s.graph);
  if (all || o.ops) print_ops(s);
  if (all) print_variables(s.graph);
}

int show_meta(const MetaArguments& o) {
  if (o.text && (o.collections || o.ops))
    throw UsageError("--text prints the whole file; give it without --collections and --ops");
  const std::string file = find_meta_graph(o.meta);
  Summary s{.meta = read_meta_graph(file, o.tags), .graph = {}, .unknown_ops = {}, .ops = {}};
  if (o.text) {
    std::cout << (o.json ? s.meta.json() : s.meta.text());
    return kFine;
  }
  s.unknown_ops = import_meta_graph_def(s.graph, s.meta, {.look_only = true}).carried_ops;
  for (const Operation& op : s.graph.operations()) ++s.ops[op.type()];
  o.json ? print_json(s, file, o) : print_text(s, file, o);
  return kFine;
}

}  // namespace

std::string find_meta_graph(const std::string& path) {
  FileSystem& fs = posix_file_system();
  const auto info = fs.stat(path);
  if (info && info->is_directory) {
    if (const std::string saved = saved_model_graph_path(path); !saved.empty()) return saved;
  }
  if (path.ends_with(".meta") || path.ends_with(".pb") || path.ends_with(".pbtxt") ||
      path.ends_with(".json")) {
    return path;
  }
  if (info && !info->is_directory && base_name(path) != kCheckpointFileName) {
    // A file of a checkpoint has its .meta file beside it; any other file is the graph itself.
    const std::string beside = meta_graph_path(checkpoint_prefix(path));
    return fs.exists(beside) ? beside : path;
  }
  return meta_graph_path(checkpoint_prefix(path));
}

MetaGraph read_meta_graph(const std::string& path, const std::vector<std::string>& tags) {
  MetaGraph meta = MetaGraph::read(path, {.tags = tags, .file_system = nullptr});
  if (!tags.empty() && meta.all_tags().empty())
    throw UsageError(str_cat("--tag selects a graph of a SavedModel, and ", path, " is not one"));
  return meta;
}

void add_tag_argument(CLI::App& app, std::vector<std::string>& tags) {
  app.add_option("--tag", tags,
                 "for a SavedModel: the graph with this tag, or with all tags if repeated; by "
                 "default the graph tagged serve, else the first one")
      ->allow_extra_args(false);
}

Work make_meta(CLI::App& app) {
  auto o = std::make_shared<MetaArguments>();
  app.add_option("META", o->meta, kMetaHelp)->required();
  add_tag_argument(app, o->tags);
  app.add_flag("--text", o->text, "the whole file as protobuf text; with --json as protobuf JSON");
  app.add_flag("--collections", o->collections, "only the collections, with all items");
  app.add_flag("--ops", o->ops,
               "only the ops, with their numbers of nodes; marks ops that this build cannot run "
               "and ops that use files");
  app.add_flag("--json", o->json, "print one JSON object");
  return [o] { return show_meta(*o); };
}

}  // namespace cairn

// Reading graphs: detects the kind of a file and locates damage.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>

#include "persist/checkpoint/bundle_format.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/files/file_kind.h"
#include "persist/files/settled_view.h"
#include "persist/graph/convert.h"
#include "persist/graph/meta_graph_rep.h"
#include "persist/graph/saved_model.h"
#include "persist/messages/message.h"
#include "persist/messages/schema.h"

namespace cairn {
namespace {

namespace proto = google::protobuf;

// Locates the damage in `bytes`, which do not parse as `type`: "graph_def.node at byte 4711 says it
// has ...". The message begins at byte `base` of the file.
std::string first_damage(std::string_view bytes, size_t base, const proto::Descriptor* type,
                         const std::string& path, int depth = 0) {
  if (depth == kMaxNesting)
    return str_cat("messages are nested more than ", kMaxNesting, " deep at byte ", base);
  proto::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                                 static_cast<int>(bytes.size()));
  while (static_cast<size_t>(in.CurrentPosition()) < bytes.size()) {
    const size_t at = base + static_cast<size_t>(in.CurrentPosition());
    const uint32_t tag = in.ReadTag();
    const auto* field = type->FindFieldByNumber(static_cast<int>(tag >> 3));
    const std::string name =
        path + (path.empty() ? "" : ".") + (field ? field->name() : str_cat("field ", tag >> 3));
    if ((tag & 7) != 2) {
      if (tag == 0 || !proto::internal::WireFormatLite::SkipField(&in, tag))
        return str_cat(name, " at byte ", at);
      continue;
    }
    uint32_t length = 0;
    if (!in.ReadVarint32(&length)) return str_cat(name, " at byte ", at);
    const auto begin = static_cast<size_t>(in.CurrentPosition());
    if (length > bytes.size() - begin) {
      return str_cat(name, " at byte ", at, " says it has ", length, " bytes, and ",
                     bytes.size() - begin, " are left");
    }
    if (field && field->message_type()) {
      const auto probe = new_message(*field->message_type());
      const std::string_view inside = bytes.substr(begin, length);
      if (!parse_bytes(inside, *probe)) {
        return first_damage(inside, base + begin, field->message_type(), name, depth + 1);
      }
    }
    in.Skip(static_cast<int>(length));
  }
  return str_cat(path.empty() ? type->name() : path, " at byte ", base);
}

// The first word of a text message, which identifies its type.
std::string first_word(const std::string& text) {
  size_t at = 0;
  while (at < text.size() &&
         (std::string_view(" \t\n\v\f\r#").find(text[at]) != std::string_view::npos)) {
    at = text[at] == '#' ? std::min(text.find('\n', at), text.size()) : at + 1;
  }
  size_t end = at;
  while (end < text.size() && ((text[end] >= 'a' && text[end] <= 'z') || text[end] == '_')) ++end;
  return text.substr(at, end - at);
}

// The first key of a JSON object, which identifies the type of the message; "" if it is not an
// object.
std::string first_key(const std::string& json) {
  constexpr char kSpace[] = " \t\r\n";
  const size_t brace = json.find_first_not_of(kSpace);
  if (brace == std::string::npos || json[brace] != '{') return "";
  const size_t quote = json.find_first_not_of(kSpace, brace + 1);
  if (quote == std::string::npos || json[quote] != '"') return "";
  return json.substr(quote + 1, json.find('"', quote + 1) - quote - 1);
}

bool has_field(const proto::MessageLite& message, const std::string& name) {
  const proto::Descriptor& type = descriptor_of(message);
  return type.FindFieldByName(name) || type.FindFieldByCamelcaseName(name);
}

// The kind of a file that is not a graph; "" if it cannot be identified.
std::string other_kind(const std::string& content) {
  const std::string kind = file_kind(content);
  if (!kind.empty()) return "it is " + kind;
  static constexpr std::string_view kTableMagic = "\x57\xfb\x80\x8b\x24\x75\x47\xdb";
  if (content.size() < 48 || content.compare(content.size() - 8, 8, kTableMagic) != 0) return "";
  return "it holds values (a checkpoint's .index, or a checkpoint of the old format): the graph is "
         "in the .meta file";
}

std::string damage(const std::string& content) {
  pb::MetaGraphDef meta;
  if (parse_bytes(content, meta)) return "it holds no graph";
  return "read as a MetaGraphDef it is damaged: " +
         first_damage(content, 0, &descriptor_of(meta), "");
}

// Selects the graph of a SavedModel by its tags.
void choose(pb::SavedModel saved, const ReadOptions& options, MetaGraph::Rep& rep) {
  for (const auto& meta : saved.meta_graphs()) {
    const auto& tags = meta.meta_info_def().tags();
    rep.all_tags.emplace_back(tags.begin(), tags.end());
    std::sort(rep.all_tags.back().begin(), rep.all_tags.back().end());
  }
  std::vector<std::string> wanted =
      options.tags.empty() ? std::vector<std::string>{"serve"} : options.tags;
  std::sort(wanted.begin(), wanted.end());
  auto chosen = std::find(rep.all_tags.begin(), rep.all_tags.end(), wanted);
  if (chosen == rep.all_tags.end()) {
    std::vector<std::string> there;
    for (const auto& tags : rep.all_tags)
      there.push_back(tags.empty() ? "(none)" : join_for_people(tags));
    if (there.empty()) fail(Code::kDataLoss, rep.name, ": the SavedModel has no graph");
    if (!options.tags.empty()) {
      fail(Code::kNotFound, rep.name, ": the SavedModel has no graph tagged ",
           join_for_people(wanted), "; it has graphs tagged: ", join_for_people(there));
    }
    chosen = rep.all_tags.begin();
  }
  rep.def = std::move(*saved.mutable_meta_graphs(static_cast<int>(chosen - rep.all_tags.begin())));
}

bool read_bytes_of(const std::string& content, const ReadOptions& options, MetaGraph::Rep& rep) {
  // The first byte of a SavedModel; the other kinds begin differently.
  constexpr char kSchemaVersion = 0x08;
  if (pb::SavedModel saved;
      content[0] == kSchemaVersion && parse_bytes(content, saved) && saved.meta_graphs_size()) {
    choose(std::move(saved), options, rep);
    return true;
  }
  pb::MetaGraphDef& into = rep.def;
  if (parse_bytes(content, into) && into.has_graph_def()) return true;
  into.Clear();
  return parse_bytes(content, *into.mutable_graph_def()) && into.graph_def().node_size() > 0 &&
         !into.graph_def().node(0).op().empty();
}

using Parse = bool (*)(const std::string& content, proto::MessageLite& into, std::string* why,
                       std::vector<std::string>* left_out);

// Reads text or JSON. `word` is the first name in `content`; `form` is the name of the format.
bool read_named(const std::string& content, const ReadOptions& options, const std::string& word,
                const char* form, Parse parse, MetaGraph::Rep& rep) {
  pb::MetaGraphDef& into = rep.def;
  pb::SavedModel saved;
  pb::MetaGraphDef meta;
  proto::MessageLite* const kinds[] = {&meta, &saved, into.mutable_graph_def()};
  const auto kind = std::find_if(std::begin(kinds), std::end(kinds),
                                 [&](const auto* message) { return has_field(*message, word); });
  if (word.empty() || kind == std::end(kinds)) return false;
  std::string why;
  if (!parse(content, **kind, &why, &rep.left_out)) {
    fail(Code::kDataLoss, rep.name, ": not a ", descriptor_of(**kind).name(), " in ", form, ": ",
         why);
  }
  if (*kind == &meta) into = std::move(meta);
  if (*kind == &saved) choose(std::move(saved), options, rep);
  return into.has_graph_def();
}

}  // namespace

namespace {

void read_any(const std::string& content, const ReadOptions& options, MetaGraph::Rep& rep) {
  if (read_bytes_of(content, options, rep)) return;
  rep.def.Clear();
  if (read_named(content, options, first_key(content), "JSON", parse_json, rep)) return;
  rep.def.Clear();
  const std::string other = other_kind(content);
  if (other.empty() &&
      read_named(content, options, first_word(content), "protobuf text", parse_text, rep))
    return;
  fail(Code::kDataLoss, rep.name,
       ": this is no graph (MetaGraphDef, SavedModel or GraphDef, in bytes, text or JSON); ",
       other.empty() ? damage(content) : other);
}

}  // namespace

MetaGraph MetaGraph::parse(const std::string& content, const std::string& name,
                           const ReadOptions& options) {
  auto rep = std::make_shared<Rep>();
  rep->name = name;
  if (content.empty()) fail(Code::kDataLoss, name, ": the file is empty");
  try {
    read_any(content, options, *rep);
  } catch (const Error& e) {
    const std::string_view what = e.what();
    throw what.starts_with(name + ": ") ? e : Error(e.code(), str_cat(name, ": ", what));
  }
  return MetaGraph(std::move(rep));
}

namespace {

// The file that `path` denotes: itself; for a directory, the graph of the SavedModel or of the
// newest checkpoint.
std::string graph_file(FileSystem& fs, const std::string& path) {
  const auto info = fs.stat(path);
  if (info && info->is_directory) {
    const std::string saved_model = saved_model_graph_path(path, &fs);
    return saved_model.empty() ? meta_graph_path(checkpoint_prefix(path, &fs)) : saved_model;
  }
  const std::string meta = meta_graph_path(prefix_of_file(path).value_or(path));
  if (!info && fs.exists(meta))
    fail(Code::kNotFound, path, ": there is no such file; did you mean '", meta, "'?");
  return path;
}

}  // namespace

MetaGraph MetaGraph::read(const std::string& path, const ReadOptions& options) {
  FileSystem& fs = or_posix(options.file_system);
  const std::string file = graph_file(fs, path);
  // As for the values: if overwriting was interrupted, the older file is read.
  const auto view = view_for(fs, file);
  return parse(read_file(view ? *view : fs, file), file, options);
}

std::string MetaGraph::bytes() const { return to_bytes(rep_->def); }
std::string MetaGraph::text() const { return to_text(rep_->def); }
std::string MetaGraph::json() const { return to_json(rep_->def); }
std::string MetaGraph::graph_def() const { return to_bytes(rep_->def.graph_def()); }
std::string MetaGraph::graph_def_text() const { return to_text(rep_->def.graph_def()); }
const std::string& MetaGraph::tensorflow_version() const {
  return rep_->def.meta_info_def().tensorflow_version();
}
const std::string& MetaGraph::tensorflow_git_version() const {
  return rep_->def.meta_info_def().tensorflow_git_version();
}
bool MetaGraph::is_graph_def() const {
  const auto& def = rep_->def;
  return !def.has_meta_info_def() && !def.has_saver_def() && def.collection_def().empty() &&
         rep_->all_tags.empty();
}
int MetaGraph::num_nodes() const { return rep_->def.graph_def().node_size(); }
std::optional<SaverDef> MetaGraph::saver_def() const {
  if (!rep_->def.has_saver_def()) return std::nullopt;
  return from_proto(rep_->def.saver_def());
}
std::vector<std::string> MetaGraph::tags() const {
  const auto& tags = rep_->def.meta_info_def().tags();
  return {tags.begin(), tags.end()};
}
const std::vector<std::vector<std::string>>& MetaGraph::all_tags() const { return rep_->all_tags; }
const std::vector<std::string>& MetaGraph::left_out() const { return rep_->left_out; }

std::map<std::string, Signature> MetaGraph::signatures() const {
  std::map<std::string, Signature> signatures;
  const auto read = [](const auto& from, std::map<std::string, TensorInfo>& to) {
    for (const auto& [key, info] : from) {
      to[key] = {info.name(), static_cast<DType>(info.dtype()), from_proto(info.tensor_shape())};
    }
  };
  for (const auto& [name, from] : rep_->def.signature_def()) {
    Signature& to = signatures[name];
    to.method_name = from.method_name();
    read(from.inputs(), to.inputs);
    read(from.outputs(), to.outputs);
  }
  return signatures;
}

}  // namespace cairn

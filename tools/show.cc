#include <array>
#include <cstdio>
#include <iostream>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/checkpoint/save_names.h"
#include "persist/extras/meta_graph_diff.h"
#include "persist/files/crc.h"
#include "persist/files/settled_view.h"
#include "persist/graph/saved_model.h"
#include "tools/commands.h"
#include "tools/json.h"

namespace cairn {
namespace {

struct ShowArguments {
  std::string file;
  bool json = false;
};

enum class FileType { kGraph, kIndex, kData, kState, kV1 };

std::string ending_of(RandomAccessFile& file, size_t length) {
  std::string bytes(std::min<uint64_t>(file.size(), length), '\0');
  file.read(file.size() - bytes.size(), bytes);
  return bytes;
}

// By the ending of the name, which git keeps when it copies files; else by the bytes.
FileType type_of(const std::string& path) {
  const std::string name = base_name(path);
  for (const char* ending : {".meta", ".pb", ".pbtxt"}) {
    if (name.ends_with(ending)) return FileType::kGraph;
  }
  if (name.ends_with(".index")) return FileType::kIndex;
  const size_t data = name.rfind(".data-");
  if (data != std::string::npos &&
      name.size() - data == std::string_view(".data-00000-of-00001").size()) {
    return FileType::kData;
  }
  static constexpr std::string_view kTableMagic = "\x57\xfb\x80\x8b\x24\x75\x47\xdb";
  static constexpr std::string_view kStateBegins = "model_checkpoint_path";
  const auto file = posix_file_system().open(path);
  if (ending_of(*file, kTableMagic.size()) == kTableMagic) return FileType::kV1;
  std::string begin(std::min<uint64_t>(file->size(), kStateBegins.size()), '\0');
  file->read(0, begin);
  return begin == kStateBegins || name == kCheckpointFileName ? FileType::kState : FileType::kGraph;
}

std::string hex(uint32_t crc) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%08x", crc);
  return digits;
}

std::string tensor_line(const std::string& name, DType dtype, const Shape& shape,
                        const std::string& slice, uint64_t bytes, uint32_t crc) {
  return str_cat(printable(name), "  ", dtype_name(dtype), "  ", shape,
                 slice.empty() ? "" : "  slice ", slice, "  ", bytes, " bytes  crc32c ", hex(crc),
                 "\n");
}

// Describes an index file; its data files need not exist.
std::string index_text(const std::string& path) {
  const std::string_view ending = ".index";
  const BundleReader reader(posix_file_system(), path.substr(0, path.size() - ending.size()));
  std::string text =
      str_cat("V2, ", reader.num_shards(), reader.num_shards() == 1 ? " shard\n" : " shards\n");
  auto pieces = reader.pieces_in_file_order();
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const BundlePiece& piece : pieces) {
    const BundleEntry& entry = reader.entry(piece.name);
    text += tensor_line(piece.name, entry.dtype, entry.shape, piece.slice ? piece.slice->str() : "",
                        piece.size, unmask_crc(piece.masked_crc));
  }
  return text;
}

std::string v1_text(const std::string& path) {
  const CheckpointV1Reader reader(posix_file_system(), path);
  std::string text = "V1\n";
  for (const std::string& name : reader.names()) {
    const CheckpointV1Entry& entry = reader.entry(name);
    for (size_t i = 0; i < entry.slices.size(); ++i) {
      const Tensor tensor = reader.read_stored(name, i);
      std::string_view bytes;
      std::string strings;
      if (tensor.dtype() == DType::kString) {
        for (const std::string& s : tensor.span<std::string>())
          strings += str_cat(s.size(), ":") + s;
        bytes = strings;
      } else {
        bytes = {static_cast<const char*>(tensor.raw_data()), tensor.num_bytes()};
      }
      const bool whole = entry.slices[i].covers(entry.shape);
      text += tensor_line(name, entry.dtype, entry.shape, whole ? "" : entry.slices[i].str(),
                          bytes.size(), crc32c(bytes));
    }
  }
  return text;
}

std::string data_text(const std::string& path) {
  const auto file = posix_file_system().open(path);
  std::string block(size_t{1} << 20, '\0');
  uint32_t crc = 0;
  for (uint64_t at = 0; at < file->size(); at += block.size()) {
    const std::span<char> part(block.data(), std::min<uint64_t>(block.size(), file->size() - at));
    file->read(at, part);
    crc = crc32c({part.data(), part.size()}, crc);
  }
  return str_cat("values of a V2 checkpoint, ", file->size(), " bytes  crc32c ", hex(crc), "\n");
}

// Checks and returns the text unchanged. The paths in it are not followed: a copy made by git is in
// another directory.
std::string state_text(const std::string& path) {
  get_checkpoint_state(directory_of(path), base_name(path));
  return read_file(posix_file_system(), path);
}

struct Shown {
  const char* kind;
  std::string text;
};

// "; did you mean 'run/m.meta'?", from the names in the directory.
std::string did_you_mean(FileSystem& fs, const std::string& path) {
  const std::string directory = directory_of(path);
  const auto info = fs.stat(directory);
  if (!info || !info->is_directory) return str_cat("; there is no directory '", directory, "'");
  const auto near = nearest_names(base_name(path), fs.list_dir(directory));
  return near.empty() ? "" : str_cat("; did you mean '", join_path(directory, near[0]), "'?");
}

// Throws NotFound if the file does not exist, as readers see the directory after an interrupted
// save.
void check_is_there(const std::string& path) {
  FileSystem& fs = posix_file_system();
  const auto view = view_for(fs, path);
  if ((view ? static_cast<FileSystem&>(*view) : fs).exists(path)) return;
  std::vector<std::string> files = files_of_prefix(fs, path);
  for (std::string& file : files) file = join_path(directory_of(path), file);
  if (!files.empty())
    fail(Code::kNotFound, path,
         ": there is no such file; the prefix of a checkpoint is not one: give ",
         files.size() == 1 ? "" : "one of ", join_for_people(files, 8));
  fail(Code::kNotFound, path, ": there is no such file", did_you_mean(fs, path));
}

Shown read_shown(const std::string& path) {
  check_is_there(path);
  const auto info = posix_file_system().stat(path);
  if (info && info->is_directory) {
    if (!saved_model_graph_path(path).empty())
      return {"graph", meta_graph_listing(MetaGraph::read(path))};
    throw UsageError(str_cat(
        path, " is a directory; show takes one file or a SavedModel, cairn doctor a directory"));
  }
  switch (type_of(path)) {
    case FileType::kIndex:
      return {"index", index_text(path)};
    case FileType::kData:
      return {"data", data_text(path)};
    case FileType::kState:
      return {"checkpoint state", state_text(path)};
    case FileType::kV1:
      return {"V1 checkpoint", v1_text(path)};
    case FileType::kGraph:
      break;
  }
  return {"graph", meta_graph_listing(MetaGraph::read(path))};
}

int show(const ShowArguments& o) {
  const Shown file = read_shown(o.file);
  if (!o.json) {
    std::cout << file.text;
    return kFine;
  }
  Json j;
  j.object().key("file").value(o.file).key("kind").value(file.kind).key("lines").array();
  for (size_t at = 0; at < file.text.size();) {
    const size_t end = std::min(file.text.find('\n', at), file.text.size());
    j.value(file.text.substr(at, end - at));
    at = end + 1;
  }
  std::cout << j.end().end().text() << "\n";
  return kFine;
}

}  // namespace

bool holds_graph(const std::string& path) {
  const auto info = posix_file_system().stat(path);
  // A prefix may be the name of a file too: that of a V1 checkpoint, which is not a graph.
  if (info && !info->is_directory) return type_of(path) == FileType::kGraph;
  return path.ends_with(".meta") || path.ends_with(".pb") || path.ends_with(".pbtxt");
}

Work make_show(CLI::App& app) {
  auto o = std::make_shared<ShowArguments>();
  app.add_option("FILE", o->file,
                 "a .meta, .pb, .pbtxt, .index, .data-... or checkpoint file, a V1 checkpoint, or "
                 "a SavedModel's directory")
      ->required();
  app.add_flag("--json", o->json, "print the lines as one JSON object");
  return [o] { return show(*o); };
}

}  // namespace cairn

#include "persist/files/file_kind.h"

#include <algorithm>
#include <utility>

#include "persist/messages/wire.h"

namespace cairn {
namespace {

using namespace std::literals;

constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
    {"PK\x03\x04"sv, "a zip archive, as torch.save, numpy.savez and Keras write"},
    {"\x89HDF\r\n\x1a\n"sv, "an HDF5 file, as Keras writes"},
    {"\x93NUMPY"sv, "a NumPy array (.npy)"},
    {"version https://git-lfs"sv,
     "a Git LFS pointer and not the file itself: fetch it with `git lfs pull`"},
    {"\x1f\x8b"sv, "compressed with gzip: decompress it first"},
    {"BZh"sv, "compressed with bzip2: decompress it first"},
    {"\xfd"
     "7zXZ\0"sv,
     "compressed with xz: decompress it first"},
    {"\x28\xb5\x2f\xfd"sv, "compressed with zstd: decompress it first"},
    {"7z\xbc\xaf\x27\x1c"sv, "a 7z archive"},
    {"Rar!"sv, "a RAR archive"},
    {"GGUF"sv, "a GGUF file, as llama.cpp uses"},
    {"\x7f"
     "ELF"sv,
     "a program"},
    {"\x89PNG"sv, "a picture"},
    {"%PDF"sv, "a PDF document"},
    {"SQLite format 3"sv, "an SQLite database"},
    {"{"sv, "text, JSON by its look"},
};

bool begins_with_word(std::string_view text, std::string_view word) {
  return text.size() >= word.size() &&
         std::equal(word.begin(), word.end(), text.begin(),
                    [](char w, char c) { return w == (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); });
}

}  // namespace

std::string file_kind(std::string_view begin) {
  if (begin.empty()) return "an empty file";
  for (const auto& [bytes, kind] : kKinds) {
    if (begin.starts_with(bytes)) return std::string(kind);
  }
  // A pickle begins with its protocol, 2 to 5; a safetensors file with the length of a JSON text.
  if (begin.size() > 2 && begin[0] == '\x80' && begin[1] >= 2 && begin[1] <= 5) {
    return "a Python pickle, as pickle.dump and old torch.save write; Cairn does not run pickles";
  }
  if (begin.size() > 9 && begin[8] == '{' && begin[9] == '"' &&
      get_fixed<uint64_t>(begin) < (uint64_t{1} << 32)) {
    return "a safetensors file";
  }
  // The first event, which contains the file's version, follows the record's length and checksum.
  if (begin.substr(0, 48).find("brain.Event:") != std::string_view::npos) {
    return "a TensorFlow event file, as summary writers write for TensorBoard; it holds no "
           "checkpoint and no graph "
           "that "
           "Cairn reads";
  }
  constexpr size_t kTarMark = 257;
  if (begin.size() > kTarMark + 5 && begin.substr(kTarMark).starts_with("ustar"))
    return "a tar archive";
  const size_t first = begin.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  const std::string_view text = begin.substr(std::min(first, begin.size()));
  for (const char* word : {"<!doctype html", "<html", "<head"}) {
    if (begins_with_word(text, word))
      return "a web page (HTML): the download gave a page in place of the file";
  }
  if (text.starts_with("<")) return "text, XML by its look";
  if (text.starts_with("model_checkpoint_path")) {
    return "the text that names a directory's newest checkpoint: give the directory, and call this "
           "file `checkpoint`";
  }
  return "";
}

namespace {

// The offset of the contents of the length-delimited field at the beginning of `bytes`; npos if
// there is no such field.
size_t after_field_head(std::string_view bytes, char tag) {
  if (bytes.empty() || bytes[0] != tag) return std::string_view::npos;
  size_t at = 1;
  while (at < bytes.size() && at < 6 && (bytes[at] & 0x80)) ++at;
  return at + 1 < bytes.size() ? at + 1 : std::string_view::npos;
}

// True for the first name in a graph: a node's, which its op follows, or an op's in the list of
// ops.
bool begins_with_name(std::string_view bytes) {
  const size_t at = after_field_head(bytes, '\x0a');
  if (at != 2) return false;
  const auto length = static_cast<unsigned char>(bytes[1]);
  return length > 0 && length < 128 && bytes.size() >= at + length &&
         is_plain_text(bytes.substr(at, length));
}

// A GraphDef begins with a node, a MetaGraphDef with its MetaInfoDef, and a SavedModel with its
// version.
bool begins_like_graph(std::string_view begin) {
  static constexpr std::string_view kWords[] = {
      "node {",      "node: {",    "node{",    "meta_info_def", "saved_model_schema_version",
      "graph_def {", "versions {", "library {"};
  const size_t first = std::min(begin.find_first_not_of(" \t\r\n"), begin.size());
  if (std::any_of(std::begin(kWords), std::end(kWords),
                  [&](std::string_view word) { return begin.substr(first).starts_with(word); })) {
    return true;
  }
  if (begin.starts_with("\x08\x01\x12"sv)) return true;
  const size_t inside = after_field_head(begin, '\x0a');
  if (inside == std::string_view::npos) return false;
  if (begins_with_name(begin.substr(inside))) return true;
  const size_t op_list = after_field_head(begin.substr(inside), '\x12');
  const size_t op = op_list == std::string_view::npos
                        ? op_list
                        : after_field_head(begin.substr(inside + op_list), '\x0a');
  return op != std::string_view::npos && begins_with_name(begin.substr(inside + op_list + op));
}

}  // namespace

std::string beginning_of(const RandomAccessFile& file) {
  constexpr uint64_t kEnough = 512;
  std::string begin(std::min(kEnough, file.size()), '\0');
  file.read(0, begin);
  return begin;
}

std::string no_checkpoint_but(std::string_view begin, std::string_view part) {
  std::string kind = file_kind(begin);
  if (kind.empty() && begins_like_graph(begin)) {
    kind =
        "a graph, which holds no variables' values: `cairn meta` shows it and import_meta_graph "
        "reads it";
  }
  if (kind.empty() && is_plain_text(begin)) kind = "plain text";
  if (kind.empty()) return "";
  const bool advises = kind.find(": ") != std::string::npos;
  if (!part.empty() && !advises)
    return str_cat("the file is damaged: ", kind, " where ", part, " should be; use another copy");
  return "this is no checkpoint but " + kind +
         (advises ? ""
                  : ": give what the files of a checkpoint have in common (PREFIX of "
                    "PREFIX.index), or their directory");
}

bool is_plain_text(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](unsigned char c) {
    return c >= 0x20 ? c != 0x7f : c >= '\t' && c <= '\r';
  });
}

}  // namespace cairn

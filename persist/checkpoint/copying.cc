#include "persist/checkpoint/copying.h"

#include <cstdio>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/checkpoint/save_names.h"
#include "persist/files/publication.h"
#include "persist/files/settled_view.h"

namespace cairn {
namespace {

using Naming = std::function<std::string(const std::string&)>;

void add_piece(BundleWriter& writer, const BundleReader& reader, const BundlePiece& piece,
               const Naming& name) {
  if (!piece.slice) return writer.add(name(piece.name), reader.read(piece.name));
  writer.add_slice(name(piece.name), reader.entry(piece.name).shape, *piece.slice,
                   reader.read_slice(piece.name, *piece.slice));
}

// A directory for the parts of a sharded copy, removed by the destructor. A file in it stays open,
// so that other writers' sweeps recognise the directory as in use even while no part is being
// written.
class PartsDirectory {
 public:
  PartsDirectory(FileSystem& fs, std::string path)
      : fs_(fs), path_(std::move(path)), made_(fs, path_) {
    constexpr size_t kDigits = 8;  // as in names of temporary files
    in_use_ = fs_.create(join_path(path_, ".t-" + random_digits(kDigits)));
  }
  ~PartsDirectory() {
    in_use_.reset();
    remove_parts(fs_, path_);
  }
  PartsDirectory(const PartsDirectory&) = delete;
  PartsDirectory& operator=(const PartsDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  FileSystem& fs_;
  const std::string path_;
  NewDirectories made_;  // removes the directory if the file could not be created
  std::unique_ptr<WritableFile> in_use_;
};

// Writes one bundle for each data file of the source and merges them when all are complete.
void copy_v2(FileSystem& fs, const std::string& source, const std::string& destination,
             const Naming& name) {
  const BundleReader reader(fs, source);
  const auto pieces = reader.pieces_in_file_order();
  if (reader.num_shards() == 1 || pieces.empty()) {
    BundleWriter writer(fs, destination);
    for (const BundlePiece& piece : pieces) add_piece(writer, reader, piece, name);
    return writer.finish();
  }
  const auto directory =
      std::make_shared<PartsDirectory>(fs, str_cat(destination, "_temp_", random_digits(32)));
  // If an outer publication gathers these files, the parts are moved only when it commits: keep the
  // directory until then.
  publish(fs, destination,
          [&](Publication& publication) { publication.afterwards([directory] {}); });
  std::vector<std::string> parts;
  // Data files without any tensor are not copied.
  for (auto piece = pieces.begin(); piece != pieces.end();) {
    const int shard = piece->shard;
    char part[64];
    std::snprintf(part, sizeof part, "part-%05zu-of-00000", parts.size());
    parts.push_back(join_path(directory->path(), part));
    BundleWriter writer(fs, parts.back());
    for (; piece != pieces.end() && piece->shard == shard; ++piece)
      add_piece(writer, reader, *piece, name);
    writer.finish();
  }
  merge_bundles(fs, parts, destination);
}

void copy_v1(FileSystem& fs, const std::string& source, const std::string& destination,
             const Naming& name) {
  const CheckpointV1Reader reader(fs, source);
  reader.check_no_file_is_missing();
  for (size_t f = 0; f < reader.files().size(); ++f) {
    const std::string& from = reader.files()[f];
    const std::string ending = from.substr(without_shard_ending(from).size());
    CheckpointV1Writer writer(fs, without_shard_ending(destination) + ending);
    for (const std::string& old : reader.names()) {
      const CheckpointV1Entry& entry = reader.entry(old);
      for (size_t i = 0; i < entry.slices.size(); ++i) {
        if (entry.files[i] != static_cast<int>(f)) continue;
        writer.add_slice(name(old), entry.shape, entry.slices[i], entry.dtype,
                         [&reader, old, i] { return reader.read_stored(old, i); });
      }
    }
    writer.finish();
  }
}

// "-?????-of-00002" of "m-00000-of-00002"; "" of other names.
std::string shard_ending(const std::string& path) {
  return shard_pattern(path).substr(without_shard_ending(path).size());
}

}  // namespace

void copy_checkpoint(FileSystem& fs, const std::string& source, const std::string& destination,
                     const Naming& name) {
  const auto view = view_for(fs, source);
  (view ? *view : fs).exists(bundle_index_path(source)) ? copy_v2(fs, source, destination, name)
                                                        : copy_v1(fs, source, destination, name);
}

void check_is_whole(const std::string& destination) {
  if (shard_ending(destination).empty() || destination.ends_with("-00000-of-00001")) return;
  fail(Code::kInvalidArgument, destination,
       " is the name of one file of a V1 checkpoint of several; give the prefix, ", "as in ",
       without_shard_ending(destination));
}

std::string check_copy_paths(FileSystem& fs, const std::string& source,
                             const std::string& destination, bool make_folder) {
  const std::string prefix = checkpoint_prefix(source, &fs);
  if (const auto there = fs.stat(destination); there && there->is_directory) {
    fail(Code::kInvalidArgument, destination, " is a directory; give a prefix, as in ",
         join_path(destination, base_name(prefix)));
  }
  if (destination == prefix)
    fail(Code::kAlreadyExists, destination,
         " is the source itself, which is never overwritten; give another name");
  check_checkpoint_name(destination);
  // A name with a shard ending is allowed if the source has the same one: the copy then has as many
  // files.
  if (const std::string ending = shard_ending(destination); ending != shard_ending(prefix))
    check_is_whole(destination);
  // Such a file may belong to a checkpoint that lost its index, be a link, or be unrelated.
  if (const auto taken = files_of_prefix(fs, destination); !taken.empty()) {
    fail(Code::kAlreadyExists, destination, ": ",
         checkpoint_exists(destination, &fs) ? "there is a checkpoint already"
                                             : "files of this prefix are there already",
         " (", join_for_people(taken, 5),
         "), and nothing is written over; give another name, or remove ",
         taken.size() == 1 ? "it" : "them", " first");
  }
  if (!make_folder) return prefix;
  fs.create_dirs(directory_of(destination));
  sweep_dead(fs, directory_of(destination));  // remains of a copy that was killed
  return prefix;
}

}  // namespace cairn

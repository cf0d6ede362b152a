#include "persist/bundle.h"
#include "persist/checkpoint_reader.h"
#include "persist/checkpoint_state.h"
#include "persist/checkpoint_v1.h"
#include "tools/commands.h"
#include "tools/progress.h"

namespace cairn {

void prepare_destination(const std::string& source, const std::string& destination) {
  FileSystem& fs = posix_file_system();
  if (const auto there = fs.stat(destination); there && there->is_directory) {
    fail(Code::kInvalidArgument, destination, " is a directory; give a prefix, as in ",
         join_path(destination, base_name(source)));
  }
  if (checkpoint_exists(destination)) {
    fail(Code::kAlreadyExists, destination, ": there is a checkpoint already; give another name, or remove it first");
  }
  fs.create_dirs(directory_of(destination));
}

void copy_meta_graph(const std::string& source, const std::string& destination) {
  FileSystem& fs = posix_file_system();
  const std::string meta = meta_graph_path(source);
  if (fs.exists(meta)) write_file_atomically(fs, meta_graph_path(destination), read_file(fs, meta));
}

namespace {

struct Options {
  std::string source, destination, format;
};

void add_piece(BundleWriter& writer, const BundleReader& reader, const BundlePiece& piece) {
  if (!piece.slice) return writer.add(piece.name, reader.read(piece.name));
  writer.add_slice(piece.name, reader.entry(piece.name).shape, *piece.slice,
                   reader.read_slice(piece.name, *piece.slice));
}

// One data file for each of the source's, merged when all are complete.
void copy_v2(const std::string& source, const std::string& destination) {
  FileSystem& fs = posix_file_system();
  const BundleReader reader(fs, source);
  const auto pieces = reader.pieces_in_file_order();
  Progress progress("copying", pieces.size());
  if (reader.num_shards() == 1) {
    BundleWriter writer(fs, destination);
    for (const BundlePiece& piece : pieces) {
      add_piece(writer, reader, piece);
      progress.step();
    }
    return writer.finish();
  }
  std::vector<std::string> parts;
  auto piece = pieces.begin();
  for (int shard = 0; shard < reader.num_shards(); ++shard) {
    parts.push_back(str_cat(destination, "_temp/part-", shard));
    BundleWriter writer(fs, parts.back());
    for (; piece != pieces.end() && piece->shard == shard; ++piece) {
      add_piece(writer, reader, *piece);
      progress.step();
    }
    writer.finish();
  }
  merge_bundles(fs, parts, destination);
}

void copy_v1(const std::string& source, const std::string& destination) {
  FileSystem& fs = posix_file_system();
  const CheckpointV1Reader reader(fs, source);
  if (reader.missing_files() > 0) {
    fail(Code::kNotFound, source, ": ", reader.missing_files(), " of its files are missing; copy needs all");
  }
  for (size_t f = 0; f < reader.files().size(); ++f) {
    const std::string& from = reader.files()[f];
    const std::string ending = from.substr(without_shard_ending(from).size());
    CheckpointV1Writer writer(fs, without_shard_ending(destination) + ending);
    for (const std::string& name : reader.names()) {
      const CheckpointV1Entry& entry = reader.entry(name);
      for (size_t i = 0; i < entry.slices.size(); ++i) {
        if (entry.files[i] != static_cast<int>(f)) continue;
        writer.add_slice(name, entry.shape, entry.slices[i], reader.read_stored(name, i));
      }
    }
    writer.finish();
  }
}

int copy(const Options& o) {
  const std::string source = checkpoint_prefix(o.source);
  prepare_destination(source, o.destination);
  posix_file_system().exists(bundle_index_path(source)) ? copy_v2(source, o.destination)
                                                        : copy_v1(source, o.destination);
  copy_meta_graph(source, o.destination);
  return kFine;
}

template <class Writer>
void write_all(const CheckpointReader& reader, const std::string& destination) {
  Writer writer(posix_file_system(), destination);
  Progress progress("converting", reader.names().size());
  for (const std::string& name : reader.names()) {
    const auto entry = *reader.find(name);
    if (entry.slices.empty()) writer.add(name, reader.get_tensor(name));
    for (const TensorSlice& slice : entry.slices) {
      writer.add_slice(name, entry.shape, slice, reader.get_tensor(name, slice));
    }
    progress.step();
  }
  writer.finish();
}

int convert(const Options& o) {
  const CheckpointReader reader(o.source);
  prepare_destination(reader.prefix(), o.destination);
  o.format == "v1" ? write_all<CheckpointV1Writer>(reader, o.destination)
                   : write_all<BundleWriter>(reader, o.destination);
  return kFine;
}

std::shared_ptr<Options> add_paths(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("SRC", o->source, "a checkpoint: prefix, one of its files, or directory")->required();
  app.add_option("DST", o->destination, "the prefix to write, of which there is no checkpoint yet")->required();
  return o;
}

}  // namespace

Work make_copy(CLI::App& app) {
  auto o = add_paths(app);
  return [o] { return copy(*o); };
}

Work make_convert(CLI::App& app) {
  auto o = add_paths(app);
  app.add_option("--format", o->format, "v1 (one table file, before TensorFlow 0.12) or v2")
      ->required()
      ->check(CLI::IsMember({"v1", "v2"}));
  return [o] { return convert(*o); };
}

}  // namespace cairn

#include <algorithm>
#include <iostream>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/checkpoint/copying.h"
#include "persist/files/publication.h"
#include "persist/files/settled_view.h"
#include "tools/command_files.h"
#include "tools/commands.h"
#include "tools/progress.h"

namespace cairn {

void write_checkpoint(const std::string& source, const std::string& destination,
                      const std::function<void()>& write) {
  CommandFiles& fs = command_files();
  Publication publication(fs, without_shard_ending(destination));
  publication.gather();
  publication.only_new();
  write();
  const std::string meta = meta_graph_path(source);
  const auto view = view_for(fs, source);  // the .meta file of the same save as the values
  FileSystem& as_it_counts = view ? static_cast<FileSystem&>(*view) : fs;
  if (!source.empty() && as_it_counts.exists(meta)) {
    AtomicFile file(fs, meta_graph_path(destination));
    file.append(read_file(as_it_counts, meta));
    publication.add(file, Publication::kBefore);
  }
  publication.commit();
  fs.keep();
}

namespace {

struct CopyArguments {
  std::string source, destination, format;
};

// Prints a line about the written checkpoint and its source.
void print(const std::string& destination, const char* format, size_t tensors,
           const std::string& source, CheckpointFormat of_source) {
  std::cout << destination << ": " << format << ", " << tensors
            << (tensors == 1 ? " tensor" : " tensors") << ", from " << source << ", "
            << format_name(of_source) << "\n";
}

int copy(const CopyArguments& o) {
  FileSystem& fs = command_files();
  const std::string source = check_copy_paths(fs, o.source, o.destination);
  const auto [tensors, format] = [&] {
    const CheckpointReader reader(source);
    return std::pair(reader.names().size(), reader.version());
  }();
  Progress progress("copying", tensors);
  write_checkpoint(source, o.destination, [&] {
    copy_checkpoint(fs, source, o.destination, [&](const std::string& name) {
      progress.step();
      return name;
    });
  });
  print(o.destination, format_name(format), tensors, source, format);
  return kFine;
}

template <class Writer>
void write_all(const CheckpointReader& reader, const std::string& destination) {
  Writer writer(command_files(), destination);
  size_t pieces = 0;
  for (const std::string& name : reader.names())
    pieces += std::max<size_t>(1, reader.find(name)->slices.size());
  Progress progress("converting", pieces);
  for (const std::string& name : reader.names()) {
    const auto entry = *reader.find(name);
    auto slices = entry.slices;
    if (slices.empty()) slices.push_back(TensorSlice::whole(entry.shape.rank()));
    for (const TensorSlice& slice : slices) {
      add_when_needed(writer, name, entry.shape, slice, entry.dtype,
                      [&reader, &progress, name, slice] {
                        progress.step();
                        return reader.get_tensor(name, slice);
                      });
    }
  }
  writer.finish();
}

int convert(const CopyArguments& o) {
  check_is_whole(o.destination);
  check_copy_paths(command_files(), o.source, o.destination);
  const CheckpointReader reader(o.source);
  reader.check_no_file_is_missing();
  write_checkpoint("", o.destination, [&] {
    o.format == "v1" ? write_all<CheckpointV1Writer>(reader, o.destination)
                     : write_all<BundleWriter>(reader, o.destination);
  });
  print(o.destination, o.format == "v1" ? "V1" : "V2", reader.names().size(), reader.prefix(),
        reader.version());
  return kFine;
}

std::shared_ptr<CopyArguments> add_paths(CLI::App& app) {
  auto o = std::make_shared<CopyArguments>();
  app.add_option("SRC", o->source, "a checkpoint: its prefix, one of its files, or its directory")
      ->required();
  app.add_option("DST", o->destination, "the prefix of the new checkpoint, which must not exist")
      ->required();
  return o;
}

}  // namespace

Work make_copy(CLI::App& app) {
  auto o = add_paths(app);
  return [o] { return copy(*o); };
}

Work make_convert(CLI::App& app) {
  auto o = add_paths(app);
  app.add_option("--format", o->format,
                 "the format to write: v1 (one table file, TensorFlow before 0.12) or v2")
      ->required()
      ->check(CLI::IsMember({"v1", "v2"}));
  return [o] { return convert(*o); };
}

}  // namespace cairn

#include <algorithm>
#include <iostream>

#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/saver/name_rules.h"
#include "tools/command_files.h"
#include "tools/commands.h"
#include "tools/json.h"
#include "tools/npy.h"
#include "tools/progress.h"
#include "tools/zip.h"

namespace cairn {
namespace {

struct ExportArguments {
  std::string checkpoint, destination;
  std::vector<std::string> tensors;
  bool json = false;
};

std::vector<std::string> chosen_names(const CheckpointReader& reader,
                                      const std::vector<std::string>& patterns) {
  const std::vector<std::string> names = reader.names();
  if (patterns.empty()) return names;
  std::vector<bool> chosen(names.size());
  std::vector<std::string> unmatched;
  for (const std::string& pattern : patterns) {
    const auto named = std::find(names.begin(), names.end(), pattern);
    bool any = named != names.end();
    if (any) chosen[static_cast<size_t>(named - names.begin())] = true;
    try {
      const NamePattern fits(pattern);
      for (size_t i = 0; i < names.size(); ++i) {
        if (fits.matches_whole(names[i])) any = chosen[i] = true;
      }
    } catch (const Error& e) {
      if (!any) throw UsageError(str_cat("--tensor ", pattern, ": ", e.what()));
    }
    if (any) continue;
    const auto near = nearest_names(pattern, names);
    unmatched.push_back(
        str_cat("'", pattern, "'",
                near.empty() ? "" : str_cat(" (did you mean ", join_for_people(near), "?)")));
  }
  if (!unmatched.empty())
    fail(Code::kNotFound, reader.prefix(), ": no tensor matches ", join_for_people(unmatched));
  std::vector<std::string> result;
  for (size_t i = 0; i < names.size(); ++i) {
    if (chosen[i]) result.push_back(names[i]);
  }
  return result;
}

// Throws InvalidArgument, naming all names that the file format does not allow.
template <class Fits>
void check_names(const std::vector<std::string>& names, WritableFile& file, const char* why,
                 const Fits& fits) {
  std::vector<std::string> refused;
  for (const std::string& name : names) {
    if (!fits(name)) refused.push_back("'" + printable(name) + "'");
  }
  if (refused.empty()) return;
  fail(Code::kInvalidArgument, file.path(), ": ", why, ": ", join_for_people(refused),
       "; choose others with --tensor, or give these other names with cairn rename");
}

void write_npz(const CheckpointReader& reader, const std::vector<std::string>& names,
               WritableFile& file) {
  check_names(names, file, "an archive with these names could be unpacked over other files",
              is_safe_entry_name);
  ZipWriter zip(file);
  Progress progress("exporting", names.size());
  for (const std::string& name : names) {
    const Tensor tensor = reader.get_tensor(name);
    zip.add(name + ".npy", [&](const ZipWriter::Sink& sink) { npy_pieces(tensor, sink); });
    progress.step();
  }
  zip.finish();
}

// The name of the dtype in safetensors; "" if there is none.
std::string safetensors_dtype(DType dtype) {
  static constexpr std::pair<DType, const char*> kNames[] = {
      {DType::kFloat, "F32"},     {DType::kDouble, "F64"}, {DType::kHalf, "F16"},
      {DType::kBFloat16, "BF16"}, {DType::kInt8, "I8"},    {DType::kInt16, "I16"},
      {DType::kInt32, "I32"},     {DType::kInt64, "I64"},  {DType::kUInt8, "U8"},
      {DType::kUInt16, "U16"},    {DType::kUInt32, "U32"}, {DType::kUInt64, "U64"},
      {DType::kBool, "BOOL"},
  };
  for (const auto& [of, name] : kNames) {
    if (of == dtype) return name;
  }
  return "";
}

// The format: the length of the header in eight bytes, a JSON header with the offsets of the
// tensors, the tensors without gaps.
void write_safetensors(const CheckpointReader& reader, std::vector<std::string> names,
                       WritableFile& file) {
  // The header is JSON, in which this key has another meaning.
  check_names(names, file, "safetensors cannot have these names",
              [](const std::string& name) { return name != "__metadata__" && is_utf8(name); });
  std::vector<std::string> refused;
  for (const std::string& name : names) {
    const DType dtype = reader.find(name)->dtype;
    if (safetensors_dtype(dtype).empty())
      refused.push_back(str_cat(name, " (", dtype_name(dtype), ")"));
  }
  if (!refused.empty()) {
    fail(Code::kUnimplemented, file.path(), ": safetensors has no dtype for ",
         join_for_people(refused), "; choose others with --tensor, or write an .npz");
  }
  // The widest dtypes first, so that each tensor is aligned to its element size.
  std::stable_sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
    return dtype_size(reader.find(a)->dtype) > dtype_size(reader.find(b)->dtype);
  });
  Json j;
  j.object();
  uint64_t at = 0;
  for (const std::string& name : names) {
    const auto entry = *reader.find(name);
    const uint64_t end =
        at + static_cast<uint64_t>(entry.shape.num_elements()) * dtype_size(entry.dtype);
    j.key(name)
        .object()
        .key("dtype")
        .value(safetensors_dtype(entry.dtype))
        .key("shape")
        .value(entry.shape);
    j.key("data_offsets").array().value(at).value(end).end().end();
    at = end;
  }
  std::string header = j.end().text();
  header.append((8 - header.size() % 8) % 8, ' ');
  std::string length;
  for (int i = 0; i < 8; ++i) length += static_cast<char>(uint64_t{header.size()} >> (8 * i));
  file.append(length + header);
  Progress progress("exporting", names.size());
  for (const std::string& name : names) {
    const Tensor tensor = reader.get_tensor(name);
    file.append({static_cast<const char*>(tensor.raw_data()), tensor.num_bytes()});
    progress.step();
  }
}

int export_tensors(const ExportArguments& o) {
  const bool npz = o.destination.ends_with(".npz");
  if (!npz && !o.destination.ends_with(".safetensors")) {
    throw UsageError(str_cat("DST ends in .npz or .safetensors, which says what is written, not ",
                             o.destination));
  }
  const CheckpointReader reader(o.checkpoint);
  reader.check_no_file_is_missing();
  const auto names = chosen_names(reader, o.tensors);
  CommandFiles& fs = command_files();
  check_is_new_file(fs, o.destination);
  make_directory_for_files(fs, directory_of(o.destination));
  AtomicFile file(fs, o.destination);
  npz ? write_npz(reader, names, file) : write_safetensors(reader, names, file);
  file.publish();
  fs.sync_dir(directory_of(o.destination));
  fs.keep();
  if (o.json) {
    Json j;
    j.object().key("file").value(o.destination).key("checkpoint").value(reader.prefix());
    std::cout << j.key("tensors").value(names).end().text() << "\n";
  } else {
    std::cout << o.destination << ": " << names.size()
              << (names.size() == 1 ? " tensor" : " tensors") << " of " << reader.prefix() << "\n";
  }
  return kFine;
}

}  // namespace

Work make_export(CLI::App& app) {
  auto o = std::make_shared<ExportArguments>();
  app.add_option("CKPT", o->checkpoint,
                 "a checkpoint: its prefix, one of its files, or its directory")
      ->required();
  app.add_option("DST", o->destination,
                 "the file to write: .npz (bfloat16 becomes float) or .safetensors")
      ->required();
  app.add_option("--tensor", o->tensors,
                 "only the tensor of this name, or tensors whose whole name matches this regular "
                 "expression (RE2); may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--json", o->json, "print one JSON object");
  return [o] { return export_tensors(*o); };
}

}  // namespace cairn

#include <algorithm>
#include <iostream>
#include <limits>
#include <numeric>
#include <optional>

#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "tools/columns.h"
#include "tools/commands.h"
#include "tools/json.h"

namespace cairn {
namespace {

struct InspectArguments {
  std::string checkpoint, tensor;
  bool values = false, stats = false, verify = false, json = false;
};

struct Stats {
  double min = std::numeric_limits<double>::infinity(), max = -min, mean = 0, std = 0;
  int64_t nans = 0, infinite = 0, finite = 0;
};

// Statistics of the finite elements; NaNs and infinities are counted. Empty for dtypes that are not
// real numbers.
std::optional<Stats> stats_of(const Tensor& tensor) {
  Stats s;
  double squares = 0;  // Welford's sum of squared differences from the mean
  const auto gather = [&]<class T> {
    for (const T& element : tensor.span<T>()) {
      const auto v =
          static_cast<double>(static_cast<std::conditional_t<sizeof(T) == 2, float, T>>(element));
      if (std::isnan(v)) {
        ++s.nans;
      } else if (std::isinf(v)) {
        ++s.infinite;
      } else {
        const double away = v - s.mean;
        s.mean += away / static_cast<double>(++s.finite);
        squares += away * (v - s.mean);
        s.min = std::min(s.min, v);
        s.max = std::max(s.max, v);
      }
    }
  };
  if (!for_dtype<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t,
                 uint64_t, bool, Half, BFloat16>(storage_dtype(tensor.dtype()), gather)) {
    return std::nullopt;
  }
  if (s.finite > 0) s.std = std::sqrt(squares / static_cast<double>(s.finite));
  return s;
}

// The size of the elements; for strings the bytes of their text.
uint64_t bytes_of(const CheckpointReader& reader, const std::string& name,
                  const CheckpointReader::Entry& entry) {
  if (entry.dtype != DType::kString) {
    return static_cast<uint64_t>(entry.shape.num_elements()) * dtype_size(entry.dtype);
  }
  uint64_t bytes = 0;
  const Tensor strings = reader.get_tensor(name);
  for (const std::string& s : strings.span<std::string>()) bytes += s.size();
  return bytes;
}

void print_json(Json& j, const std::string& name, const CheckpointReader::Entry& entry,
                uint64_t bytes, const Tensor& values, const InspectArguments& o) {
  j.object()
      .key("name")
      .value(name)
      .key("dtype")
      .value(dtype_name(entry.dtype))
      .key("shape")
      .value(entry.shape);
  j.key("bytes").value(bytes);
  if (!entry.slices.empty()) {
    j.key("slices").array();
    for (const TensorSlice& slice : entry.slices) j.value(slice.str());
    j.end();
  }
  const auto stats = o.stats ? stats_of(values) : std::nullopt;
  if (stats) {
    j.key("stats").object().key("nan").value(stats->nans).key("inf").value(stats->infinite);
    if (stats->finite > 0) {
      j.key("min").value(stats->min).key("max").value(stats->max).key("mean").value(stats->mean);
      j.key("std").value(stats->std);
    }
    j.end();
  }
  if (o.values) j.key("values").value(values);
  j.end();
}

// Prints one line per tensor, in columns.
Columns lines_of(const CheckpointReader& reader, const std::vector<std::string>& names,
                 const std::vector<uint64_t>& bytes) {
  Columns lines({Columns::kLeft, Columns::kLeft, Columns::kLeft, Columns::kRight, Columns::kLeft});
  for (size_t i = 0; i < names.size(); ++i) {
    const auto entry = *reader.find(names[i]);
    lines.add({names[i], std::string(dtype_name(entry.dtype)), str_cat(entry.shape),
               str_cat(bytes[i], " bytes"),
               entry.slices.empty() ? "" : str_cat(entry.slices.size(), " slices")});
  }
  return lines;
}

void print_text(const std::string& line, const Tensor& values, const InspectArguments& o) {
  std::cout << line;
  if (const auto stats = o.stats ? stats_of(values) : std::nullopt) {
    if (stats->finite > 0) {
      std::cout << "  min " << stats->min << "  max " << stats->max << "  mean " << stats->mean
                << "  std " << stats->std;
    }
    std::cout << "  nan " << stats->nans << "  inf " << stats->infinite;
  }
  std::cout << "\n";
  if (o.values) {
    values.print(std::cout, -1);
    std::cout << "\n";
  }
}

std::vector<std::string> chosen_names(const CheckpointReader& reader, const std::string& tensor) {
  const std::vector<std::string> names = reader.names();
  if (tensor.empty()) return names;
  if (reader.has_tensor(tensor)) return {tensor};
  const auto near = nearest_names(tensor, names);
  fail(Code::kNotFound, reader.prefix(), ": there is no tensor '", printable(tensor), "'",
       near.empty() ? "" : str_cat("; did you mean ", join_for_people(near), "?"));
}

int inspect(const InspectArguments& o) {
  const CheckpointReader reader(o.checkpoint);
  if (const auto note = interrupted_overwriting(reader.prefix()))
    std::cerr << "note: " << printable(*note) << "\n";
  const char* format = reader.version() == CheckpointFormat::kV1 ? "V1" : "V2";
  const auto names = chosen_names(reader, o.tensor);
  if (o.verify) reader.verify();
  const size_t missing = reader.missing_files();
  std::vector<uint64_t> bytes;
  for (const std::string& name : names) bytes.push_back(bytes_of(reader, name, *reader.find(name)));
  const uint64_t total = std::accumulate(bytes.begin(), bytes.end(), uint64_t{0});
  const Columns lines = lines_of(reader, names, bytes);
  Json j(std::cout);
  j.object().key("checkpoint").value(reader.prefix()).key("format").value(format);
  j.key("shards").value(reader.num_shards());
  if (missing > 0) j.key("missing_files").value(static_cast<int64_t>(missing));
  j.key("tensors").array();
  for (size_t i = 0; i < names.size(); ++i) {
    const Tensor values = o.values || o.stats ? reader.get_tensor(names[i]) : Tensor();
    o.json ? print_json(j, names[i], *reader.find(names[i]), bytes[i], values, o)
           : print_text(lines.line(i), values, o);
  }
  j.end().key("bytes").value(total);
  if (o.verify) j.key("verified").value(true);
  j.end();
  if (o.json) {
    j.finish();
    return kFine;
  }
  std::cout << reader.prefix() << ": " << format << ", " << reader.num_shards()
            << (reader.num_shards() == 1 ? " shard, " : " shards, ") << names.size()
            << (names.size() == 1 ? " tensor, " : " tensors, ") << total << " bytes"
            << (o.verify ? ", every checksum right" : "") << "\n";
  if (missing > 0) {
    std::cout << missing << (missing == 1 ? " of its files is" : " of its files are")
              << " missing, with all that is in it\n";
  }
  return kFine;
}

}  // namespace

Work make_inspect(CLI::App& app) {
  auto o = std::make_shared<InspectArguments>();
  app.add_option("CKPT", o->checkpoint,
                 "a checkpoint: its prefix, one of its files, or its directory")
      ->required();
  app.add_option("--tensor", o->tensor, "only the tensor of this name");
  app.add_flag("--values", o->values, "all elements");
  app.add_flag("--stats", o->stats,
               "minimum, maximum, mean, standard deviation, and the number of NaNs and infinities");
  app.add_flag("--verify", o->verify, "read all bytes and check all checksums");
  app.add_flag("--json", o->json, "print one JSON object");
  return [o] { return inspect(*o); };
}

}  // namespace cairn

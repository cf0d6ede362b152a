#include <complex>
#include <iostream>
#include <set>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/checkpoint/copying.h"
#include "tools/command_files.h"
#include "tools/commands.h"
#include "tools/json.h"
#include "tools/progress.h"

namespace cairn {
namespace {

struct AverageArguments {
  std::vector<std::string> paths;  // the checkpoints, then the destination
  bool json = false;
};

using Readers = std::vector<std::unique_ptr<CheckpointReader>>;

// Calls f<T>() with the C++ type of `dtype`, if means are computed for it; else returns false.
template <class F>
bool for_averaged(DType dtype, F&& f) {
  return for_dtype<float, double, Half, BFloat16, std::complex<float>, std::complex<double>>(dtype,
                                                                                             f);
}

bool is_averaged(DType dtype) {
  return for_averaged(dtype, [&]<class T> {});
}

// Throws InvalidArgument, naming all differences in names, dtypes and shapes.
void check_alike(const Readers& readers) {
  const CheckpointReader& last = *readers.back();
  std::vector<std::string> problems;
  for (const auto& reader : readers) {
    for (const std::string& name : last.names()) {
      const auto entry = reader->find(name), expected = last.find(name);
      if (!entry) {
        problems.push_back(str_cat(reader->prefix(), " lacks ", name));
      } else if (entry->dtype != expected->dtype || entry->shape != expected->shape) {
        problems.push_back(str_cat(name, " is ", dtype_name(entry->dtype), " ", entry->shape,
                                   " in ", reader->prefix(), " and ", dtype_name(expected->dtype),
                                   " ", expected->shape, " in ", last.prefix()));
      }
    }
    for (const std::string& name : reader->names()) {
      if (!last.has_tensor(name)) problems.push_back(str_cat(last.prefix(), " lacks ", name));
    }
  }
  if (!problems.empty()) {
    fail(Code::kInvalidArgument,
         "these checkpoints are not of the same model: ", join_for_people(problems));
  }
}

// The mean of a tensor. Checkpoints are read in pieces.
Tensor mean_of(const Readers& readers, const std::string& name,
               const CheckpointReader::Entry& entry) {
  Tensor mean = Tensor::uninitialized(entry.dtype, entry.shape);
  std::vector<std::function<void(std::span<char>)>> streams;
  for (const auto& reader : readers) streams.push_back(reader->stream(name));
  for_averaged(entry.dtype, [&]<class T> {
    constexpr bool kShort = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
    using Narrow = std::conditional_t<kShort, float, T>;
    using Sum = decltype([] {
      if constexpr (requires { T().imag(); }) {
        return std::complex<double>();
      } else {
        return 0.0;
      }
    }());
    constexpr size_t kPiece = 32768;
    const auto count = static_cast<double>(readers.size());
    const std::span<T> means(mean.data<T>(), static_cast<size_t>(mean.num_elements()));
    std::vector<T> values(std::min(kPiece, means.size()));
    std::vector<Sum> sums(values.size());
    for (size_t at = 0; at < means.size(); at += values.size()) {
      values.resize(std::min(kPiece, means.size() - at));
      sums.assign(values.size(), Sum());
      for (const auto& next : streams) {
        next({reinterpret_cast<char*>(values.data()), values.size() * sizeof(T)});
        for (size_t i = 0; i < sums.size(); ++i)
          sums[i] += static_cast<Sum>(static_cast<Narrow>(values[i]));
      }
      for (size_t i = 0; i < sums.size(); ++i)
        means[at + i] = T(static_cast<Narrow>(sums[i] / count));
    }
  });
  return mean;
}

Tensor part_of(const Tensor& tensor, const TensorSlice& slice) {
  const TensorSlice whole = TensorSlice::whole(tensor.rank()).within(tensor.shape()),
                    part = slice.within(tensor.shape());
  if (part == whole) return tensor;
  Tensor values = Tensor::uninitialized(tensor.dtype(), part.shape_in(tensor.shape()));
  copy_common(tensor, whole, values, part);
  return values;
}

template <class Writer>
void write_means(const Readers& readers, const std::string& destination) {
  const CheckpointReader& last = *readers.back();
  Writer writer(command_files(), destination);
  Progress progress("averaging", last.names().size());
  for (const std::string& name : last.names()) {
    const auto entry = *last.find(name);
    const auto mean = [&readers, &last, name, entry] {
      return is_averaged(entry.dtype) ? mean_of(readers, name, entry) : last.get_tensor(name);
    };
    if (entry.slices.empty()) {
      add_when_needed(writer, name, entry.shape, TensorSlice::whole(entry.shape.rank()),
                      entry.dtype, mean);
    } else {
      const Tensor tensor = mean();
      for (const TensorSlice& slice : entry.slices)
        writer.add_slice(name, entry.shape, slice, part_of(tensor, slice));
    }
    progress.step();
  }
  writer.finish();
}

void print(const AverageArguments& o, const Readers& readers) {
  const CheckpointReader& last = *readers.back();
  std::vector<std::string> averaged, taken;
  for (const std::string& name : last.names())
    (is_averaged(last.find(name)->dtype) ? averaged : taken).push_back(name);
  if (o.json) {
    Json j;
    j.object().key("checkpoint").value(o.paths.back()).key("of").array();
    for (const auto& reader : readers) j.value(reader->prefix());
    j.end().key("averaged").value(averaged).key("from_last").value(taken).end();
    std::cout << j.text() << "\n";
    return;
  }
  std::cout << o.paths.back() << ": the mean of " << readers.size() << " checkpoints, "
            << averaged.size() << (averaged.size() == 1 ? " tensor" : " tensors");
  if (!taken.empty()) std::cout << "; as in " << last.prefix() << ": " << join_for_people(taken);
  std::cout << "\n";
}

int average(const AverageArguments& o) {
  if (o.paths.size() < 3)
    throw UsageError("give two or more checkpoints, and after them the prefix of the new one");
  const std::string& destination = o.paths.back();
  Readers readers;
  for (size_t i = 0; i + 1 < o.paths.size(); ++i) {
    readers.push_back(std::make_unique<CheckpointReader>(o.paths[i]));
    readers.back()->check_no_file_is_missing();
  }
  check_alike(readers);
  const CheckpointReader& last = *readers.back();
  check_is_whole(destination);
  check_copy_paths(command_files(), last.prefix(), destination);
  write_checkpoint(last.prefix(), destination, [&] {
    last.version() == CheckpointFormat::kV2 ? write_means<BundleWriter>(readers, destination)
                                            : write_means<CheckpointV1Writer>(readers, destination);
  });
  print(o, readers);
  return kFine;
}

}  // namespace

Work make_average(CLI::App& app) {
  auto o = std::make_shared<AverageArguments>();
  app.add_option("CKPT", o->paths,
                 "two or more checkpoints, then DST: the prefix of the new checkpoint")
      ->required();
  app.add_flag("--json", o->json, "print one JSON object");
  return [o] { return average(*o); };
}

}  // namespace cairn

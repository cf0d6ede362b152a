#include "bench/checkpoint_workloads.h"

#include <cairn/cairn.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

#include "bench/bench.h"
#include "persist/checkpoint/table.h"
#include "persist/files/crc.h"

namespace cairn::bench {
namespace {

constexpr size_t kPiece = size_t{256} << 10;

struct Workload {
  const char* name;
  int64_t tensors, elements;
  int rounds;
  double bytes() const { return static_cast<double>(tensors * elements) * sizeof(float); }
};

// A new directory, removed in the destructor.
struct Directory {
  explicit Directory(const std::string& above) : path(above + "/cairn_checkpoint_XXXXXX") {
    if (!mkdtemp(path.data())) fail_with_errno(path, "making a directory", errno);
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

std::string name_of(int64_t i) {
  char name[48];
  std::snprintf(name, sizeof name, "layer_%05lld/weights", static_cast<long long>(i));
  return name;
}

struct Model {
  Model(const Workload& w, int threads) : session(graph, {.threads = threads}) {
    const Output zero = zeros(graph, {w.elements});
    for (int64_t i = 0; i < w.tensors; ++i) {
      variables.push_back(variable(zero, {.name = name_of(i)}));
    }
    saver = Saver(graph, {.max_to_keep = 1});
    session.run(global_variables_initializer(graph));
    for (size_t i = 0; i < variables.size(); ++i) {
      Tensor value = Tensor::uninitialized(DType::kFloat, {w.elements});
      for (int64_t k = 0; k < w.elements; ++k)
        value.data<float>()[k] = static_cast<float>(k % 1000) + 0.5f;
      session.set_value(variables[i], value);
    }
  }
  Graph graph;
  std::vector<Variable> variables;
  Saver saver;
  Session session;
};

// Writes and reads the same bytes by hand.
class ByHand {
 public:
  ByHand(const Workload& w, std::string path)
      : path_(std::move(path)), bytes_(static_cast<size_t>(w.bytes())), memory_(bytes_, 'x') {}

  void save() {
    const std::string fresh = path_ + ".new";
    const int fd = check(::open(fresh.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644));
    uint32_t crc = 0;
    for (size_t at = 0; at < bytes_; at += kPiece) {
      const std::string_view piece = std::string_view(memory_).substr(at, kPiece);
      crc = crc32c(piece, crc);
      for (size_t done = 0; done < piece.size();)
        done += static_cast<size_t>(check(::write(fd, piece.data() + done, piece.size() - done)));
    }
    check(::fsync(fd));
    check(::close(fd));
    check(::rename(fresh.c_str(), path_.c_str()));
    crc_ = crc;
  }

  void restore() {
    const int fd = check(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    uint32_t crc = 0;
    for (size_t at = 0; at < bytes_;) {
      const size_t want = std::min(kPiece, bytes_ - at);
      const auto got = static_cast<size_t>(
          check(::pread(fd, memory_.data() + at, want, static_cast<off_t>(at))));
      crc = crc32c({memory_.data() + at, got}, crc);
      at += got;
    }
    check(::close(fd));
    if (crc != crc_) fail(Code::kDataLoss, path_, ": other bytes were read than written");
  }

 private:
  template <class T>
  T check(T result) const {
    if (result < 0) fail_with_errno(path_, "measuring", errno);
    return result;
  }
  std::string path_;
  size_t bytes_;
  std::string memory_;
  uint32_t crc_ = 0;
};

// The same bytes by hand, with a table of the names and offsets of the tensors, which every format
// with names needs.
class ByHandWithTable {
 public:
  ByHandWithTable(const Workload& w, const std::string& path)
      : tensors_(static_cast<size_t>(w.tensors)),
        size_(static_cast<size_t>(w.elements) * sizeof(float)),
        data_(path + ".data"),
        index_(path + ".index"),
        memory_(tensors_ * size_, 'x') {
    for (int64_t i = 0; i < w.tensors; ++i) keys_.push_back(name_of(i));
  }

  void save() {
    const auto data = posix_file_system().create(data_), index = posix_file_system().create(index_);
    TableWriter table(*index);
    std::string value;
    for (size_t i = 0; i < tensors_; ++i) {
      value.assign(kEntryBytes, '\0');
      const uint32_t crc = crc32c({memory_.data() + i * size_, size_}, 0);
      std::memcpy(value.data(), &crc, sizeof crc);
      table.add(keys_[i], value);
    }
    table.finish();
    data->append(memory_);
    for (WritableFile* file : {data.get(), index.get()}) {
      file->sync();
      file->close();
    }
  }

  void restore() {
    const TableReader table(posix_file_system(), index_);
    posix_file_system().open(data_)->read(0, memory_);
    bool same = table.entries().size() == tensors_;
    for (size_t i = 0; same && i < tensors_; ++i) {
      const uint32_t crc = crc32c({memory_.data() + i * size_, size_}, 0);
      same = std::memcmp(table.entries()[i].value.data(), &crc, sizeof crc) == 0;
    }
    if (!same) fail(Code::kDataLoss, data_, ": other bytes were read than written");
  }

 private:
  static constexpr size_t kEntryBytes = 24;
  size_t tensors_, size_;
  std::string data_, index_, memory_;
  std::vector<std::string> keys_;
};

double seconds_of(const std::function<void()>& f) {
  const double start = now();
  f();
  return now() - start;
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// A field of /proc/self/status in MB; 0 if there is none.
double memory_mb(const char* field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field)) return std::atof(line.c_str() + line.find(':') + 1) / 1024;
  }
  return 0;
}

// The peak of memory during the call, minus the memory before it; negative if the system does not
// report it.
double peak_growth_mb(const std::function<void()>& f) {
  const bool tells = static_cast<bool>(std::ofstream("/proc/self/clear_refs") << "5" << std::flush);
  const double before = memory_mb("VmRSS");
  f();
  return tells ? memory_mb("VmHWM") - before : -1;
}

struct Times {
  std::vector<double> cairn, hand, with_table;
};

// The results of one metric: Cairn first, then the programs that it is compared with.
void report(const Options& o, const Workload& w, const char* metric, const Times& times) {
  const bool large = w.bytes() > 1e7;
  const auto value = [&](double s) { return large ? w.bytes() / s * 1e-9 : s * 1e3; };
  const char* unit = large ? "GB/s" : "ms";
  const double cairn_s = median(times.cairn);
  const auto line = [&](const char* peer, const std::vector<double>& seconds) {
    if (seconds.empty()) return;
    const double s = median(seconds);
    if (!o.table) {
      print_json(o, w.name, peer, w.tensors, metric, value(s), unit);
    } else {
      std::printf("%-20s %-12s %-20s %10.3f %-5s %6.2f\n", w.name, metric, peer, value(s), unit,
                  s / cairn_s);
    }
  };
  line("cairn", times.cairn);
  line("by-hand", times.hand);
  line("by-hand-with-table", times.with_table);
  std::fflush(stdout);
}

void measure(const Options& o, const Workload& w, const Directory& directory) {
  Model model(w, o.threads);
  ByHand hand(w, directory.path + "/plain");
  std::optional<ByHandWithTable> with_table;
  // With larger tensors the table is negligible.
  if (w.elements < 1000) with_table.emplace(w, directory.path + "/named");
  int64_t step = 0;
  std::string prefix;
  const auto save = [&] {
    prefix = model.saver.save(model.session, directory.path + "/model",
                              {.global_step = ++step, .write_meta_graph = false});
  };
  const auto restore = [&] { model.saver.restore(model.session, prefix); };
  // Of the first save, which cannot reuse memory of an earlier one
  const double growth = peak_growth_mb(save);
  hand.save();
  if (with_table) with_table->save();
  restore();
  hand.restore();
  if (with_table) with_table->restore();
  Times saves, restores;
  for (int round = 0; round < w.rounds; ++round) {
    saves.cairn.push_back(seconds_of(save));
    saves.hand.push_back(seconds_of([&] { hand.save(); }));
    if (with_table) saves.with_table.push_back(seconds_of([&] { with_table->save(); }));
  }
  for (int round = 0; round < w.rounds; ++round) {
    restores.cairn.push_back(seconds_of(restore));
    restores.hand.push_back(seconds_of([&] { hand.restore(); }));
    if (with_table) restores.with_table.push_back(seconds_of([&] { with_table->restore(); }));
  }
  report(o, w, "save_fsync", saves);
  report(o, w, "restore", restores);
  if (growth < 0) return;
  if (!o.table) {
    print_json(o, w.name, "cairn", w.tensors, "save_memory", growth, "MB");
  } else {
    std::printf("%-20s %-12s %-20s %10.1f MB more than the model at most\n", w.name, "save_memory",
                "cairn", growth);
  }
}

}  // namespace

void measure_checkpoints(const Options& o) {
  const int64_t part = o.quick ? 16 : 1;
  const Workload workloads[] = {{"W6-1GB-100tensors", 100, 2'500'000 / part, o.quick ? 3 : 5},
                                {"W6-10k-tiny", 10'000 / part, 10, o.quick ? 5 : 21}};
  if (std::none_of(std::begin(workloads), std::end(workloads),
                   [&](const Workload& w) { return o.wants(w.name); }))
    return;
  const Directory directory(o.dir.empty() ? "/tmp" : o.dir);
  if (o.table) {
    std::printf("%-20s %-12s %-20s %10s %-5s %6s\n", "workload", "metric", "", "", "",
                "its time/Cairn's");
  }
  for (const Workload& w : workloads) {
    if (o.wants(w.name)) measure(o, w, directory);
  }
}

}  // namespace cairn::bench

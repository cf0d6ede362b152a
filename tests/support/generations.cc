#include "tests/support/generations.h"

#include "ops/array/array.h"
#include "ops/state/variables.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/files/publication.h"

namespace cairn {
namespace {

constexpr const char* kCollection = "generation";

}  // namespace

Generation::Generation(int64_t number, Form form, SaverOptions options, int64_t elements)
    : number_(number), elements_(elements), options_(std::move(options)) {
  {
    Scope on = graph_.device("/job:ps/task:0");
    variable(zeros(graph_, {elements}), {.name = "a"});
  }
  {
    Scope on = graph_.device("/job:ps/task:1");
    variable(graph_, int64_t{0}, {.name = "b"});
  }
  graph_.add_to_collection(kCollection, number);
  options_.sharded = form == Form::kShardedV2 || form == Form::kShardedV1;
  const bool v1 = form == Form::kV1 || form == Form::kShardedV1;
  options_.write_version = v1 ? CheckpointFormat::kV1 : CheckpointFormat::kV2;
  saver_ = Saver(graph_, options_);
}

std::string Generation::save(FileSystem& fs, const std::string& path,
                             const SaveOptions& options) const {
  Session session(graph_, {.threads = 1, .file_system = &fs});
  Tensor a = Tensor::uninitialized(DType::kFloat, {elements_});
  for (float& x : a.span<float>()) x = static_cast<float>(number_);
  session.set_values(
      {{find_variable(graph_, "a"), a}, {find_variable(graph_, "b"), Tensor(number_)}});
  Saver saver = Saver::from_proto(graph_, saver_.as_saver_def(), options_);
  return saver.save(session, path, options);
}

std::string Generation::meta_bytes() const { return saver_.export_meta_graph("").bytes(); }

int64_t generation_of_values(FileSystem& fs, const std::string& prefix) {
  const CheckpointReader reader(prefix, &fs);
  const Tensor a = reader.get_tensor("a");
  const int64_t number = reader.get_tensor("b").scalar<int64_t>();
  for (const float x : a.span<float>()) {
    if (x != static_cast<float>(number))
      fail(Code::kDataLoss, prefix, ": values of several generations");
  }
  return number;
}

int64_t generation_of_meta(FileSystem& fs, const std::string& prefix) {
  Graph graph;
  import_meta_graph_def(graph, meta_graph_path(prefix), {.file_system = &fs});
  return graph.collection<int64_t>(kCollection)[0];
}

std::vector<std::string> leftovers(FileSystem& fs, const std::string& directory) {
  std::vector<std::string> names;
  for (const std::string& name : fs.list_dir(directory)) {
    if (is_temporary_name(name) || is_journal_name(name) || is_recovery_name(name) ||
        is_parts_directory_name(name))
      names.push_back(name);
  }
  return names;
}

}  // namespace cairn

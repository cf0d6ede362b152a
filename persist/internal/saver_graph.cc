#include "persist/internal/saver_graph.h"

#include <algorithm>
#include <cstdio>
#include <random>
#include <set>
#include <unordered_set>

#include "ops/array.h"
#include "ops/catalog.h"
#include "ops/flow.h"
#include "persist/save_restore_ops.h"

namespace cairn {
namespace {

struct Saveable {
  std::string key, spec;
  Variable variable;
};

std::string key_of(const Variable& v) { return v.slice() ? v.slice()->full_name : v.name(); }

// Sorted by key, as every saver writes; slices of one variable stay in the order given, which is by offset.
std::vector<Saveable> saveables(Graph& graph, const SaverOptions& options) {
  std::vector<Saveable> all;
  const auto add = [&](const std::string& key, const Variable& v) {
    graph.check_owns(v.ref(), "Saver");
    all.push_back({key, v.slice() ? v.slice()->spec() : "", v});
  };
  if (const auto& named = options.var_list.named()) {
    for (const auto& [key, variable] : *named) {
      if (variable.slice() && variable.slice()->full_name != key) {
        fail(Code::kInvalidArgument, "variable '", variable.name(), "' is a slice of '", variable.slice()->full_name,
             "' and cannot be saved as '", key, "'");
      }
      add(key, variable);
    }
  } else {
    for (const Variable& v : options.var_list.list() ? *options.var_list.list() : graph.variables()) add(key_of(v), v);
  }
  std::stable_sort(all.begin(), all.end(), [](const Saveable& a, const Saveable& b) { return a.key < b.key; });
  std::set<const Node*> seen;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i > 0 && all[i].key == all[i - 1].key &&
        (all[i].spec.empty() || all[i - 1].spec.empty() || all[i].spec == all[i - 1].spec)) {
      fail(Code::kInvalidArgument, "At least two variables have the same name: ", all[i].key);
    }
    if (!seen.insert(&all[i].variable.ref().node()).second) {
      fail(Code::kInvalidArgument, "The same saveable will be restored with two names: ", all[i].key);
    }
  }
  return all;
}

class SaverNodes {
 public:
  SaverNodes(Graph& graph, const SaverOptions& options) : graph_(graph), options_(options) {}

  SaverDef add() {
    const std::vector<Saveable> all = saveables(graph_, options_);
    if (all.empty() && !options_.allow_empty) fail(Code::kInvalidArgument, "No variables to save");
    Scope scope = graph_.name_scope(options_.name);
    filename_ = constant(graph_, options_.filename.c_str());
    SaverDef def;
    def.filename_tensor_name = filename_.name();
    def.max_to_keep = options_.max_to_keep;
    def.keep_checkpoint_every_n_hours = static_cast<float>(options_.keep_checkpoint_every_n_hours);
    def.sharded = options_.sharded;
    def.version = options_.write_version;
    def.save_tensor_name = (!options_.sharded ? add_save(filename_, all)
                            : is_v1()         ? add_sharded_v1(all)
                                              : add_sharded(all))
                               .name();
    def.restore_op_name = (options_.sharded ? add_sharded_restore() : add_restore(all, "restore_all", "")).name();
    return def;
  }

 private:
  bool is_v1() const { return options_.write_version == CheckpointFormat::kV1; }

  // What is saved: the reference itself, but the value of a slice or of a resource.
  static Output saved_tensor(const Saveable& s) {
    return s.variable.slice() || s.variable.is_resource() ? s.variable.value() : s.variable.ref();
  }

  Output add_save(const Output& filename, const std::vector<Saveable>& part) {
    if (part.empty()) return identity(filename, {.name = "control_dependency"});
    std::vector<std::string> names, specs;
    std::vector<Output> tensors;
    for (const Saveable& s : part) {
      names.push_back(s.key);
      specs.push_back(s.spec);
      tensors.push_back(saved_tensor(s));
    }
    const Operation save =
        is_v1() ? save_v1(filename, names, specs, tensors) : save_v2(filename, names, specs, tensors);
    return with_dependencies({save}, filename);
  }

  Operation add_restore(const std::vector<Saveable>& part, const std::string& name, const std::string& device) {
    if (part.empty()) return no_op(graph_, {.name = name});
    std::vector<std::string> names, specs;
    std::vector<DType> dtypes;
    for (const Saveable& s : part) {
      names.push_back(s.key);
      specs.push_back(s.spec);
      dtypes.push_back(s.variable.dtype());
    }
    std::vector<Output> values;
    {
      Scope on = graph_.device(cpu_of(device));
      values = restore_v2(filename_, names, specs, dtypes);
    }
    std::vector<Operation> assigns;
    for (size_t i = 0; i < part.size(); ++i) assigns.push_back(add_assign(part[i].variable, values[i]));
    Scope on = graph_.device(device);
    return group(assigns, {.name = name});
  }

  Operation add_assign(const Variable& v, Output value) {
    Scope on = graph_.device(v.ref().node().device);
    const bool known = v.shape().is_fully_defined();
    if (options_.reshape) value = add_reshape(v, value);
    if (v.is_resource()) {
      value = identity(value);
      return add_operation(graph_, *compute_ops().find("AssignVariableOp"), {v.ref(), value}, {{"dtype", v.dtype()}});
    }
    Scope with = graph_.colocate_with(v.ref().op());
    return add_operation(graph_, *compute_ops().find("Assign"), {v.ref(), value},
                         {{"validate_shape", known && !options_.reshape}, {"use_locking", true}});
  }

  Output add_reshape(const Variable& v, const Output& value) {
    Scope inside = graph_.name_scope("Reshape");
    Output shape;
    if (v.shape().is_fully_defined()) {
      std::vector<int32_t> dims(v.shape().begin(), v.shape().end());
      shape = constant(graph_, Tensor::vector(dims), {.name = "shape"});
    } else {
      Scope outside = graph_.name_scope(inside.name().substr(0, inside.name().rfind("Reshape")));
      shape = add_node(*compute_ops().find("Shape"), {v.value()});
    }
    return add_node(*compute_ops().find("Reshape"), {value, shape}, {}, inside.name());
  }

  // A device of a host's processor beside `device`: file names and reads stand there.
  static std::string cpu_of(const std::string& device) {
    const size_t at = std::min(device.find("/device:"), std::min(device.find("/gpu:"), device.find("/cpu:")));
    return (at == std::string::npos ? device : device.substr(0, at)) + "/device:CPU:0";
  }

  void split_by_device(const std::vector<Saveable>& all) {
    for (const Saveable& s : all) {
      const std::string& device =
          s.variable.is_resource() ? s.variable.value().node().device : s.variable.ref().node().device;
      shards_[device].push_back(s);
    }
    if (shards_.empty()) shards_[""];
  }

  Output add_sharded_v1(const std::vector<Saveable>& all) {
    split_by_device(all);
    const Output count = constant(graph_, static_cast<int32_t>(shards_.size()), {.name = "num_shards"});
    std::vector<Operation> saved;
    int shard = 0;
    for (const auto& [device, part] : shards_) {
      Scope placed = graph_.device(device);
      saved.push_back(add_save(sharded_filename(filename_, shard++, count), part).op());
    }
    Scope after = graph_.control_dependencies(saved);
    return sharded_filespec(filename_, count);
  }

  Output add_sharded(const std::vector<Saveable>& all) {
    split_by_device(all);
    const Output temporary =
        constant(graph_, ("_temp_" + random_hex() + "/part").c_str(), {.name = "StringJoin/inputs_1"});
    const Output join = string_join({filename_, temporary});
    const Output count = constant(graph_, static_cast<int32_t>(shards_.size()), {.name = "num_shards"});
    std::vector<Output> filenames;
    std::vector<Operation> saved;
    std::string device;
    int shard = 0;
    for (const auto& [on, part] : shards_) {
      device = cpu_of(on);
      Scope placed = graph_.device(device);
      filenames.push_back(sharded_filename(join, shard++, count));
      saved.push_back(add_save(filenames.back(), part).op());
    }
    Operation merged;
    {
      Scope placed = graph_.device(device);
      Scope inside = graph_.name_scope("MergeV2Checkpoints");
      Scope after = graph_.control_dependencies(saved);
      const Output prefixes = add_node(*compute_ops().find("Pack"), filenames, {}, "checkpoint_prefixes");
      merged = merge_v2_checkpoints(prefixes, filename_, true, {.name = inside.name()});
    }
    Scope placed = graph_.device(device);
    saved.insert(saved.begin(), merged);
    Scope after = graph_.control_dependencies(saved);
    return identity(filename_);
  }

  Operation add_sharded_restore() {
    std::vector<Operation> shards;
    for (const auto& [device, part] : shards_) shards.push_back(add_restore(part, "restore_shard", device));
    return group(shards, {.name = "restore_all"});
  }

  static std::string random_hex() {
    std::random_device random;
    char text[33];
    std::snprintf(text, sizeof text, "%08x%08x%08x%08x", random(), random(), random(), random());
    return text;
  }

  Graph& graph_;
  const SaverOptions& options_;
  Output filename_;
  std::map<std::string, std::vector<Saveable>> shards_;  // by device, in order of name
};

// Follows a value back through the ops that only pass it on or reshape it.
Endpoint source_of(Endpoint e, bool& reshapes) {
  for (int steps = 0; steps < 8 && !e.node->inputs.empty(); ++steps) {
    if (e.node->op->name == "Reshape") {
      reshapes = true;
    } else if (e.node->op->name != "Identity") {
      break;
    }
    e = e.node->inputs[0];
  }
  return e;
}

bool reads_checkpoint(const Node& node) {
  const std::string_view op = node.op->name;
  return op == "RestoreV2" || op == "RestoreSlice" || op == "Restore";
}

// Input i as one string for each output, where the graph alone decides it; an input that the op lacks says nothing.
std::optional<std::vector<std::string>> constant_strings(const Graph& graph, const Node& node, size_t i) {
  const auto count = static_cast<size_t>(node.num_outputs());
  if (i >= node.inputs.size()) return std::vector<std::string>(count);
  const Tensor value = graph.static_value(graph.handle(node.inputs[i]));
  if (!value.valid() || value.dtype() != DType::kString || value.num_elements() != node.num_outputs())
    return std::nullopt;
  const auto strings = value.span<std::string>();
  return std::vector<std::string>(strings.begin(), strings.end());
}

}  // namespace

SaverDef add_saver_nodes(Graph& graph, const SaverOptions& options) { return SaverNodes(graph, options).add(); }

RestoreNodes find_restore_nodes(const Graph& graph, const Operation& restore_op) {
  RestoreNodes found;
  std::vector<const Node*> open = {&restore_op.node()};
  std::unordered_set<const Node*> seen(open.begin(), open.end());
  std::map<std::pair<const Node*, int>, RestoreItem> items;
  std::vector<const Node*> assigns;
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    if (node->op->name == "Assign" || node->op->name == "AssignVariableOp") assigns.push_back(node);
    if (reads_checkpoint(*node)) {
      const auto names = constant_strings(graph, *node, 1), specs = constant_strings(graph, *node, 2);
      const bool known = names && specs;
      if (!known) found.unknown = node;
      for (int i = 0; known && i < node->num_outputs(); ++i) {
        RestoreItem item;
        item.key = (*names)[static_cast<size_t>(i)];
        item.spec = (*specs)[static_cast<size_t>(i)];
        item.dtype = node->output_dtypes[static_cast<size_t>(i)];
        item.read = {node, i};
        items.emplace(std::pair{node, i}, item);
      }
    }
    const auto visit = [&](const Node* from) {
      if (seen.insert(from).second) open.push_back(from);
    };
    for (const Endpoint& e : node->inputs) visit(e.node);
    for (const Node* control : node->control_inputs) visit(control);
  }
  for (const Node* assign : assigns) {
    if (assign->inputs.size() != 2) continue;
    bool reshapes = false;
    const Endpoint from = source_of(assign->inputs[1], reshapes);
    const auto item = items.find({from.node, from.index});
    if (item == items.end()) continue;
    const Endpoint to = assign->inputs[0];
    item->second.variable = to.node;
    item->second.assigns.push_back(assign);
    item->second.reshapes = reshapes;
    const Attr* declared = to.node->attrs.find("shape");
    const Attr* validate = assign->attrs.find("validate_shape");
    if (validate && validate->get<bool>() && !*validate->get<bool>() && !reshapes) continue;
    if (is_ref(to.node->output_dtypes[static_cast<size_t>(to.index)])) {
      item->second.shape = to.node->output_shapes[static_cast<size_t>(to.index)];
    } else if (declared && declared->get<Shape>()) {
      item->second.shape = *declared->get<Shape>();
    }
  }
  for (auto& [where, item] : items) found.items.push_back(std::move(item));
  std::sort(found.items.begin(), found.items.end(),
            [](const RestoreItem& a, const RestoreItem& b) { return a.key < b.key; });
  return found;
}

}  // namespace cairn

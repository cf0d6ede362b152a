#include "persist/saver/saver_graph.h"

#include <algorithm>
#include <cstdio>
#include <random>
#include <tuple>
#include <unordered_set>

#include "ops/array/array.h"
#include "ops/catalog.h"
#include "ops/flow/flow.h"
#include "ops/state/state.h"
#include "persist/saver/save_restore_ops.h"
#include "persist/saver/saver_items.h"

namespace cairn {
namespace {

class SaverNodes {
 public:
  SaverNodes(Graph& graph, const SaverOptions& options, const SaverEra& era)
      : graph_(graph), options_(options), era_(era) {
    era_.reads_each |= options.restore_sequentially;
  }

  SaverDef add() {
    const std::vector<SaverItem> all = saver_items(graph_, options_.var_list);
    if (all.empty() && !options_.allow_empty) fail(Code::kInvalidArgument, "No variables to save");
    SaverDef def;
    def.max_to_keep = options_.max_to_keep;
    def.keep_checkpoint_every_n_hours = static_cast<float>(options_.keep_checkpoint_every_n_hours);
    def.sharded = options_.sharded;
    def.version = options_.write_version;
    if (all.empty()) return def;
    const Graph::Transaction whole(graph_);
    Scope scope = graph_.name_scope(options_.name);
    add_filename();
    def.filename_tensor_name = filename_.name();
    if (options_.sharded) split_by_device(all);
    def.save_tensor_name = (!options_.sharded ? add_save(filename_, all)
                            : is_v1()         ? add_sharded_v1()
                                              : add_sharded())
                               .name();
    def.restore_op_name =
        (options_.sharded ? add_sharded_restore() : add_restore(all, "restore_all", "")).name();
    return def;
  }

 private:
  bool is_v1() const { return options_.write_version == CheckpointFormat::kV1; }

  void add_filename() {
    if (!era_.filename_placeholder) {
      filename_ = constant(graph_, options_.filename.c_str());
      return;
    }
    {
      Scope inside = graph_.name_scope("filename");
      filename_ = constant(graph_, options_.filename.c_str(), {.name = "input"});
      filename_ = placeholder_with_default(filename_, {}, {.name = inside.name()});
    }
    filename_ = placeholder_with_default(filename_, {}, {.name = "Const"});
  }

  // The tensors to save for an item: the reference, or the value of a slice or resource. A slice of
  // a resource is read again, as in TensorFlow: next to the variable (or on `device` if it has
  // none), then copied to that host's CPU.
  std::vector<Output> saved_tensors(const SaverItem& item, const std::string& device) {
    if (item.saveable) {
      std::vector<Output> tensors;
      for (const SaveSpec& spec : item.saveable->specs) tensors.push_back(spec.tensor);
      return tensors;
    }
    const Variable& v = item.variable;
    if (!item.reads_anew()) return {v.slice() || v.is_resource() ? v.value() : v.ref()};
    const std::string& own = v.ref().node().device;
    Scope on = graph_.device(own.empty() ? device : own);
    Output value;
    {
      Scope inside = graph_.name_scope("Read");
      value = read_variable(v.ref());
    }
    value = identity(value);
    Scope at_processor = graph_.device(cpu_of(own));
    return {identity(value)};
  }

  struct Columns {
    std::vector<std::string> names, specs;
    std::vector<DType> dtypes;
  };
  static void append(Columns& columns, const SaverItem& item) {
    if (item.variable) {
      columns.names.push_back(item.key);
      columns.specs.push_back(item.spec);
      columns.dtypes.push_back(item.variable.dtype());
      return;
    }
    for (const SaveSpec& spec : item.saveable->specs) {
      columns.names.push_back(spec.name);
      columns.specs.push_back(spec.slice);
      columns.dtypes.push_back(base_dtype(spec.tensor.dtype()));
    }
  }

  Output add_save(const Output& filename, const std::vector<SaverItem>& part,
                  const std::string& device = "") {
    Columns columns;
    std::vector<Output> tensors;
    for (const SaverItem& item : part) {
      append(columns, item);
      for (const Output& tensor : saved_tensors(item, device)) tensors.push_back(tensor);
    }
    const Operation save = is_v1() ? save_v1(filename, columns.names, columns.specs, tensors)
                                   : save_v2(filename, columns.names, columns.specs, tensors);
    return with_dependencies({save}, filename);
  }

  Operation add_restore(const std::vector<SaverItem>& part, const std::string& name,
                        const std::string& device) {
    std::vector<Operation> restored;
    if (era_.reads_each) {
      for (const SaverItem& item : part)
        restored.push_back(read_and_restore(item, restored, device));
    } else {
      Columns columns;
      for (const SaverItem& item : part) append(columns, item);
      std::vector<Output> values;
      {
        Scope on = graph_.device(cpu_of(device));
        values = restore_v2(filename_, columns.names, columns.specs, columns.dtypes);
      }
      Scope on = graph_.device(device);
      auto next = values.begin();
      for (const SaverItem& item : part) {
        const auto end =
            next + static_cast<std::ptrdiff_t>(item.variable ? 1 : item.saveable->specs.size());
        restored.push_back(put_back(item, {next, end}, device));
        next = end;
      }
    }
    Scope on = graph_.device(device);
    return group(restored, {.name = name});
  }

  Operation read_and_restore(const SaverItem& item, const std::vector<Operation>& before,
                             const std::string& device) {
    const Node& node =
        item.variable ? item.variable.ref().node() : item.saveable->specs[0].tensor.node();
    const std::string on_device = node.device.empty() ? device : cpu_of(node.device);
    Scope on = graph_.device(on_device);
    Scope after = options_.restore_sequentially && !before.empty()
                      ? graph_.control_dependencies({before.back()})
                      : Scope();
    Columns columns;
    append(columns, item);
    std::vector<Output> values;
    for (size_t i = 0; i < columns.names.size(); ++i) {
      values.push_back(
          restore_v2(filename_, {columns.names[i]}, {columns.specs[i]}, {columns.dtypes[i]})[0]);
    }
    return put_back(item, values, on_device);
  }

  // Adds the operation that assigns the values read to the item; `device` is that of the nodes
  // around it.
  Operation put_back(const SaverItem& item, const std::vector<Output>& values,
                     const std::string& device) {
    if (item.saveable) {
      const Operation restored = item.saveable->restore(values);
      graph_.check_owns(restored,
                        str_cat("what Saveable '", item.saveable->name, "' restores with"));
      return restored;
    }
    const Variable& v = item.variable;
    const bool known = v.shape().is_fully_defined();
    Output value = options_.reshape ? add_reshape(v, values[0]) : values[0];
    const std::string& own = v.ref().node().device;
    if (v.is_resource()) {
      Scope on = graph_.device(own.empty() ? device : own);
      value = identity(value);
      return add_operation(graph_, *compute_ops().find("AssignVariableOp"), {v.ref(), value},
                           {{"dtype", v.dtype()}});
    }
    Scope on = graph_.device(own);
    Scope with = graph_.colocate_with(v.ref().op());
    return add_operation(graph_, *compute_ops().find("Assign"), {v.ref(), value},
                         {{"validate_shape", known && !options_.reshape}, {"use_locking", true}});
  }

  Output add_reshape(const Variable& v, const Output& value) {
    Output shape;
    if (!v.shape().is_fully_defined()) {
      shape = add_node(*compute_ops().find("Shape"), {v.is_resource() ? v.value() : v.ref()});
    }
    Scope inside = graph_.name_scope("Reshape");
    if (!shape) {
      std::vector<int32_t> dims(v.shape().begin(), v.shape().end());
      shape = constant(graph_, Tensor::vector(dims), {.name = "shape"});
    }
    return add_node(*compute_ops().find("Reshape"), {value, shape}, {}, inside.name());
  }

  // The device of a resource's slice is the one its value is read to; determining it adds nodes, in
  // TensorFlow too.
  void split_by_device(const std::vector<SaverItem>& all) {
    for (const SaverItem& item : all) {
      shards_[canonical_device(saved_tensors(item, "")[0].node().device)].push_back(item);
    }
  }

  Output add_sharded_v1() {
    const Output count =
        constant(graph_, static_cast<int32_t>(shards_.size()), {.name = "num_shards"});
    std::vector<Operation> saved;
    int shard = 0;
    for (const auto& [device, part] : shards_) {
      Scope placed = graph_.device(device);
      saved.push_back(add_save(sharded_filename(filename_, shard++, count), part, device).op());
    }
    Scope after = graph_.control_dependencies(saved);
    return sharded_filespec(filename_, count);
  }

  Output add_sharded() {
    const Output temporary = constant(graph_, ("_temp_" + random_hex() + "/part").c_str(),
                                      {.name = "StringJoin/inputs_1"});
    const Output join = string_join({filename_, temporary});
    const Output count =
        constant(graph_, static_cast<int32_t>(shards_.size()), {.name = "num_shards"});
    std::vector<Output> filenames;
    std::vector<Operation> saved;
    std::string device;
    int shard = 0;
    for (const auto& [on, part] : shards_) {
      device = era_.shards_anywhere ? on : cpu_of(on);
      Scope placed = graph_.device(device);
      filenames.push_back(sharded_filename(join, shard++, count));
      saved.push_back(add_save(filenames.back(), part, device).op());
    }
    Operation merged;
    Scope placed = graph_.device(device);
    {
      Scope inside = graph_.name_scope("MergeV2Checkpoints");
      Scope after = graph_.control_dependencies(saved);
      const Output prefixes =
          add_node(*compute_ops().find("Pack"), filenames, {}, "checkpoint_prefixes");
      merged = merge_v2_checkpoints(prefixes, filename_, true, {.name = inside.name()});
    }
    saved.insert(saved.begin(), merged);
    Scope after = graph_.control_dependencies(saved);
    return identity(filename_);
  }

  Operation add_sharded_restore() {
    std::vector<Operation> shards;
    for (const auto& [device, part] : shards_)
      shards.push_back(add_restore(part, "restore_shard", device));
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
  SaverEra era_;
  Output filename_;
  std::map<std::string, std::vector<SaverItem>> shards_;  // by device; items ordered by name
};

// Follows a value back through Identity and Reshape.
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

// Input i as one string for each output; nullopt if it is not constant. An input that the op does
// not have is read as empty strings.
std::optional<std::vector<std::string>> constant_strings(const Graph& graph, const Node& node,
                                                         size_t i) {
  const auto count = static_cast<size_t>(node.num_outputs());
  if (i >= node.inputs.size()) return std::vector<std::string>(count);
  const Tensor value = graph.static_value(graph.handle(node.inputs[i]));
  if (!value.valid() || value.dtype() != DType::kString ||
      value.num_elements() != node.num_outputs())
    return std::nullopt;
  const auto strings = value.span<std::string>();
  return std::vector<std::string>(strings.begin(), strings.end());
}

}  // namespace

SaverDef add_saver_nodes(Graph& graph, const SaverOptions& options, const SaverEra& era) {
  return SaverNodes(graph, options, era).add();
}

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
      const auto names = constant_strings(graph, *node, 1),
                 specs = constant_strings(graph, *node, 2);
      const bool known = names && specs;
      if (!known) found.unknown = node;
      for (int i = 0; known && i < node->num_outputs(); ++i) {
        RestoreItem item;
        item.key = item.variable_name = SharedString((*names)[static_cast<size_t>(i)]);
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
    if (!(item->second.key == to.node->name))
      item->second.variable_name = SharedString(to.node->name);
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
  std::sort(found.items.begin(), found.items.end(), [](const RestoreItem& a, const RestoreItem& b) {
    return std::tie(a.key.str(), a.read.node->id, a.read.index) <
           std::tie(b.key.str(), b.read.node->id, b.read.index);
  });
  return found;
}

}  // namespace cairn

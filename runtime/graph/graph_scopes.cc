// The scopes of a graph: opened by Graph, closed by their handles.
#include "runtime/graph/graph_scopes.h"

#include "runtime/base/text.h"
#include "runtime/graph/graph.h"

namespace cairn {

using internal::GraphScopes;

void GraphScopes::close(unsigned kinds, uint64_t id) noexcept {
  if (kinds & kName) names.close(id);
  if (kinds & kVariable) variables.close(id);
  if (kinds & kControl) controls.close(id);
  if (kinds & kColocation) colocations.close(id);
  if (kinds & kDevice) devices.close(id);
  if (kinds & kFlow) flows.close(id);
  if (kinds & kPlace) places.close(id);
}

void GraphScopes::close_after(uint64_t id) noexcept {
  names.close_after(id);
  variables.close_after(id);
  controls.close_after(id);
  colocations.close_after(id);
  devices.close_after(id);
  flows.close_after(id);
  places.close_after(id);
}

SourceLocation GraphScopes::place() const {
  SourceLocation outermost;
  places.for_each([&](const SourceLocation& at) {
    if (!outermost.known() || !at.known()) outermost = at;
  });
  return outermost;
}

std::vector<std::string> GraphScopes::colocation() const {
  std::vector<std::string> groups;
  colocations.for_each_in_force([&](const internal::Colocation& c) {
    groups.insert(groups.end(), c.groups.begin(), c.groups.end());
  });
  return groups;
}

// ---- Scope --------------------------------------------------------------------------------------

Scope& Scope::operator=(Scope&& other) noexcept {
  if (this == &other) return *this;
  close();
  name_ = std::move(other.name_);
  of_ = std::exchange(other.of_, nullptr);
  kinds_ = other.kinds_;
  id_ = other.id_;
  return *this;
}

void Scope::close() noexcept {
  if (const auto of = std::exchange(of_, nullptr)) of->close(kinds_, id_);
}

// ---- opening ------------------------------------------------------------------------------------

Scope Graph::opened(unsigned kinds, std::string name) {
  return Scope(std::move(name), data_.scopes, kinds, data_.scopes->last);
}

std::string Graph::current_scope() const { return std::string(data_.scopes->name()); }

std::string Graph::current_variable_scope() const {
  const auto* scope = data_.scopes->variables.innermost();
  return scope ? scope->name : "";
}

bool Graph::reusing_variables() const {
  bool reuses = false;
  data_.scopes->variables.for_each(
      [&](const internal::VariableScope& scope) { reuses |= scope.reuse; });
  return reuses;
}

SourceLocation Graph::current_location(SourceLocation at) const {
  const SourceLocation place = data_.scopes->place();
  return place.known() ? place : at;
}

std::shared_ptr<FlowContext> Graph::control_flow() const { return data_.scopes->flow(); }

bool Graph::has_control_dependencies() const {
  bool any = false;
  data_.scopes->controls.for_each_in_force(
      [&](const internal::ControlScope& scope) { any |= !scope.ops.empty(); });
  return any;
}

std::string Graph::entered_by(std::string_view name) {
  std::string entered(name);
  if (!entered.empty() && entered.back() == '/') {
    entered.pop_back();
  } else if (!entered.empty()) {
    if (!is_valid_node_name(data_.scopes->name().empty() ? entered : "x" + entered)) {
      fail(Code::kInvalidArgument, "'", printable(name), "' is not a valid name for a scope");
    }
    entered = unique_name(entered);
  }
  return entered;
}

Scope Graph::name_scope(std::string_view name) {
  std::string entered = entered_by(name);
  std::string full = entered.empty() ? "" : entered + "/";
  data_.scopes->names.open(++data_.scopes->last, std::move(entered));
  return opened(GraphScopes::kName, std::move(full));
}

Scope Graph::variable_scope(std::string_view name, bool reuse) {
  std::string entered = entered_by(name);
  const std::string outer = current_variable_scope();
  std::string full = outer.empty() ? std::string(name) : outer + "/" + std::string(name);
  const uint64_t id = ++data_.scopes->last;
  data_.scopes->names.open(id, std::move(entered));
  Scope handle = opened(GraphScopes::kName | GraphScopes::kVariable, full + "/");
  data_.scopes->variables.open(id, {std::move(full), reuse});
  return handle;
}

Scope Graph::wait_for(std::vector<const Node*> ops) {
  data_.scopes->controls.open(++data_.scopes->last,
                              {.sets_aside = ops.empty(),
                               .ops = std::move(ops),
                               .made_inside = std::make_shared<std::unordered_set<const Node*>>()});
  return opened(GraphScopes::kControl);
}

Scope Graph::control_dependencies(std::span<const Operation> ops) {
  std::vector<const Node*> nodes;
  for (const Operation& op : ops) {
    check_owns(op, "control_dependencies");
    nodes.push_back(&op.node());
  }
  return wait_for(std::move(nodes));
}

Scope Graph::control_dependencies(std::span<const Output> tensors) {
  std::vector<const Node*> nodes;
  for (const Output& tensor : tensors) {
    check_owns(tensor, "control_dependencies");
    nodes.push_back(&tensor.node());
  }
  return wait_for(std::move(nodes));
}

Scope Graph::control_dependencies(std::initializer_list<Dependency> all) {
  const std::vector<Operation> ops(all.begin(), all.end());
  return control_dependencies(std::span<const Operation>(ops));
}

Scope Graph::init_scope() {
  const uint64_t id = ++data_.scopes->last;
  data_.scopes->flows.open(id, nullptr);
  Scope handle = opened(GraphScopes::kFlow | GraphScopes::kControl);
  data_.scopes->controls.open(id, {.sets_aside = true, .ops = {}, .made_inside = {}});
  return handle;
}

Scope Graph::colocate_with(const Operation& op) {
  internal::Colocation colocation = {.sets_aside = !op, .groups = {}};
  if (op) {
    check_owns(op, "colocate_with");
    colocation.groups = colocation_groups(op.node());
  }
  data_.scopes->colocations.open(++data_.scopes->last, std::move(colocation));
  return opened(GraphScopes::kColocation);
}

Scope Graph::colocate_with_future(std::string_view node_name) {
  if (!data_.scopes->colocation().empty()) return {};
  data_.scopes->colocations.open(++data_.scopes->last,
                                 {.sets_aside = false, .groups = {str_cat("loc:@", node_name)}});
  return opened(GraphScopes::kColocation);
}

Scope Graph::device(std::string_view device) {
  data_.scopes->devices.open(++data_.scopes->last, std::string(device));
  return opened(GraphScopes::kDevice);
}

Scope Graph::control_flow(std::shared_ptr<FlowContext> context) {
  data_.scopes->flows.open(++data_.scopes->last, std::move(context));
  return opened(GraphScopes::kFlow);
}

Scope Graph::made_at(SourceLocation at) {
  data_.scopes->places.open(++data_.scopes->last, at);
  return opened(GraphScopes::kPlace);
}

}  // namespace cairn

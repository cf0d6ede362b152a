#include "persist/extras/warm_start.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "persist/files/quote.h"
#include "persist/saver/restore_fit.h"
#include "persist/saver/save_restore.h"

namespace cairn {

// ---- initialize_rest ----------------------------------------------------------------------------

namespace {

// All global and local variables, without duplicates.
std::vector<Variable> variables_of(const Graph& graph) {
  std::vector<Variable> variables;
  std::unordered_set<const Node*> seen;
  for (const char* key : {GraphKeys::kGlobalVariables, GraphKeys::kLocalVariables}) {
    for (const Variable& variable : graph.collection<Variable>(key)) {
      if (seen.insert(&variable.ref().node()).second) variables.push_back(variable);
    }
  }
  return variables;
}

// Groups the initializers into rounds, each of which depends only on variables of earlier rounds.
// Those in cycles come last, in one round.
class Rounds {
 public:
  explicit Rounds(const std::vector<Variable>& variables) {
    for (const Variable& variable : variables)
      waiting_.emplace(&variable.ref().node(), variable.initializer());
    while (!waiting_.empty()) {
      const size_t before = waiting_.size();
      add_round();
      if (waiting_.size() < before) continue;
      auto& last = rounds_.emplace_back();
      for (const auto& [node, initializer] : waiting_) last.emplace_back(initializer);
      waiting_.clear();
    }
  }

  const std::vector<std::vector<Target>>& all() const { return rounds_; }

 private:
  void add_round() {
    std::vector<Target> ready;
    std::vector<const Node*> done;
    for (const auto& [node, initializer] : waiting_) {
      if (needs_others(&initializer.node(), node)) continue;
      ready.emplace_back(initializer);
      done.push_back(node);
    }
    for (const Node* node : done) waiting_.erase(node);
    if (!ready.empty()) rounds_.push_back(std::move(ready));
  }

  bool needs_others(const Node* initializer, const Node* own) const {
    std::vector<const Node*> open = {initializer};
    std::unordered_set<const Node*> seen(open.begin(), open.end());
    while (!open.empty()) {
      const Node* node = open.back();
      open.pop_back();
      if (node != own && waiting_.count(node) > 0) return true;
      const auto visit = [&](const Node* from) {
        if (seen.insert(from).second) open.push_back(from);
      };
      for (const Endpoint& e : node->inputs) visit(e.node);
      for (const Node* control : node->control_inputs) visit(control);
    }
    return false;
  }

  struct ById {
    bool operator()(const Node* a, const Node* b) const { return a->id < b->id; }
  };
  std::map<const Node*, Operation, ById> waiting_;
  std::vector<std::vector<Target>> rounds_;
};

}  // namespace

std::vector<std::string> initialize_rest(Session& session) {
  std::vector<Variable> rest;
  std::vector<std::string> names;
  for (const Variable& variable : variables_of(session.graph())) {
    if (session.is_initialized(variable)) continue;
    rest.push_back(variable);
    names.push_back(variable.name());
  }
  if (rest.empty()) return names;
  const Rounds rounds(rest);
  for (const auto& round : rounds.all()) session.run_or_undo(round);
  return names;
}

// ---- init_from_checkpoint -----------------------------------------------------------------------

namespace {

bool is_scope(const std::string& name) { return name.ends_with('/'); }

// The name of a variable in a checkpoint: for a slice that of the whole variable.
const std::string& stored_name(const Variable& variable) {
  return variable.slice() ? variable.slice()->full_name : variable.name();
}

class AssignmentMap {
 public:
  AssignmentMap(Session& session, const Assignments& assignments)
      : all_(variables_of(session.graph())) {
    for (const Variable& variable : all_) by_name_[stored_name(variable)].push_back(variable);
    for (const Variable& variable : all_)
      by_name_.try_emplace(variable.name(), std::vector<Variable>{variable});
    for (const auto& [from, to] : assignments) add(session.graph(), from, to);
    if (!wrong_.empty())
      fail(missing_only_ ? Code::kNotFound : Code::kInvalidArgument,
           "init_from_checkpoint: no variable was changed:", wrong_);
  }

  const std::vector<RestoreItem>& items() const { return items_; }
  const std::vector<Variable>& variables() const { return variables_; }  // one for each of items()

 private:
  void refuse(Code code, const std::string& why) {
    wrong_ += "\n  " + why;
    missing_only_ &= code == Code::kNotFound;
  }

  void add(Graph& graph, const std::string& from, const AssignmentTarget& to) {
    if (from.empty())
      return refuse(Code::kInvalidArgument, "an assignment names no tensor of the checkpoint");
    if (!to.variables().empty()) {
      for (const Variable& variable : to.variables()) {
        graph.check_owns(variable.ref(), "init_from_checkpoint");
        add_item(from, variable);
      }
      return;
    }
    const auto known = by_name_.find(to.name());
    if (known != by_name_.end()) {
      for (const Variable& variable : known->second) add_item(from, variable);
    } else if (is_scope(to.name())) {
      add_scope(from, to.name());
    } else {
      std::vector<std::string> names;
      for (const auto& [name, variables] : by_name_) names.push_back(name);
      refuse(Code::kNotFound,
             str_cat(quote(to.name()),
                     " is no variable of the graph, and no scope, which would end in a slash",
                     names_instead_of(to.name(), names)));
    }
  }

  void add_scope(const std::string& from, const std::string& to) {
    if (!is_scope(from)) {
      return refuse(Code::kInvalidArgument,
                    str_cat("the scope ", quote(to), " cannot be set from the one tensor ",
                            quote(from), "; from a scope it is ", quote(from + "/")));
    }
    const std::string before = from == "/" ? "" : from, inside = to == "/" ? "" : to;
    bool any = false;
    for (const Variable& variable : all_) {
      const std::string& name = stored_name(variable);
      if (!name.starts_with(inside) || name.size() == inside.size()) continue;
      add_item(before + name.substr(inside.size()), variable);
      any = true;
    }
    if (!any)
      refuse(Code::kNotFound, str_cat("the graph has no variables in the scope ", quote(to)));
  }

  void add_item(const std::string& key, const Variable& variable) {
    if (is_scope(key)) {
      return refuse(Code::kInvalidArgument,
                    str_cat("the variable ", quote(variable.name()),
                            " cannot be set from the scope ", quote(key), "; name a tensor"));
    }
    const auto [first, is_new] = sources_.emplace(&variable.ref().node(), key);
    if (!is_new) {
      if (first->second == key) return;
      return refuse(Code::kInvalidArgument,
                    str_cat("the variable ", quote(variable.name()), " would be set from ",
                            quote(first->second), " and from ", quote(key)));
    }
    RestoreItem item;
    item.key = SharedString(key);
    item.spec = variable.slice() ? variable.slice()->spec() : "";
    item.dtype = variable.dtype();
    item.variable = &variable.ref().node();
    item.variable_name = SharedString(item.variable->name);
    item.shape = variable.shape();
    items_.push_back(std::move(item));
    variables_.push_back(variable);
  }

  std::vector<Variable> all_;
  std::map<std::string, std::vector<Variable>> by_name_;
  std::unordered_map<const Node*, std::string> sources_;
  std::vector<RestoreItem> items_;
  std::vector<Variable> variables_;
  std::string wrong_;
  bool missing_only_ = true;
};

}  // namespace

RestoreReport init_from_checkpoint(Session& session, const std::string& path,
                                   const Assignments& assignments, const RestoreOptions& options) {
  const AssignmentMap map(session, assignments);
  const CheckpointReader reader(path, &files_of(session));
  RestoreFit fit = fit_to_checkpoint(reader, map.items(), options);
  require_fit(fit.report, options);
  std::vector<std::pair<Variable, Tensor>> values;
  for (size_t i = 0; i < fit.restored.size(); ++i) {
    const auto place = static_cast<size_t>(fit.restored[i] - map.items().data());
    values.emplace_back(map.variables()[place],
                        read_item(reader, *fit.restored[i], fit.report.restored[i].stored));
  }
  session.set_values(values);
  fit.report.uninitialized = session.uninitialized_variables();
  return std::move(fit.report);
}

}  // namespace cairn

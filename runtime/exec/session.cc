#include "runtime/exec/session.h"

#include <algorithm>
#include <any>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <shared_mutex>
#include <typeindex>
#include <unordered_map>

#include "runtime/exec/executor.h"
#include "runtime/exec/plan.h"
#include "runtime/exec/thread_pool.h"

namespace cairn {

namespace internal {

// A plan and the frames of it that no run uses at present.
struct CachedPlan {
  std::shared_ptr<const PreparedPlan> prepared;
  std::mutex mutex;
  std::vector<std::unique_ptr<Frame>> free_frames;
};

struct SessionState {
  const GraphAnchor* graph = nullptr;
  uint64_t epoch = 0;
  std::atomic<bool> closed = false;  // the Session was destroyed
  int threads = 1;

  std::mutex plans_mutex;
  std::unordered_map<PlanKey, std::shared_ptr<CachedPlan>, PlanKeyHash> plans;

  // Guards the maps below, not their elements. Recursive: the function that makes the state of a
  // node may call fresh_seed().
  std::recursive_mutex resources_mutex;
  std::map<std::string, std::unique_ptr<VariableState>> variables;
  std::map<std::pair<const Node*, std::type_index>, std::any> node_states;
  std::mt19937_64 random;

  // Guards the values of variables: locked exclusively by runs that write any, shared by runs that
  // only read.
  std::shared_mutex values_mutex;

  // See Session::hold_graph().
  [[nodiscard]] std::shared_lock<std::shared_mutex> hold_graph() const;
  void execute(Frame& frame, bool undo = false);
  VariableState& variable(const Node& node);
  // The end of a message about uninitialized variables. The caller holds values_mutex.
  std::string cure_for_uninitialized();
  std::shared_ptr<const PreparedPlan> prepare(Session* session, const Graph& graph,
                                              const PlanKey& key);
  std::shared_ptr<CachedPlan> plan_for(Session* session, const Graph& graph, const PlanKey& key);
};

VariableState& SessionState::variable(const Node& node) {
  const AttrReader attrs(node);
  const auto text = [&](const char* name) {
    const Attr* attr = attrs.find(name);
    const std::string* value = attr ? attr->get<std::string>() : nullptr;
    return value ? *value : std::string();
  };
  const std::string name = text("shared_name").empty() ? node.name : text("shared_name");
  std::lock_guard lock(resources_mutex);
  // A reference and a resource of one name are two variables.
  auto& state = variables[str_cat(text("container"), "|",
                                  node.output_dtypes[0] == DType::kResource ? "r|" : "v|", name)];
  const Attr* attr = attrs.find("dtype");
  const DType dtype =
      attr && attr->get<DType>() ? *attr->get<DType>() : base_dtype(node.output_dtypes[0]);
  if (!state) {
    state = std::make_unique<VariableState>();
    state->name = name;
    state->dtype = dtype;
    const Attr* shape = attrs.find("shape");
    state->shape = is_ref(node.output_dtypes[0])  ? node.output_shapes[0]
                   : shape && shape->get<Shape>() ? *shape->get<Shape>()
                                                  : Shape::unknown();
  }
  if (state->dtype != dtype) {
    fail_at(
        node, Code::kInvalidArgument,
        str_cat("the variable '", name, "' is ", state->dtype, " elsewhere, and ", dtype, " here"));
  }
  return *state;
}

// If some variables have values, initializing all would overwrite them.
std::string SessionState::cure_for_uninitialized() {
  const std::lock_guard lock(resources_mutex);
  const bool some = std::any_of(variables.begin(), variables.end(),
                                [](const auto& known) { return known.second->initialized(); });
  return some
             ? "; other variables have values: initialize_rest(session) gives those without one "
               "their initial values (global_variables_initializer would reset all)"
             : "; run the initializer (global_variables_initializer) or restore a checkpoint first";
}

std::shared_ptr<const PreparedPlan> SessionState::prepare(Session* session, const Graph& graph,
                                                          const PlanKey& key) {
  auto prepared = std::make_shared<PreparedPlan>();
  prepared->plan = make_plan(key, &graph);
  // If a constant is fed, static values that depend on it do not hold in this plan.
  const bool own_values = std::none_of(
      key.feeds.begin(), key.feeds.end(),
      [&](const Endpoint& feed) { return graph.static_value(graph.handle(feed)).valid(); });
  const auto state_of = [&](const Node* node) { return node ? &variable(*node) : nullptr; };
  for (const Step& step : prepared->plan.steps) {
    prepared->kernels.push_back(
        make_kernel(KernelSetup(graph, *step.node, session, own_values, step.absorbed)));
    auto& states = prepared->variables.emplace_back();
    for (const Node* node : step.variables) states.push_back(state_of(node));
  }
  for (const Node* node : prepared->plan.reads) prepared->reads.push_back(state_of(node));
  for (const Node* node : prepared->plan.writes) prepared->writes.push_back(state_of(node));
  for (const Plan::Fetch& fetch : prepared->plan.fetches)
    prepared->fetched.push_back(state_of(fetch.variable));
  return prepared;
}

std::shared_ptr<CachedPlan> SessionState::plan_for(Session* session, const Graph& graph,
                                                   const PlanKey& key) {
  std::lock_guard lock(plans_mutex);
  std::shared_ptr<CachedPlan>& cached = plans[key];
  if (!cached) {
    try {
      auto made = std::make_shared<CachedPlan>();
      made->prepared = prepare(session, graph, key);
      cached = std::move(made);
    } catch (...) {
      plans.erase(key);
      throw;
    }
  }
  return cached;
}

}  // namespace internal

using internal::CachedPlan;
using internal::Frame;
using internal::PlanKey;

// ---- state of kernels in a session --------------------------------------------------------------

std::any KernelSetup::state_of(std::type_index kind, const std::function<std::any()>& make) const {
  if (!session_) fail("it keeps state in a session and cannot be computed while a graph is built");
  std::lock_guard lock(session_->state_->resources_mutex);
  auto& states = session_->state_->node_states;
  const auto known = states.find({&node_, kind});
  return known != states.end() ? known->second
                               : states.emplace(std::pair(&node_, kind), make()).first->second;
}

uint64_t KernelSetup::fresh_seed() const {
  if (!session_) fail("it draws random numbers and cannot be computed while a graph is built");
  std::lock_guard lock(session_->state_->resources_mutex);
  return session_->state_->random();
}

// ---- Session ------------------------------------------------------------------------------------

Session::Session(Graph& graph, const SessionOptions& options)
    : options_(options), state_(std::make_shared<internal::SessionState>()) {
  if (options.threads < 0)
    fail(Code::kInvalidArgument, "SessionOptions.threads is ", options.threads,
         "; 0 or more is needed");
  state_->graph = graph.anchor();
  state_->epoch = graph.epoch();
  state_->threads = options.threads > 0 ? options.threads : internal::default_threads();
  std::random_device device;
  state_->random.seed(options.seed != 0 ? options.seed : (uint64_t{device()} << 32 | device()));
}

Session::~Session() {
  state_->closed = true;
  // Calls may still hold the state: release the memory of the model.
  const std::lock_guard lock(state_->resources_mutex);
  for (const auto& [key, variable] : state_->variables) variable->value = {};
}

std::shared_lock<std::shared_mutex> internal::SessionState::hold_graph() const {
  std::shared_lock lock(graph->runs_mutex);
  if (graph->epoch != epoch) graph->refuse(epoch, "a Session");
  return lock;
}

std::shared_lock<std::shared_mutex> Session::hold_graph() const { return state_->hold_graph(); }

Graph& Session::graph() const {
  if (state_->graph->is_gone(state_->epoch)) state_->graph->refuse(state_->epoch, "a Session");
  return *state_->graph->graph;
}

Endpoint Session::resolve(const Target& target, std::string_view what) const {
  if (!target.name_.empty()) {
    const bool is_tensor = target.name_.find(':') != std::string::npos;
    const Endpoint e = is_tensor ? graph().find(target.name_).endpoint()
                                 : Endpoint{&graph().find_op(target.name_).node(), -1};
    graph().check_complete(*e.node, what);
    return e;
  }
  if (target.op_) {
    graph().check_owns(target.op_, what);
    graph().check_complete(target.op_.node(), what);
    return {&target.op_.node(), -1};
  }
  const Output& output = target.variable_ && target.variable_.is_resource()
                             ? target.variable_.value()
                             : target.output_;
  graph().check_owns(output, what);
  graph().check_complete(output.node(), what);
  return output.endpoint();
}

Endpoint Session::resolve_tensor(const Target& target, std::string_view what) const {
  const Endpoint e = resolve(target, what);
  if (e.index < 0) {
    fail(Code::kInvalidArgument, what, ": '", e.node->name,
         "' is an operation, not a tensor; its first tensor is '", e.node->name, ":0'");
  }
  return e;
}

void internal::SessionState::execute(Frame& frame, bool undo) {
  const PreparedPlan& prepared = frame.prepared();
  std::shared_lock readers(values_mutex, std::defer_lock);
  std::unique_lock writer(values_mutex, std::defer_lock);
  if (prepared.plan.writes_variables) {
    writer.lock();
  } else if (prepared.plan.uses_variables) {
    readers.lock();
  }
  std::vector<std::string> missing;
  for (const VariableState* variable : prepared.reads) {
    if (!variable->initialized()) missing.push_back("'" + variable->name + "'");
  }
  if (!missing.empty()) {
    frame.drop_feeds();
    fail(Code::kFailedPrecondition, "uninitialized ",
         missing.size() == 1 ? "variable: " : "variables: ",
         join_for_people(missing, missing.size()), cure_for_uninitialized());
  }
  if (!undo && !prepared.plan.undoes) return frame.run();
  // Copy on write: the old values are not copied, but variables that the run writes get new memory.
  std::vector<Tensor> before;
  before.reserve(prepared.writes.size());
  for (const VariableState* variable : prepared.writes) before.push_back(variable->value);
  try {
    frame.run();
  } catch (...) {
    for (size_t i = 0; i < before.size(); ++i) prepared.writes[i]->value = std::move(before[i]);
    throw;
  }
}

Tensor Session::run(const Target& fetch, const Feeds& feeds) {
  return std::move(run_all({fetch}, feeds)[0]);
}

namespace {

void check_fed_once(const std::vector<Endpoint>& feeds) {
  const auto refuse = [](const Endpoint& e) {
    fail(Code::kInvalidArgument, "'", endpoint_name(*e.node, e.index, true), "' is fed twice");
  };
  constexpr size_t kFew = 16;
  if (feeds.size() <= kFew) {  // as in a training step: allocates nothing
    for (size_t i = 0; i < feeds.size(); ++i) {
      if (std::count(feeds.begin(), feeds.begin() + static_cast<std::ptrdiff_t>(i), feeds[i]) > 0)
        refuse(feeds[i]);
    }
    return;
  }
  std::set<std::pair<const Node*, int>> seen;
  for (const Endpoint& e : feeds) {
    if (!seen.emplace(e.node, e.index).second) refuse(e);
  }
}

}  // namespace

namespace {

void feed(Frame& frame, size_t i, const Endpoint& where, const FeedValue& value) {
  const DType wanted = base_dtype(where.node->output_dtypes[static_cast<size_t>(where.index)]);
  if (value.is(wanted)) return frame.feed(i, where, value.tensor());
  std::string why;
  const std::optional<Tensor> converted = value.as(wanted, why);
  if (converted) return frame.feed(i, where, *converted);
  throw Error(Code::kInvalidArgument,
              str_cat("feed for '", endpoint_name(*where.node, where.index, true), "', ",
                      where.node->str(), ": ", why),
              where.node->name);
}

}  // namespace

std::vector<Tensor> Session::run_all(const std::vector<Target>& fetches, const Feeds& feeds,
                                     const std::vector<Target>& targets) {
  const auto held = hold_graph();
  PlanKey key;
  for (const Target& fetch : fetches) key.fetches.push_back(resolve(fetch, "run"));
  for (const Target& target : targets) key.targets.push_back(resolve(target, "run").node);
  for (const Feed& feed : feeds) key.feeds.push_back(resolve_tensor(feed.target, "feed"));
  check_fed_once(key.feeds);
  std::shared_ptr<CachedPlan> cached;
  std::unique_ptr<Frame> frame = frame_for(key, cached);
  std::vector<Tensor> results;
  for (size_t i = 0; i < feeds.size(); ++i) feed(*frame, i, key.feeds[i], feeds[i].value);
  state_->execute(*frame);
  frame->collect(results);
  std::lock_guard lock(cached->mutex);
  cached->free_frames.push_back(std::move(frame));
  return results;
}

void Session::run_or_undo(const std::vector<Target>& targets, Feeds feeds, RunState shared) {
  const auto held = hold_graph();
  PlanKey key;
  for (const Target& target : targets) key.targets.push_back(resolve(target, "run_or_undo").node);
  for (const Feed& feed : feeds) key.feeds.push_back(resolve_tensor(feed.target, "feed"));
  check_fed_once(key.feeds);
  std::shared_ptr<CachedPlan> cached;
  std::unique_ptr<Frame> frame = frame_for(key, cached);
  for (size_t i = 0; i < feeds.size(); ++i) {
    feed(*frame, i, key.feeds[i], feeds[i].value);
    feeds[i].value = Tensor();  // donated: a variable may take over the memory
  }
  frame->share(std::move(shared));
  state_->execute(*frame, true);
  std::vector<Tensor> none;
  frame->collect(none);
  std::lock_guard lock(cached->mutex);
  cached->free_frames.push_back(std::move(frame));
}

std::unique_ptr<Frame> Session::frame_for(const PlanKey& key, std::shared_ptr<CachedPlan>& plan) {
  plan = state_->plan_for(this, graph(), key);
  {
    std::lock_guard lock(plan->mutex);
    if (!plan->free_frames.empty()) {
      std::unique_ptr<Frame> frame = std::move(plan->free_frames.back());
      plan->free_frames.pop_back();
      return frame;
    }
  }
  return std::make_unique<Frame>(plan->prepared, state_->threads, options_.file_system);
}

Call Session::prepare(const std::vector<Target>& fetches, const std::vector<Target>& feeds,
                      const std::vector<Target>& targets) {
  const auto held = hold_graph();
  PlanKey key;
  for (const Target& fetch : fetches) key.fetches.push_back(resolve(fetch, "prepare"));
  for (const Target& target : targets) key.targets.push_back(resolve(target, "prepare").node);
  for (const Target& feed : feeds) key.feeds.push_back(resolve_tensor(feed, "prepare"));
  check_fed_once(key.feeds);
  const std::shared_ptr<CachedPlan> cached = state_->plan_for(this, graph(), key);
  Call call;
  call.state_ = state_;
  call.feeds_ = key.feeds;
  call.frame_ = std::make_shared<Frame>(cached->prepared, state_->threads, options_.file_system);
  return call;
}

std::span<const Tensor> Call::operator()(std::span<const Tensor> feeds) {
  if (!frame_)
    fail(Code::kFailedPrecondition, "an empty Call was called; Session::prepare makes one");
  const auto held = state_->hold_graph();
  if (state_->closed) {
    fail(Code::kFailedPrecondition,
         "the session of a Call is gone: the Session was destroyed before the Call was used; keep "
         "it as long as its calls");
  }
  if (feeds.size() != feeds_.size()) {
    fail(Code::kInvalidArgument, "this call takes ", feeds_.size(), " values to feed, got ",
         feeds.size());
  }
  // Before the results are recycled: a feed may be one of them.
  try {
    for (size_t i = 0; i < feeds.size(); ++i) frame_->feed(i, feeds_[i], feeds[i]);
  } catch (...) {
    frame_->drop_feeds();
    throw;
  }
  frame_->recycle(results_);
  state_->execute(*frame_);
  frame_->collect(results_);
  return results_;
}

int64_t Call::allocations() const { return frame_ ? frame_->arena().allocations() : 0; }
int64_t Call::allocated_bytes() const { return frame_ ? frame_->arena().bytes() : 0; }

size_t Session::num_plans() const {
  std::lock_guard lock(state_->plans_mutex);
  return state_->plans.size();
}

// ---- values -------------------------------------------------------------------------------------

Tensor Session::value(const Variable& variable) {
  const auto held = hold_graph();
  graph().check_owns(variable.ref(), "value");
  VariableState& state = state_->variable(variable.ref().node());
  std::shared_lock lock(state_->values_mutex);
  if (!state.initialized())
    fail(Code::kFailedPrecondition, "uninitialized variable: '", state.name, "'",
         state_->cure_for_uninitialized());
  return state.value.clone();
}

bool Session::is_initialized(const Variable& variable) {
  const auto held = hold_graph();
  return has_value(variable);
}

bool Session::has_value(const Variable& variable) const {
  graph().check_owns(variable.ref(), "is_initialized");
  VariableState& state = state_->variable(variable.ref().node());
  std::shared_lock lock(state_->values_mutex);
  return state.initialized();
}

void Session::set_value(const Variable& variable, const Tensor& value) {
  set_values({{variable, value}});
}

void Session::set_values(const std::vector<std::pair<Variable, Tensor>>& values) {
  const auto held = hold_graph();
  std::vector<std::string> wrong;
  for (const auto& [variable, value] : values) {
    graph().check_owns(variable.ref(), "set_values");
    if (value.dtype() != variable.dtype() || !variable.shape().is_compatible_with(value.shape())) {
      wrong.push_back(str_cat("'", variable.name(), "' is ", variable.dtype(), " ",
                              variable.shape(), ", the value ", value.dtype(), " ", value.shape()));
    }
  }
  if (!wrong.empty()) fail(Code::kInvalidArgument, "no variable was set: ", join_for_people(wrong));
  std::vector<VariableState*> states;
  for (const auto& [variable, value] : values)
    states.push_back(&state_->variable(variable.ref().node()));
  std::vector<Tensor> copies;
  for (const auto& [variable, value] : values) copies.push_back(value.clone());
  std::unique_lock lock(state_->values_mutex);
  for (size_t i = 0; i < states.size(); ++i) states[i]->value = std::move(copies[i]);
}

SessionSnapshot Session::snapshot() {
  const auto held = hold_graph();
  SessionSnapshot snapshot;
  std::shared_lock values(state_->values_mutex);
  std::lock_guard lock(state_->resources_mutex);
  for (const auto& [key, state] : state_->variables) snapshot.variables_.emplace(key, *state);
  return snapshot;
}

void Session::load(const SessionSnapshot& snapshot) {
  const auto held = hold_graph();
  std::unique_lock values(state_->values_mutex);
  std::lock_guard lock(state_->resources_mutex);
  for (const auto& [key, state] : state_->variables) {
    if (!snapshot.variables_.count(key)) state->value = {};
  }
  for (const auto& [key, then] : snapshot.variables_) {
    auto& state = state_->variables[key];
    if (!state) state = std::make_unique<VariableState>();
    *state = then;  // keeps its address: plans point at it
  }
}

std::vector<std::string> Session::uninitialized_variables() {
  const auto held = hold_graph();
  std::vector<std::string> names;
  for (const char* key : {GraphKeys::kGlobalVariables, GraphKeys::kLocalVariables}) {
    for (const Variable& variable : graph().collection<Variable>(key)) {
      if (!has_value(variable)) names.push_back(variable.name());
    }
  }
  return names;
}

}  // namespace cairn

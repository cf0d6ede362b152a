#include "runtime/exec/executor.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "runtime/graph/signature.h"

namespace cairn::internal {

Frame::Frame(std::shared_ptr<const PreparedPlan> plan, int threads, FileSystem* file_system)
    : plan_(std::move(plan)) {
  const Plan& p = plan_->plan;
  slots_.resize(static_cast<size_t>(p.num_slots));
  fetched_.resize(p.fetches.size());
  dead_ = std::make_unique<bool[]>(slots_.size() + 1);
  dead_steps_ = std::make_unique<bool[]>(p.steps.size() + 1);
  for (const VariableState* fetched : plan_->fetched) variable_fetches_ += fetched != nullptr;
  size_t num_inputs = 0, num_outputs = 0;
  for (const Step& step : p.steps) {
    num_inputs += step.inputs.size();
    num_outputs += static_cast<size_t>(step.node->num_outputs());
  }
  inputs_.reserve(num_inputs);
  variables_.reserve(num_inputs);
  dead_inputs_.reserve(num_inputs);
  outputs_.reserve(num_outputs);
  dead_outputs_.reserve(num_outputs);
  may_reuse_ = std::make_unique<bool[]>(num_inputs + 1);
  contexts_.resize(p.steps.size());
  for (size_t i = 0; i < p.steps.size(); ++i) {
    const Step& step = p.steps[i];
    KernelContext& c = contexts_[i];
    const size_t first = inputs_.size(), first_output = outputs_.size();
    for (size_t k = 0; k < step.inputs.size(); ++k) {
      VariableState* variable = plan_->variables[i][k];
      const int slot = step.inputs[k];
      may_reuse_[inputs_.size()] = step.may_reuse[k];
      inputs_.push_back(slot < 0 ? &variable->value : &slots_[static_cast<size_t>(slot)]);
      dead_inputs_.push_back(&dead_[static_cast<size_t>(step.sources[k])]);
      variables_.push_back(variable);
    }
    for (int k = 0; k < step.node->num_outputs(); ++k) {
      outputs_.push_back(&slots_[static_cast<size_t>(step.first_output + k)]);
      dead_outputs_.push_back(&dead_[static_cast<size_t>(step.first_output + k)]);
    }
    c.node_ = step.node;
    c.inputs_ = inputs_.data() + first;
    c.variables_ = variables_.data() + first;
    c.dead_inputs_ = dead_inputs_.data() + first;
    c.may_reuse_ = may_reuse_.get() + first;
    c.outputs_ = outputs_.data() + first_output;
    c.dead_outputs_ = dead_outputs_.data() + first_output;
    c.num_inputs_ = static_cast<int>(step.inputs.size());
    c.num_outputs_ = step.node->num_outputs();
    c.arena_ = &arena_;
    c.threads_ = threads;
    c.file_system_ = file_system;
    c.run_state_ = &run_state_;
    c.kernel_ = &plan_->kernels[i];
    if (step.fused_input >= 0) {
      c.taken_ = step.fused_input;
      contexts_[i - 1].follower_ = &c;
    }
    if (!step.idle && !step.constant) schedule_.push_back({i, step.derived || step.reads_shapes});
  }
  last_shapes_.resize(p.steps.size());
  bound_.assign(slots_.size(), false);
  if (!p.has_switch && variable_fetches_ == 0) places_.resize(slots_.size());
  list_releases();
  run_constants();
}

void Frame::list_releases() {
  releases_.clear();
  release_end_.assign(1, 0);
  for (const Step& step : plan_->plan.steps) {
    for (int slot : step.releases) {
      if (!bound_[static_cast<size_t>(slot)])
        releases_.push_back(&slots_[static_cast<size_t>(slot)]);
    }
    release_end_.push_back(releases_.size());
  }
}

void Frame::run_constants() {
  for (size_t i = 0; i < contexts_.size(); ++i) {
    if (plan_->plan.steps[i].constant) run_step(i);
  }
}

void Frame::feed(size_t i, const Endpoint& where, const Tensor& value) {
  const DType dtype = base_dtype(where.node->output_dtypes[static_cast<size_t>(where.index)]);
  const Shape& shape = where.node->output_shapes[static_cast<size_t>(where.index)];
  if ((value.dtype() != dtype && dtype != DType::kInvalid) ||
      !shape.is_compatible_with(value.shape())) {
    throw Error(Code::kInvalidArgument,
                str_cat("feed for '", endpoint_name(*where.node, where.index, true), "', ",
                        where.node->str(), ": expected ", dtype, " ", shape, ", got ",
                        value.valid() ? str_cat(value.dtype(), " ", value.shape())
                                      : std::string("no tensor"),
                        value.dtype() == DType::kDouble && dtype == DType::kFloat
                            ? "; 0.1 is a double, 0.1f a float"
                            : ""),
                where.node->name);
  }
  const int slot = plan_->plan.feed_slots[i];
  if (dtype == DType::kInvalid) check_readers(slot, where, value);
  slots_[static_cast<size_t>(slot)] = value;
}

// The output of an op that this build does not have may have no dtype; the nodes that read it
// define which dtype can be fed.
void Frame::check_readers(int slot, const Endpoint& where, const Tensor& value) const {
  for (const Step& step : plan_->plan.steps) {
    for (size_t k = 0; k < step.sources.size(); ++k) {
      if (step.sources[k] != slot || k >= step.node->inputs.size()) continue;
      const DType expected = base_dtype(expected_dtype(*step.node, k));
      if (value.valid() && value.dtype() == expected) continue;
      throw Error(Code::kInvalidArgument,
                  str_cat("feed for '", endpoint_name(*where.node, where.index, true),
                          "': ", step.node->str(), " reads it and expects ", expected, ", got ",
                          value.valid() ? dtype_name(value.dtype()) : std::string("no tensor")),
                  where.node->name);
    }
  }
}

Kernel make_kernel(const KernelSetup& setup) {
  check_attrs(setup.node());
  return setup.node().op->def->prepare(setup);
}

// True if shape-only step i must run again: an input shape changed, or a shape-only step before it
// ran again.
bool Frame::must_rerun(size_t i) {
  if (plan_->plan.steps[i].derived) return shapes_changed_;
  const KernelContext& c = contexts_[i];
  std::vector<Shape>& last = last_shapes_[i];
  bool same = last.size() == static_cast<size_t>(c.num_inputs_);
  for (int k = 0; same && k < c.num_inputs_; ++k)
    same = last[static_cast<size_t>(k)] == c.input(k).shape();
  if (same) return false;
  last.clear();
  for (int k = 0; k < c.num_inputs_; ++k) last.push_back(c.input(k).shape());
  return shapes_changed_ = true;
}

void Frame::run() {
  shapes_changed_ = !shapes_known_;
  size_t i = 0;
  try {
    if (!plan_->plan.has_switch && variable_fetches_ == 0) {
      if (!bound_blocks_.empty()) {
        run_bound(i);
      } else if (!places_.empty()) {
        run_watched(i);
      } else {
        for (const Scheduled& scheduled : schedule_) {
          i = scheduled.step;
          !scheduled.shape_only || must_rerun(i) ? run_step(i) : end_step(i);
        }
      }
    } else {
      std::fill_n(dead_.get(), slots_.size(), false);
      for (; i < contexts_.size(); ++i) {
        const Step& step = plan_->plan.steps[i];
        dead_steps_[i] = plan_->plan.has_switch && is_skipped(step, i);
        if (dead_steps_[i]) continue;
        if (!step.idle && !step.constant) run_step(i);
        fetch_variables_after(step);
      }
    }
  } catch (...) {
    clear();
    rethrow_at(*plan_->plan.steps[i].node);
  }
  run_state_.clear();
  shapes_known_ = true;
}

inline void Frame::call_kernel(size_t i) {
  KernelContext& c = contexts_[i];
  if (c.was_called_) [[unlikely]] {
    c.was_called_ = false;
  } else {
    (*c.kernel_)(c);
  }
}

inline void Frame::run_step(size_t i) {
  call_kernel(i);
  end_step(i);
}

inline void Frame::end_step(size_t i) {
  KernelContext& c = contexts_[i];
  if (!c.scratch_.empty()) [[unlikely]] {
    for (BufferRef& block : c.scratch_) arena_.give_back(std::move(block));
    c.scratch_.clear();
  }
  for (size_t k = release_end_[i]; k < release_end_[i + 1]; ++k) {
    if (releases_[k]->valid()) arena_.give_back(releases_[k]->take_buffer());
  }
}

// ---- binding outputs to blocks ------------------------------------------------------------------
//
// In most runs each kernel allocates the same block as in the run before. After two such runs in a
// row outputs are bound: tensor and block remain in the slot from run to run, allocate() returns
// them, and nothing is released. Outputs with disjoint live ranges share a block, as they did in
// the arena; this is safe because the order of steps is fixed. An output that a caller, a variable
// or a constant may refer to is not bound, and neither is any other output that used its block.

void Frame::run_watched(size_t& i) {
  for (const Scheduled& scheduled : schedule_) {
    i = scheduled.step;
    KernelContext& c = contexts_[i];
    const int first = plan_->plan.steps[i].first_output;
    if (scheduled.shape_only && !must_rerun(i)) {
      // The step allocated nothing in this run, and its block of an earlier run may be freed.
      for (int k = 0; k < c.num_outputs_; ++k) {
        Place& place = places_[static_cast<size_t>(first + k)];
        place.block = place.held = nullptr;
      }
      end_step(i);
      continue;
    }
    for (KernelContext* each = c.was_called_ ? nullptr : &c; each; each = each->follower_) {
      each->allocated_ = each->in_place_ = 0;
    }
    call_kernel(i);
    for (int k = 0; k < c.num_outputs_; ++k) {
      const Tensor& output = *c.outputs_[k];
      Place& place = places_[static_cast<size_t>(first + k)];
      const bool made = k < 64 && (c.allocated_ >> k & 1) && output.valid() && output.buffer() &&
                        output.buffer()->home() == &arena_ &&
                        output.raw_data() == output.buffer()->data();
      place.held = output.valid() ? output.buffer().get() : nullptr;
      place.block = made ? place.held : nullptr;
      place.shape = output.valid() ? output.shape() : Shape();
      place.bytes = made ? output.num_bytes() : 0;
    }
    end_step(i);
  }
}

void Frame::run_bound(size_t& i) {
  const auto run_scheduled = [&](const Scheduled& scheduled) {
    if (!scheduled.shape_only || must_rerun(i)) {
      call_kernel(i);
      unshare_outputs(i);
    }
    end_step(i);
  };
  if (!recorded_) {
    const std::vector<bool> stable = stable_slots();
    for (Scheduled& scheduled : schedule_) {
      i = scheduled.step;
      contexts_[i].repeat_ = may_repeat(scheduled, stable) ? &scheduled.repeat : nullptr;
      run_scheduled(scheduled);
      contexts_[i].repeat_ = nullptr;
    }
    recorded_ = true;
    return;
  }
  for (const Scheduled& scheduled : schedule_) {
    if (scheduled.repeat && !arena_.binding_invalid) {
      scheduled.repeat();
      continue;
    }
    i = scheduled.step;
    run_scheduled(scheduled);
  }
}

// The slots whose tensor is the same in every run: bound ones and constants.
std::vector<bool> Frame::stable_slots() const {
  std::vector<bool> stable = bound_;
  for (const Step& step : plan_->plan.steps) {
    for (int k = 0; step.constant && k < step.node->num_outputs(); ++k) {
      stable[static_cast<size_t>(step.first_output + k)] = true;
    }
  }
  return stable;
}

bool Frame::may_repeat(const Scheduled& scheduled, const std::vector<bool>& stable) const {
  const Step& step = plan_->plan.steps[scheduled.step];
  bool all =
      !scheduled.shape_only && release_end_[scheduled.step] == release_end_[scheduled.step + 1];
  for (int slot : step.inputs) all = all && slot >= 0 && stable[static_cast<size_t>(slot)];
  for (int k = 0; k < step.node->num_outputs(); ++k)
    all = all && bound_[static_cast<size_t>(step.first_output + k)];
  return all;
}

// Sharing of bound blocks is safe for the outputs that shared them in the recorded runs. An output
// that shares a bound block for the first time (its kernel forwarded an input) is copied into
// memory of its own.
inline void Frame::unshare_outputs(size_t i) {
  const int first = plan_->plan.steps[i].first_output;
  for (int k = 0; k < contexts_[i].num_outputs_; ++k) {
    const auto s = static_cast<size_t>(first + k);
    const Buffer* held = slots_[s].buffer().get();
    if (held == last_places_[s].held || !held || held->home() != &bound_blocks_) continue;
    slots_[s] = own(slots_[s]);
    arena_.binding_invalid = true;
  }
}

// After a run: binds outputs if the run had the shapes and blocks of the run before; drops bindings
// if one became invalid. After more than 16 runs with changed shapes it stops trying.
void Frame::settle() {
  if (places_.empty()) return;
  if (!bound_blocks_.empty()) {
    if (arena_.binding_invalid) unbind();
    return;
  }
  constexpr int kMostChanges = 16;
  if (last_places_.empty() || changes_ > kMostChanges) {
    if (changes_ > kMostChanges) places_.clear();
    last_places_ = places_;
    return;
  }
  std::vector<bool> stable(slots_.size());
  bool same_shapes = true;
  for (size_t s = 0; s < slots_.size(); ++s) {
    stable[s] = places_[s].block && places_[s] == last_places_[s];
    same_shapes &= places_[s].shape == last_places_[s].shape;
  }
  if (same_shapes) {
    bind(std::move(stable));
  } else {
    ++changes_;
  }
  last_places_ = places_;
}

void Frame::bind(std::vector<bool> stable) {
  for (int slot : plan_->plan.kept_slots) stable[static_cast<size_t>(slot)] = false;
  std::unordered_map<const Buffer*, BufferRef> blocks;
  for (size_t s = 0; s < slots_.size(); ++s) {
    if (stable[s] && !blocks.contains(places_[s].block)) {
      blocks.emplace(places_[s].block, arena_.withdraw(places_[s].block));
    }
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t s = 0; s < slots_.size(); ++s) {
      const auto at = blocks.find(places_[s].block);
      if (at == blocks.end()) continue;
      // The block may have been freed in this run, and another one allocated at its address.
      const bool is_there = at->second && places_[s].bytes <= at->second->capacity();
      if (stable[s] && !is_there) {
        stable[s] = false;
        changed = true;
      } else if (!stable[s] && at->second) {
        arena_.give_back(std::move(at->second));
        at->second = BufferRef();
        changed = true;
      }
    }
  }
  for (const Step& step : plan_->plan.steps) {
    for (int k = 0; k < step.node->num_outputs(); ++k) {
      const auto s = static_cast<size_t>(step.first_output + k);
      if (!stable[s]) continue;
      blocks[places_[s].block]->set_home(&bound_blocks_);
      const DType dtype = base_dtype(step.node->output_dtypes[static_cast<size_t>(k)]);
      slots_[s] = Tensor(dtype, places_[s].shape, blocks[places_[s].block]);
    }
  }
  for (auto& [block, ref] : blocks) {
    if (ref) bound_blocks_.push_back(std::move(ref));
  }
  bound_ = std::move(stable);
  arena_.binding_invalid = recorded_ = false;
  if (bound_blocks_.empty()) places_.clear();
  list_releases();
}

void Frame::unbind() {
  if (bound_blocks_.empty()) return;
  for (size_t s = 0; s < slots_.size(); ++s) {
    if (bound_[s] && slots_[s].valid()) arena_.give_back(slots_[s].take_buffer());
  }
  bound_.assign(slots_.size(), false);
  for (BufferRef& block : bound_blocks_) {
    block->set_home(&arena_);
    arena_.give_back(std::move(block));
  }
  bound_blocks_.clear();
  for (Scheduled& scheduled : schedule_) scheduled.repeat.clear();
  last_places_.clear();
  ++changes_;
  list_releases();
}

// ---- Switch and Merge ---------------------------------------------------------------------------

// Deadness: a step is skipped if an input or control input is dead, a Merge if all inputs are. The
// outputs of a skipped step are dead.
bool Frame::is_skipped(const Step& step, size_t i) {
  const KernelContext& c = contexts_[i];
  bool dead = std::any_of(step.controls.begin(), step.controls.end(),
                          [&](int s) { return dead_steps_[static_cast<size_t>(s)]; });
  if (step.node->op->def->flow == Flow::kMerge) {
    bool any_alive = false;
    for (int k = 0; k < c.num_inputs_; ++k) any_alive |= !*c.dead_inputs_[k];
    dead |= !any_alive;
  } else {
    for (int k = 0; k < c.num_inputs_; ++k) dead |= *c.dead_inputs_[k];
  }
  if (dead) {
    for (int k = 0; k < c.num_outputs_; ++k) *c.dead_outputs_[k] = true;
    return true;
  }
  std::vector<std::string> missing;
  for (size_t k = 0; k < step.variables.size(); ++k) {
    const auto& needs = step.needs_value;
    if (std::find(needs.begin(), needs.end(), step.variables[k]) != needs.end() &&
        !c.variables_[k]->initialized()) {
      missing.push_back("'" + c.variables_[k]->name + "'");
    }
  }
  if (!missing.empty())
    throw Error(Code::kFailedPrecondition,
                str_cat("uninitialized variables: ", join_for_people(missing),
                        "; initialize_rest(session) initializes what has no value"));
  return false;
}

void Frame::fetch_variables_after(const Step& step) {
  for (int f : step.fetches) {
    const VariableState& variable = *plan_->fetched[static_cast<size_t>(f)];
    if (!variable.initialized()) {
      throw Error(Code::kFailedPrecondition,
                  str_cat("uninitialized variable: '", variable.name,
                          "'; initialize_rest(session) initializes what has no value"));
    }
    fetched_[static_cast<size_t>(f)] = variable.value;
  }
}

Tensor Frame::own(const Tensor& tensor) {
  if (!tensor.valid() || tensor.dtype() == DType::kString) return tensor.clone();
  Tensor copy(tensor.dtype(), tensor.shape(), arena_.take(tensor.num_bytes()));
  copy.copy_from(tensor);
  return copy;
}

void Frame::collect(std::vector<Tensor>& results) {
  const Plan& p = plan_->plan;
  results.resize(p.fetches.size());
  for (size_t f = 0; f < p.fetches.size(); ++f) {
    const Plan::Fetch& fetch = p.fetches[f];
    if (fetch.slot < 0) {
      results[f] = fetch.nothing;
    } else if (p.has_switch && dead_[static_cast<size_t>(fetch.slot)]) {
      clear();
      results.clear();
      fail(Code::kInvalidArgument,
           "what was fetched has no value: it stands behind the side of a Switch that was not "
           "taken");
    } else {
      results[f] =
          plan_->fetched[f] ? std::move(fetched_[f]) : slots_[static_cast<size_t>(fetch.slot)];
    }
  }
  for (int slot : p.kept_slots) {
    Tensor& kept = slots_[static_cast<size_t>(slot)];
    if (kept.valid()) arena_.give_back(kept.take_buffer());
  }
  // A result that shares memory with a constant, a variable or a fed tensor is copied, as the
  // caller may write to it.
  for (size_t f = 0; f < results.size(); ++f) {
    if (!results[f].valid() || p.fetches[f].is_feed) continue;
    const Buffer* buffer = results[f].buffer().get();
    const bool whole = buffer && buffer->data() == results[f].raw_data();
    if (!buffer || !buffer->unique() || !whole) results[f] = own(results[f]);
  }
  settle();
}

void Frame::recycle(std::vector<Tensor>& results) {
  for (Tensor& result : results) {
    if (result.valid()) arena_.give_back_last(result.take_buffer());
  }
}

void Frame::drop_feeds() {
  for (int slot : plan_->plan.feed_slots) slots_[static_cast<size_t>(slot)] = Tensor();
}

void Frame::clear() {
  drop_feeds();
  for (const Step& step : plan_->plan.steps) {
    for (int k = 0; k < step.node->num_outputs() && !step.constant; ++k) {
      Tensor& slot = slots_[static_cast<size_t>(step.first_output + k)];
      if (slot.valid()) arena_.give_back(slot.take_buffer());
    }
  }
  for (Tensor& fetched : fetched_) fetched = Tensor();
  run_state_.clear();
  for (KernelContext& c : contexts_) {
    c.scratch_.clear();
    c.repeat_ = nullptr;
    c.before_ = nullptr;
    c.was_called_ = false;
  }
  unbind();
  shapes_known_ = false;
  for (auto& last : last_shapes_) last.clear();
}

std::vector<Tensor> evaluate(const Graph& graph, const Node& node,
                             const std::vector<Tensor>& inputs, bool own_values,
                             int64_t most_bytes) {
  auto prepared = std::make_shared<PreparedPlan>();
  Plan& plan = prepared->plan;
  Step step;
  step.node = &node;
  step.may_reuse.assign(inputs.size(), false);
  step.variables.assign(inputs.size(), nullptr);
  for (size_t i = 0; i < inputs.size(); ++i) {
    step.inputs.push_back(static_cast<int>(i));
    step.sources.push_back(static_cast<int>(i));
    plan.feed_slots.push_back(static_cast<int>(i));
  }
  step.first_output = static_cast<int>(inputs.size());
  plan.num_slots = step.first_output + node.num_outputs();
  for (int k = 0; k < node.num_outputs(); ++k) {
    plan.fetches.emplace_back();
    plan.fetches.back().slot = step.first_output + k;
    plan.kept_slots.push_back(step.first_output + k);
  }
  plan.steps.push_back(std::move(step));
  prepared->kernels.push_back(make_kernel(KernelSetup(graph, node, nullptr, own_values)));
  prepared->variables.emplace_back(inputs.size(), nullptr);
  prepared->fetched.assign(plan.fetches.size(), nullptr);
  Frame frame(std::move(prepared), 1, nullptr);
  frame.limit_memory(most_bytes);
  for (size_t i = 0; i < inputs.size(); ++i) frame.feed(i, node.inputs[i], inputs[i]);
  frame.run();
  std::vector<Tensor> outputs;
  frame.collect(outputs);
  return outputs;
}

}  // namespace cairn::internal

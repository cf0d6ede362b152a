#include "persist/summary/summary_ops.h"

#include <algorithm>
#include <set>

#include "cairn/event.pb.h"
#include "ops/array/array.h"
#include "persist/messages/message.h"
#include "runtime/base/text.h"
#include "runtime/exec/context.h"

namespace cairn {
namespace {

// ---- ScalarSummary ------------------------------------------------------------------------------

std::string different_shapes(const Shape& tags, const Shape& values) {
  return str_cat("tags and values must be of one shape, got tags ", tags, " and values ", values);
}

void scalar_summary_shape(ShapeContext& c) {
  c.require(c.input(0).is_compatible_with(c.input(1)), different_shapes(c.input(0), c.input(1)));
  c.set_output({});
}

Kernel scalar_summary_prepare(const KernelSetup& s) {
  return by_dtype<float, double, Half, BFloat16, int8_t, int16_t, int32_t, int64_t, uint8_t,
                  uint16_t, uint32_t, uint64_t>(s, s.dtype("T"), []<class T>() -> Kernel {
    return [](KernelContext& c) {
      const Tensor &tags = c.input(0), &values = c.input(1);
      if (tags.shape() != values.shape()) c.fail(different_shapes(tags.shape(), values.shape()));
      pb::Summary summary;
      for (int64_t i = 0; i < tags.num_elements(); ++i) {
        pb::Summary::Value& value = *summary.add_value();
        const std::string& tag = tags.data<std::string>()[i];
        if (!is_utf8(tag)) c.fail(str_cat("the tag '", tag, "' is not UTF-8"));
        value.set_tag(tag);
        value.set_simple_value(static_cast<float>(values.data<T>()[i]));
      }
      *c.allocate(0, {}).template data<std::string>() = to_bytes(summary);
    };
  });
}

constexpr OpDef kScalarSummary = {.name = "ScalarSummary",
                                  .inputs = "tags: string, values: T",
                                  .outputs = "summary: string",
                                  .attrs =
                                      "T: {float, double, int32, uint8, int16, int8, int64, "
                                      "bfloat16, uint16, half, uint32, uint64}",
                                  .shape = scalar_summary_shape,
                                  .prepare = scalar_summary_prepare,
                                  .gradient = not_differentiable};

// ---- MergeSummary -------------------------------------------------------------------------------

void merge_summary_shape(ShapeContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) c.with_rank(i, 0, "a summary");
  c.set_output({});
}

Kernel merge_summary_prepare(const KernelSetup&) {
  return [](KernelContext& c) {
    pb::Summary all, one;
    std::set<std::string> tags;
    for (int i = 0; i < c.num_inputs(); ++i) {
      if (c.input(i).num_elements() != 1) {
        c.fail(str_cat("input ", i, " must hold one summary, got shape ", c.input(i).shape()));
      }
      if (!parse_bytes(*c.input(i).data<std::string>(), one))
        c.fail(str_cat("input ", i, " is not a Summary message"));
      for (pb::Summary::Value& value : *one.mutable_value()) {
        // Only values without a tag may occur more than once.
        if (!value.tag().empty() && !tags.insert(value.tag()).second) {
          c.fail(str_cat("duplicate tag ", value.tag(), " found in summary inputs"));
        }
        *all.add_value() = std::move(value);
      }
    }
    *c.allocate(0, {}).data<std::string>() = to_bytes(all);
  };
}

constexpr OpDef kMergeSummary = {.name = "MergeSummary",
                                 .inputs = "inputs: N * string",
                                 .outputs = "summary: string",
                                 .attrs = "N: int >= 1",
                                 .shape = merge_summary_shape,
                                 .prepare = merge_summary_prepare,
                                 .gradient = not_differentiable};

void collect(const Output& summary, const std::vector<std::string>& collections) {
  for (const std::string& key : collections) summary.graph().add_to_collection(key, summary);
}

// Adds a ScalarSummary named like `scope`, with its tags in that scope, to the collections.
Output add_scalar_summary(const Scope& scope, const Operand& tags, const Operand& values,
                          const std::vector<std::string>& collections, SourceLocation at) {
  Graph& graph = (values.is_output() ? values : tags).graph();
  const Graph::Transaction whole(graph);
  const Output made =
      add_node(kScalarSummary,
               {tags.in(graph, DType::kString, "tags"), values.in(graph, DType::kFloat, "values")},
               {}, scope.name(), at);
  collect(made, collections);
  return made;
}

// Converts a name as tf.summary does: only characters valid in node names, no slash in front.
std::string clean_tag(std::string_view name) {
  std::string clean(name);
  for (char& c : clean) {
    const bool kept = std::string_view("-/_.").find(c) != std::string_view::npos ||
                      (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!kept) c = '_';
  }
  clean.erase(0, std::min(clean.find_first_not_of('/'), clean.size()));
  return clean;
}

std::string without_slash(const std::string& scope) { return scope.substr(0, scope.size() - 1); }

}  // namespace

Output scalar_summary(const Operand& tags, const Operand& values, const SummaryOptions& options) {
  Graph& graph = (values.is_output() ? values : tags).graph();
  const Graph::Transaction whole(graph);
  const Scope scope = graph.name_scope(options.name.empty() ? "ScalarSummary" : options.name);
  return add_scalar_summary(scope, tags, values, options.collections, values.at());
}

Output scalar_summary(std::string_view tag, const Operand& value, const SummaryOptions& options) {
  return scalar_summary({Tensor(std::string(tag)), value.at()}, value, options);
}

Output merge_summary(const std::vector<Output>& inputs, const NameOptions& options,
                     SourceLocation at) {
  if (inputs.empty())
    fail(Code::kInvalidArgument, "merge_summary (", at.str(), "): there are no summaries to merge");
  return add_node(kMergeSummary, inputs, {}, options.name, at);
}

Output summary::scalar(std::string_view name, const Operand& value, const ScalarOptions& options) {
  const std::string family = clean_tag(options.family), own = clean_tag(name);
  const Graph::Transaction whole(value.graph(), value.at());
  const Scope scope = value.graph().name_scope(family.empty() ? own : str_cat(family, "/", own));
  const std::string tag = without_slash(scope.name());
  return add_scalar_summary(scope, Tensor(family.empty() ? tag : str_cat(family, "/", tag)), value,
                            options.collections, value.at());
}

Output summary::merge(const std::vector<Output>& inputs, const NameOptions& options,
                      SourceLocation at) {
  if (inputs.empty())
    fail(Code::kInvalidArgument, "summary::merge (", at.str(),
         "): there are no summaries to merge");
  const std::string name = clean_tag(options.name);
  inputs[0].graph().check_owns(inputs[0], "summary::merge");
  const Graph::Transaction whole(inputs[0].graph());
  const Scope scope = inputs[0].graph().name_scope(name.empty() ? "Merge" : name);
  return merge_summary(inputs, {.name = name}, at);
}

Output summary::merge_all(GraphAt graph, std::string_view key, std::string_view scope) {
  const std::vector<Output> all = graph->collection<Output>(key, scope);
  return all.empty() ? Output() : merge(all, {}, graph.at);
}

std::span<const OpDef* const> summary_ops() {
  static constexpr const OpDef* kOps[] = {&kMergeSummary, &kScalarSummary};
  return kOps;
}

}  // namespace cairn

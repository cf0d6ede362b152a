// Summaries: values of a run as TensorFlow's Summary messages, which TensorBoard displays.
//
//   Output loss = reduce_mean(square(prediction - y));
//   summary::scalar("loss", loss);            // nodes loss/tags and loss, collection "summaries"
//   Output all = summary::merge_all(graph);   // node Merge/MergeSummary
//   std::string message = session.run(all, feeds).scalar<std::string>();
//
// The fetched string is a serialized tensorflow.Summary. Summaries can be added to graphs built in
// this program and to imported ones. Builders throw the errors of their operands; the graph is then
// unchanged.
//
// Calls that fail:
//
//   scalar_summary("loss", losses);   // losses: [2]
//   // InvalidArgument: tags and values must be of one shape, got tags [] and values [2]
//   session.run(summary::merge({a, a}));
//   // InvalidArgument: duplicate tag loss found in summary inputs
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct SummaryOptions {
  // The collections to which the summary is added; merge_all() uses "summaries".
  std::vector<std::string> collections = {GraphKeys::kSummaries};
  std::string name = "";
};

// One value for each tag as a serialized Summary, a string scalar (TensorFlow's ScalarSummary).
// tags: string, a tensor or a text; values: any real dtype, converted to float, with the shape of
// `tags`. This is tf.scalar_summary of TensorFlow 0.x: the tag is `tags` unchanged, and the nodes
// are ScalarSummary/tags and ScalarSummary. Throws InvalidArgument if known shapes differ; unknown
// ones are checked when the op runs, as is that tags are UTF-8.
//
//   scalar_summary("loss", loss);
Output scalar_summary(const Operand& tags, const Operand& values,
                      const SummaryOptions& options = {});
Output scalar_summary(std::string_view tag, const Operand& value,
                      const SummaryOptions& options = {});

// Merges `inputs`, string scalars that hold Summaries, into one (TensorFlow's MergeSummary). The
// result is in no collection. Throws InvalidArgument if there are no inputs. Running throws
// InvalidArgument if two inputs have the same tag or one is not a Summary.
Output merge_summary(const std::vector<Output>& inputs, const NameOptions& options = {},
                     SourceLocation at = SourceLocation::current());

// TensorFlow 1.x's tf.summary.
namespace summary {

struct ScalarOptions {
  std::vector<std::string> collections = {GraphKeys::kSummaries};
  // A prefix for the tag: TensorBoard groups summaries by it.
  std::string family = "";
};
// A summary of a scalar. Its tag is the node's name: `name` within the current name scopes, made
// unique ("loss_1"), with characters that are invalid in node names replaced by '_'. Nodes
// name/tags and name.
Output scalar(std::string_view name, const Operand& value, const ScalarOptions& options = {});

// merge_summary() in a name scope: Merge/MergeSummary.
Output merge(const std::vector<Output>& inputs, const NameOptions& options = {},
             SourceLocation at = SourceLocation::current());
// Merges all summaries in a collection whose names begin with `scope`; an empty handle if there are
// none.
Output merge_all(GraphAt graph, std::string_view key = GraphKeys::kSummaries,
                 std::string_view scope = "");

}  // namespace summary

// The ops of this file, for OpSet; all_ops() includes them.
std::span<const OpDef* const> summary_ops();

}  // namespace cairn

// Summaries: values of a run as TensorFlow's Summary messages, which TensorBoard shows.
//
//   auto loss = reduce_mean(square(prediction - y));
//   summary::scalar("loss", loss);  // nodes loss/tags and loss; collection
//   "summaries" Output all = summary::merge_all(graph);  // Merge/MergeSummary std::string
//   message = session.run(all, feeds).scalar<std::string>();
//
// The string that is fetched is a serialized tensorflow.Summary. Summaries may be added to a graph
// built here or to an imported one.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct SummaryOptions {
  // Where the summary is found again: merge_all() looks into "summaries".
  std::vector<std::string> collections = {GraphKeys::kSummaries};
  std::string name = "";
};

// One value under each tag, as a serialized Summary, a string scalar (TensorFlow's ScalarSummary).
// tags: string, given as a tensor or as a text; values: any real dtype, written as float, of the
// same shape as `tags`. This is TensorFlow 0.x's tf.scalar_summary: the tag is `tags` as it stands;
// the nodes are ScalarSummary/tags and ScalarSummary. Throws InvalidArgument where shapes that are
// known differ; running does for the others, and for a tag that is not UTF-8.
//   scalar_summary("loss", loss);
Output scalar_summary(const Operand& tags, const Operand& values,
                      const SummaryOptions& options = {});
Output scalar_summary(std::string_view tag, const Operand& value,
                      const SummaryOptions& options = {});

// The values of all `inputs`, string scalars that hold Summaries, in one (TensorFlow's
// MergeSummary). Running throws InvalidArgument where two of them have one tag, or where one is no
// Summary. Added to no collection. Throws InvalidArgument when there are no inputs.
Output merge_summary(const std::vector<Output>& inputs, const NameOptions& options = {},
                     SourceLocation at = SourceLocation::current());

// TensorFlow 1.x's tf.summary.
namespace summary {

struct ScalarOptions {
  std::vector<std::string> collections = {GraphKeys::kSummaries};
  // Put in front of the tag, so that TensorBoard shows summaries of one family together.
  std::string family = "";
};
// The value of a scalar under the name it gets in the graph: `name` within the scopes in force,
// made unique ("loss_1"). Characters that no name of a node may have become '_'. Nodes name/tags
// and name.
Output scalar(std::string_view name, const Operand& value, const ScalarOptions& options = {});

// merge_summary() in a scope of its own: Merge/MergeSummary.
Output merge(const std::vector<Output>& inputs, const NameOptions& options = {},
             SourceLocation at = SourceLocation::current());
// The same of all summaries in a collection whose names begin with `scope`; an empty handle where
// there are none.
Output merge_all(GraphAt graph, std::string_view key = GraphKeys::kSummaries,
                 std::string_view scope = "");

}  // namespace summary

std::span<const OpDef* const> summary_ops();

}  // namespace cairn

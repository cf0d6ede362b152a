// Transactions: a builder that throws leaves the graph unchanged.
#include <exception>

#include "runtime/graph/graph.h"
#include "runtime/graph/graph_scopes.h"
#include "runtime/graph/name_table.h"

namespace cairn {

Graph::Transaction::Transaction(Graph& graph, SourceLocation at)
    : graph_(graph), building_(graph.building_), exceptions_(std::uncaught_exceptions()) {
  if (graph.builders_++ == 0) graph.builder_ = std::this_thread::get_id();
  nodes_ = graph.data_.nodes.size();
  names_ = graph.data_.names->size();
  renumbered_ = graph.data_.names->renumbered();
  collection_changes_ = graph.collection_changes_.size();
  scopes_ = graph.data_.scopes->last;
  if (at.known()) place_ = graph.made_at(at);
}

Graph::Transaction::~Transaction() {
  if (std::uncaught_exceptions() > exceptions_) {
    graph_.data_.scopes->close_after(scopes_);
    graph_.undo_nodes(nodes_);
    std::unique_lock lock(graph_.mutex_);
    graph_.data_.names->take_back(names_, renumbered_);
    graph_.undo_collections(collection_changes_);
  }
  if (--graph_.builders_ > 0) return;
  std::unique_lock lock(graph_.mutex_);
  graph_.data_.names->keep();
  graph_.collection_changes_.clear();
  graph_.complete_ = graph_.data_.nodes.size();
  graph_.builder_ = std::thread::id();
}

// Removes the nodes from `first` on. Handles may still point to them, so they are kept in memory,
// without their attributes.
void Graph::undo_nodes(size_t first) noexcept {
  const std::shared_ptr<FlowContext> flow = control_flow();
  while (data_.nodes.size() > first) {
    Node& node = *data_.nodes.back();
    try {
      if (flow) flow->taken_back(handle(node));
    } catch (const std::bad_alloc&) {
      // The context may keep a handle to the removed node, which throws when it is used.
    }
    {
      std::lock_guard values(static_mutex_);
      data_.static_values.erase(&node);
    }
    std::unique_lock lock(mutex_);
    node.id = -1;
    node.attrs = {};
    try {
      data_.taken_back.push_back(std::move(data_.nodes.back()));
    } catch (const std::bad_alloc&) {
      (void)data_.nodes.back().release();  // leaked, as handles may point to it
    }
    data_.nodes.pop_back();
  }
}

void Graph::undo_collections(size_t first) noexcept {
  while (collection_changes_.size() > first) {
    CollectionChange& change = collection_changes_.back();
    if (change.cleared) {
      data_.collections.insert(std::move(change.cleared));
    } else if (const auto at = data_.collections.find(change.key); change.is_new) {
      data_.collections.erase(at);
    } else {
      at->second.pop_back();
    }
    collection_changes_.pop_back();
    ++data_.collections_revision;
  }
}

void Graph::check_not_building(std::string_view what) const {
  if (builders_ > 0) fail(Code::kFailedPrecondition, what, " while a builder is at work on it");
}

void Graph::check_complete(const Node& node, std::string_view what) const {
  if (node.id >= 0 && static_cast<size_t>(node.id) < complete_) return;
  fail(Code::kFailedPrecondition, what, ": ", node.str(), " is of a builder that has not returned");
}

void Graph::about_to_change(std::string_view what, std::string_view name) {
  if (data_.finalized) {
    fail(Code::kFailedPrecondition, "the graph is finalized: ", what, " '", name,
         "' cannot be added to; make all nodes before Graph::finalize()");
  }
  if (data_.before_change) data_.before_change(name);
}

}  // namespace cairn

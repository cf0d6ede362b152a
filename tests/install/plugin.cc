// A plugin with a copy of the library of its own.
#include <cairn/cairn.h>

#include <string>

using namespace cairn;

extern "C" [[gnu::visibility("default")]] const char* work(const char* prefix) try {
  static std::string result;
  Graph graph;
  auto w = variable(zeros(graph, {2}), {.name = "w"});
  auto step = w.assign_add(constant(graph, Tensor::vector<float>({1, 2})));
  Saver saver(graph);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  session.run(step);
  saver.save(session, prefix);

  Graph again;
  Saver restorer = import_meta_graph(again, std::string(prefix) + ".meta");
  Session restored(again);
  restorer.restore(restored, prefix);
  const MetaGraph meta = export_meta_graph(again);
  const bool text = MetaGraph::parse(meta.text(), "text").bytes() == meta.bytes();
  const bool json = MetaGraph::parse(meta.json(), "json").bytes() == meta.bytes();
  result = restored.run("w:0").str() + (text && json ? "" : " and text that is not the same");
  return result.c_str();
} catch (const Error& error) {
  static const std::string what = error.what();
  return what.c_str();
}

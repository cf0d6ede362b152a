// Continues the training of another program without its code: the graph, the op to run and the
// tensors to feed are read from the .meta file. If the collection "train_var" holds x, y_true and
// accuracy, as that of mnist_softmax does, digits are fed; else nothing is.
#include <cairn/cairn.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "samples/mnist_data.h"

using namespace cairn;

int main(int argc, char** argv) {
  std::string prefix, folder, save_path;
  int64_t steps = 100;
  int batch = 100;
  CLI::App app(
      "Restores a checkpoint with its .meta file and continues training with its train op.");
  app.add_option("PREFIX", prefix, "the checkpoint, as in run/model_ckpt-500")->required();
  app.add_option("--steps", steps, "number of further steps")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--data", folder, "folder of the four MNIST files; by default digits are drawn")
      ->type_name("DIR");
  app.add_option("--batch", batch, "digits per step")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--save", save_path,
                 "prefix of a checkpoint to save at the end; by default none is saved")
      ->type_name("PATH");
  try {
    app.parse(argc, argv);
    Graph graph;
    Saver saver = import_meta_graph(graph, prefix + ".meta");
    Session session(graph);
    saver.restore(session, prefix);
    auto vars = graph.collection<Output>("train_var");
    auto train = graph.collection<Operation>("train_op");
    if (train.empty()) fail(Code::kNotFound, prefix, ".meta has no collection train_op");

    const bool fed = vars.size() == 3;
    const DigitData data = !fed ? DigitData{} : folder.empty() ? draw_digits() : load_mnist(folder);
    const auto feeds = [&](const Digits& d) {
      return fed ? Feeds{{vars[0], d.images}, {vars[1], d.labels}} : Feeds{};
    };
    const auto report = [&](const char* when) {
      if (fed)
        std::cout << when << " accuracy: " << session.run(vars[2], feeds(data.test)).str() << "\n";
      for (const Variable& v : graph.variables()) {
        if (v.shape() == Shape{})
          std::cout << when << " " << v.name() << ": " << session.value(v).str() << "\n";
      }
    };
    report("restored");
    std::optional<Batches> batches;
    if (fed) batches.emplace(data.train, batch, 0);
    const int64_t first =
        graph.contains("global_step") ? session.run("global_step:0").scalar<int64_t>() : 0;
    for (int64_t i = first; i < first + steps; ++i)
      session.run(train[0], feeds(fed ? batches->at(i) : Digits{}));
    report("trained");
    if (!save_path.empty()) std::cout << "saved: " << saver.save(session, save_path) << "\n";
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  } catch (const std::exception& e) {
    std::cerr << "resume_from_meta: " << e.what() << "\n";
    return 1;
  }
}
